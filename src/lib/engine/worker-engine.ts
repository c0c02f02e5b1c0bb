/**
 * The Engine port over a model in a dedicated worker, whatever computes there: the page's side of workers/serve.ts.
 * Shares one load among its callers, reads steps with back-pressure, and settles every promise when the worker dies.
 */
import * as Comlink from 'comlink';
import { Refusal } from '#lib/protocol/errors.ts';
import type {
	Engine,
	EngineReady,
	GenerateEnd,
	GenerateRequest,
	LoadProgress,
	Step,
	TopLogits,
	Turn
} from '#lib/ports/engine.ts';
import { TAKEN_EVERY, type LoadRequest, type Outcome, type ToWorker } from '#workers/messages.ts';
import { startLifeline, type Lifeline, type LifelineComponents } from './lifeline.ts';
import { paced } from './pace.ts';

/** A step takes 15 ms here and a chunk of a prompt 60; a phone ten times slower and busy stays far below this. */
const SILENT_TICKS = 20;

export interface WorkerEngineInit<Load extends LoadRequest> {
	readonly id: string;
	/** What the worker is asked to load. */
	readonly load: Omit<Load, 'lifeLock'>;
	/** Seconds of silence after which a worker is given up. */
	readonly silentTicks?: number | undefined;
}

/** What a tab hands in. `startWorker` may be replaced in tests. */
export type WorkerEngineComponents = LifelineComponents;

type State<Load extends LoadRequest> =
	| { readonly kind: 'idle' | 'failed' }
	| { readonly kind: 'loading'; readonly line: Lifeline<Load>; readonly load: SharedLoad }
	| { readonly kind: 'ready' | 'busy'; readonly line: Lifeline<Load>; readonly ready: EngineReady };

/** One load and those who wait for it. */
interface SharedLoad {
	readonly result: Promise<EngineReady>;
	readonly waiting: Set<(progress: LoadProgress) => void>;
}

/** An engine that has loaded nothing yet. `unload()` stops its worker. */
export function workerEngine<Load extends LoadRequest>(
	components: WorkerEngineComponents,
	init: WorkerEngineInit<Load>
): Engine {
	return new WorkerEngine(components, init);
}

class WorkerEngine<Load extends LoadRequest> implements Engine {
	readonly #components: WorkerEngineComponents;
	readonly #init: WorkerEngineInit<Load>;
	#state: State<Load> = { kind: 'idle' };

	constructor(components: WorkerEngineComponents, init: WorkerEngineInit<Load>) {
		this.#components = components;
		this.#init = init;
	}

	get id(): string {
		return this.#init.id;
	}

	get state(): Engine['state'] {
		return this.#state.kind;
	}

