/** One piece of work and all who wait for it: each may leave, and when the last one has left it is stopped. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';

type Report = (progress: LoadProgress) => void;

export interface Shareable<T> {
	/** Never unhandled: those who wait are told. */
	readonly result: Promise<T>;
	/** Waits for it. Refusal `aborted` as soon as `signal` fires, whatever becomes of the work. */
	join(onProgress: Report, signal: AbortSignal): Promise<T>;
	/** It was told to stop; who wants the work now begins another. */
	readonly stopped: boolean;
	/** Stops it for everybody. */
	stop(): void;
}

/** Begins the work, in a later turn: who joins at once misses no report. */
export function shareable<T>(work: (report: Report, signal: AbortSignal) => Promise<T>): Shareable<T> {
	const stopping = new AbortController();
	const waiting = new Set<Report>();
	const report: Report = (progress) => {
		for (const each of waiting) each(progress);
	};
	const result = Promise.resolve().then(() => work(report, stopping.signal));
	result.catch(() => undefined);
	return {
		result,
		get stopped() {
			return stopping.signal.aborted;
		},
		stop: () => stopping.abort(),
		async join(onProgress, signal) {
			// A function of its own, so that one callback given twice is two who wait.
			const report: Report = (progress) => onProgress(progress);
			waiting.add(report);
			const left = new AbortController();
			const aborted = new Promise<never>((_, reject) => {
				const leave = () => reject(new Refusal('aborted'));
				if (signal.aborted) leave();
				signal.addEventListener('abort', leave, { signal: left.signal });
			});
			try {
				return await Promise.race([result, aborted]);
			} finally {
				left.abort();
				waiting.delete(report);
				if (waiting.size === 0) stopping.abort();
			}
		}
	};
}
