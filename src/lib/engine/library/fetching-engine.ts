/** The engine of a model that may have to be fetched first: one load brings the files, then opens them. */
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Engine, EngineReady, LoadProgress } from '#lib/ports/engine.ts';

/** What it needs of the library. */
export interface FetchingEngineInit {
	readonly id: string;
	/** See Models.fetch. Resolves at once when everything is here. */
	fetch(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void>;
	/** Drops kept files that are not what they were. */
	check(signal: AbortSignal): Promise<void>;
	/** An engine for what is kept now. */
	open(): Engine;
}

export function fetchingEngine(init: FetchingEngineInit): Engine {
	return new FetchingEngine(init);
}

class FetchingEngine implements Engine {
	readonly #init: FetchingEngineInit;
	#inner: Engine | undefined;
	#loading = 0;
	#failed = false;
	#unloading = new AbortController();

	constructor(init: FetchingEngineInit) {
		this.#init = init;
	}

	get id(): string {
		return this.#init.id;
	}

	get state(): Engine['state'] {
		const inner = this.#inner?.state ?? 'idle';
		if (inner === 'ready' || inner === 'busy') return inner;
		if (this.#loading > 0) return 'loading';
		return this.#failed ? 'failed' : inner;
	}

	async load(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady> {
		if (signal.aborted) throw new Refusal('aborted');
		const unloading = this.#unloading.signal;
		const stop = AbortSignal.any([signal, unloading]);
		this.#loading++;
		try {
			const ready = await this.#attempt(onProgress, stop).catch(async (error: unknown) => {
				// A kept file was damaged or taken away: what is not right any more is dropped, and fetched again, once.
				if (codeOf(error) !== 'weights-corrupt' && codeOf(error) !== 'engine-load-failed') throw error;
				if (this.#inner === undefined) throw error;
				await this.#init.check(stop);
				return this.#attempt(onProgress, stop);
			});
			this.#failed = false;
			return ready;
		} catch (error) {
			this.#failed = codeOf(error) !== 'aborted';
			throw error;
		} finally {
			this.#loading--;
		}
	}

	/** Callers at the same time share the fetch and then the load, because both are shared below. */
	async #attempt(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady> {
		let fetched: LoadProgress | undefined;
		// An engine in memory needs no files.
		if (this.#inner === undefined || this.#inner.state === 'idle' || this.#inner.state === 'failed') {
			await this.#init.fetch((progress) => {
				fetched = progress;
				onProgress(progress);
			}, signal);
			// Two callers come here one after the other; the second must not replace what the first has begun to load.
			if (this.#inner === undefined || this.#inner.state === 'failed') this.#inner = this.#init.open();
		}
		return this.#inner.load((progress) => onProgress(onOneScale(progress, fetched)), signal);
	}

	generate(...call: Parameters<Engine['generate']>): ReturnType<Engine['generate']> {
		return this.#inner === undefined ? nothingLoaded() : this.#inner.generate(...call);
	}

	async logits(...call: Parameters<Engine['logits']>): ReturnType<Engine['logits']> {
		if (this.#inner === undefined) throw new Refusal('engine-not-ready');
		return this.#inner.logits(...call);
	}

	async countTokens(...call: Parameters<Engine['countTokens']>): Promise<number> {
		if (this.#inner === undefined) throw new Refusal('engine-not-ready');
		return this.#inner.countTokens(...call);
	}

	async unload(): Promise<void> {
		this.#unloading.abort();
		this.#unloading = new AbortController();
		this.#failed = false;
		const inner = this.#inner;
		this.#inner = undefined;
		await inner?.unload();
	}
}

/** Reading from the disk is no fetching. After a download the bar stays full instead of beginning anew. */
function onOneScale(progress: LoadProgress, fetched: LoadProgress | undefined): LoadProgress {
	const stage = progress.stage === 'fetching' ? 'preparing' : progress.stage;
	const { loadedBytes, totalBytes } = fetched ?? progress;
	return { stage, loadedBytes, totalBytes, bytesPerSecond: undefined, secondsLeft: undefined };
}

/** Refuses at the first `next()`, as the port says. */
async function* nothingLoaded(): ReturnType<Engine['generate']> {
	throw new Refusal('engine-not-ready');
}