	async load(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady> {
		if (signal.aborted) throw new Refusal('aborted');
		if (this.#state.kind === 'ready' || this.#state.kind === 'busy') return this.#state.ready;
		const load = this.#state.kind === 'loading' ? this.#state.load : this.#startLoad();
		return this.#wait(load, onProgress, signal);
	}

	/** One caller's share of a load. Whoever aborts leaves; when the last one leaves, the load is given up. */
	async #wait(
		load: SharedLoad,
		onProgress: (progress: LoadProgress) => void,
		signal: AbortSignal
	): Promise<EngineReady> {
		// A function of its own, so that one callback given twice is two waiters.
		const waiter = (progress: LoadProgress) => onProgress(progress);
		load.waiting.add(waiter);
		const left = new AbortController();
		const aborted = new Promise<never>((_, reject) => {
			const leave = () => reject(new Refusal('aborted'));
			signal.addEventListener('abort', leave, { signal: left.signal });
		});
		try {
			return await Promise.race([load.result, aborted]);
		} finally {
			left.abort();
			load.waiting.delete(waiter);
			if (load.waiting.size === 0 && this.#state.kind === 'loading' && this.#state.load === load) {
				this.#stop(new Refusal('aborted'));
			}
		}
	}

	#startLoad(): SharedLoad {
		const line = startLifeline<Load>(this.#components, {
			silentTicks: this.#init.silentTicks ?? SILENT_TICKS,
			onDeath: () => {
				if ('line' in this.#state && this.#state.line === line) this.#state = { kind: 'failed' };
			}
		});
		const waiting: SharedLoad['waiting'] = new Set();
		const load: SharedLoad = { waiting, result: this.#loadOn(line, waiting) };
		// Every waiter may have left before it fails; they were told.
		load.result.catch(() => {});
		this.#state = { kind: 'loading', line, load };
		return load;
	}

	async #loadOn(line: Lifeline<Load>, waiting: SharedLoad['waiting']): Promise<EngineReady> {
		const started = this.#components.clock.monotonic();
		const pace = paced(() => this.#components.clock.monotonic());
		const { mine, theirs } = line.openPort((message) => {
			if (message.kind !== 'progress') return;
			// The worker reports progress only when it has its lock.
			line.watchLock();
			const progress = pace(message.progress);
			for (const waiter of waiting) waiter(progress);
		});
		try {
			const request = { ...this.#init.load, lifeLock: line.lockName } as Load;
			const ready = opened(await line.guard(line.worker.load(request, Comlink.transfer(theirs, [theirs]))));
			this.#state = { kind: 'ready', line, ready: { ...ready, loadMs: this.#components.clock.monotonic() - started } };
			return this.#state.ready;
		} catch (error) {
			const mineStill = this.#state.kind === 'loading' && this.#state.line === line;
			line.end(new Refusal('engine-not-ready'));
			if (mineStill) this.#state = { kind: 'failed' };
			throw error;
		} finally {
			mine.close();
		}
	}

	async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Step, GenerateEnd, void> {
		const { line, done } = this.#take();
		// The worker waits when it is STEPS_AHEAD ahead.
		const queue: Step[] = [];
		const news = signpost();
		const ended = Promise.withResolvers<Outcome<GenerateEnd>>();
		let over = false;
		let tokens = 0;
		const { mine, theirs } = line.openPort((message) => {
			if (message.kind === 'step') queue.push(message.step);
			if (message.kind === 'end') ended.resolve(message.outcome);
			news.raise();
		});
		const stop = () => mine.postMessage({ kind: 'abort' } satisfies ToWorker);
		// The port is opened by the call; `guard` covers the whole generation, not just the call.
		const begun = line.worker.generate(request, Comlink.transfer(theirs, [theirs]));
		const end = line.guard(begun.then(() => ended.promise));
		const finish = () => {
			over = true;
			news.raise();
		};
		const settled = end.then(finish, finish);
		signal.addEventListener('abort', stop);
		if (signal.aborted) stop();
		try {
			for (;;) {
				// What the engine made ahead of a slow reader is not shown once it was stopped.
				const step = signal.aborted ? undefined : queue.shift();
				if (step !== undefined) {
					tokens++;
					yield step;
					if (tokens % TAKEN_EVERY === 0) mine.postMessage({ kind: 'taken', steps: tokens } satisfies ToWorker);
				} else if (over) {
					const whole = opened(await end);
					return tokens === whole.tokens ? whole : { ...whole, reason: 'aborted', tokens };
				} else {
					await news.next();
				}
			}
		} finally {
			// Also when the reader leaves early: the engine is free again only when the worker has stopped.
			signal.removeEventListener('abort', stop);
			if (!over) stop();
			await settled;
			mine.close();
			done();
		}
	}

	async logits(tokens: readonly number[], signal: AbortSignal): Promise<readonly TopLogits[]> {
		if (signal.aborted) throw new Refusal('aborted');
		const { line, done } = this.#take();
		const { mine, theirs } = line.openPort(() => {});
		const stop = () => mine.postMessage({ kind: 'abort' } satisfies ToWorker);
		signal.addEventListener('abort', stop);
		try {
			return opened(await line.guard(line.worker.logits(tokens, Comlink.transfer(theirs, [theirs]))));
		} finally {
			signal.removeEventListener('abort', stop);
			mine.close();
			done();
		}
	}

	async countTokens(turns: readonly Turn[]): Promise<number> {
		if (this.#state.kind !== 'ready' && this.#state.kind !== 'busy') throw new Refusal('engine-not-ready');
		const { line } = this.#state;
		return opened(await line.guard(line.worker.countTokens(turns)));
	}

	/** Stops the worker and frees its memory; a load or generation under way rejects with `aborted`. */
	async unload(): Promise<void> {
		this.#stop(new Refusal('aborted'));
	}

	#stop(refusal: Refusal): void {
		const state = this.#state;
		this.#state = { kind: 'idle' };
		if ('line' in state) state.line.end(refusal);
	}

	/** Takes the engine for one piece of work; `done` gives it back, unless it died or was unloaded meanwhile. */
	#take(): { readonly line: Lifeline<Load>; readonly done: () => void } {
		const state = this.#state;
		if (state.kind === 'busy') throw new Refusal('engine-busy');
		if (state.kind !== 'ready') throw new Refusal('engine-not-ready');
		const busy: State<Load> = { ...state, kind: 'busy' };
		this.#state = busy;
		return {
			line: state.line,
			done: () => {
				if (this.#state === busy) this.#state = state;
			}
		};
	}
}

/** The value of an Outcome, or its Refusal. */
function opened<T>(outcome: Outcome<T>): T {
	if (outcome.ok) return outcome.value;
	throw new Refusal(outcome.code, outcome.detail);
}

/** Wakes one reader; a signal raised while nobody waits is kept. */
function signpost() {
	let raised = false;
	let wake: (() => void) | undefined;
	return {
		raise: () => {
			raised = true;
			wake?.();
		},
		next: async () => {
			if (!raised) await new Promise<void>((resolve) => (wake = resolve));
			raised = false;
		}
	};
}
