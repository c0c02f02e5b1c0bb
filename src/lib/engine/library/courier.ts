/** Carries calls to the library's worker, which runs only while there is a call. */
import * as Comlink from 'comlink';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { Outcome, ToWorker } from '#workers/messages.ts';
import { startLifeline, type Lifeline, type LifelineComponents } from '../lifeline.ts';
import { paced } from '../pace.ts';
import type { LibraryWorker } from './calls.ts';

/** It hashes a megabyte between two signs of life at most. */
const SILENT_TICKS = 20;

/** The worker of this build. Vite finds it by exactly this expression. */
export function startLibraryWorker(): Worker {
	return new Worker(new URL('../../../../workers/library.ts', import.meta.url), {
		type: 'module',
		name: 'fireweed-library'
	});
}

/** Makes one call. `port` carries progress and the abort; hand it over with `Comlink.transfer`. */
export type Call<T> = (worker: LibraryWorker, port: MessagePort) => Promise<Outcome<T>>;

export interface Courier {
	/** Refusals: those of the call; `engine-load-failed` when the worker dies; `aborted`. */
	carry<T>(call: Call<T>, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<T>;
	/** Stops the worker; calls under way reject with `aborted`. */
	close(): void;
}

export function openCourier(components: LifelineComponents): Courier {
	const state: { line: Promise<Lifeline<never>> | undefined; calls: number } = { line: undefined, calls: 0 };

	async function begin(): Promise<Lifeline<never>> {
		const onDeath = () => (state.line = undefined);
		const line = startLifeline<never>(components, { silentTicks: SILENT_TICKS, onDeath });
		if (line.lockName !== undefined) {
			await line.guard(workerOf(line).hold(line.lockName));
			line.watchLock();
		}
		return line;
	}

	function end(): void {
		const ending = state.line;
		state.line = undefined;
		void ending?.then(
			(line) => line.end(new Refusal('aborted')),
			() => undefined
		);
	}

	return {
		async carry(call, onProgress, signal) {
			if (signal.aborted) throw new Refusal('aborted');
			state.calls++;
			const pace = paced(() => components.clock.monotonic());
			try {
				const line = await (state.line ??= begin());
				const { mine, theirs } = line.openPort((message) => {
					if (message.kind === 'progress') onProgress(pace(message.progress));
				});
				const stop = () => mine.postMessage({ kind: 'abort' } satisfies ToWorker);
				signal.addEventListener('abort', stop);
				if (signal.aborted) stop();
				try {
					const outcome = await line.guard(call(workerOf(line), Comlink.transfer(theirs, [theirs])));
					if (outcome.ok) return outcome.value;
					throw new Refusal(outcome.code, outcome.detail);
				} finally {
					signal.removeEventListener('abort', stop);
					mine.close();
				}
			} catch (error) {
				// A dead worker is an engine's failure elsewhere; here it means that nothing was brought.
				if (codeOf(error) === 'engine-failed') throw new Refusal('engine-load-failed', 'the worker is gone');
				throw error;
			} finally {
				if (--state.calls === 0) end();
			}
		},
		close: end
	};
}

/** The lifeline's own type is that of an engine's worker; what it does for one it does for any. */
function workerOf(line: Lifeline<never>): LibraryWorker {
	return line.worker as unknown as LibraryWorker;
}
