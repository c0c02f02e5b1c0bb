/** What the CPU engine can hold and how long it may be silent: pure rules, for the page, its worker and whoever asks before downloading. */
import type { RecordedModel } from '#workers/messages.ts';

const MIB = 2 ** 20;

/**
 * Weights in all files together. A WebAssembly memory ends at 4 GiB; while a session is made, the weights lie in it as a file and again as
 * tensors, unpacked for the kernels.
 */
export const MOST_WEIGHT_BYTES = 2048 * MIB;
/**
 * Keys and values of a whole context. They lie in memory several times while a step runs (before, after, the library's own, the cached prompt),
 * and are copied at every step.
 */
const MOST_STATE_BYTES = 256 * MIB;
/** Below this, threads wait for each other longer than they compute: 428 against 154 tokens per second for the pocket model on two. */
const WORTH_THREADS_BYTES = 64 * MIB;
/** Beyond it, memory and not arithmetic sets the pace. */
const MOST_THREADS = 8;
/** Bytes that a slow phone can read, hash, copy and unpack in one second, without a sign of life between. */
const BYTES_PER_SILENT_SECOND = 16 * MIB;
/** A step takes 15 ms here and a chunk of a prompt 60 for the pocket model; a phone ten times slower and busy stays far below this. */
const LEAST_SILENT_SECONDS = 20;

/** Everything that holds weights, in bytes. */
export function weightBytes({ files, external }: Pick<RecordedModel, 'files' | 'external'>): number {
	return external.reduce((sum, { bytes }) => sum + bytes, files.weights.bytes);
}

/** Positions of a context of `positions` that this engine holds when each takes `stateBytes` of keys and values. Whole prompt passes. */
export function contextFor(positions: number, stateBytes: number): number {
	if (positions * stateBytes <= MOST_STATE_BYTES) return positions;
	const held = Math.floor(MOST_STATE_BYTES / stateBytes);
	return Math.max(1, held - (held % 32));
}

/** Threads for a model of `bytes` bytes of weights on a device of `cores` cores: one where memory cannot be shared or it is not worth it. */
export function threadsFor(bytes: number, cores: number, isolated: boolean): number {
	if (!isolated || bytes < WORTH_THREADS_BYTES) return 1;
	// Browsers count two cores for every real one, and the second does little for arithmetic; of two, both are taken.
	return Math.min(MOST_THREADS, cores < 2 ? 1 : Math.max(2, Math.ceil(cores / 2)));
}

/** Seconds of silence after which the worker of such a model is given up: it cannot say that it lives while the library works. */
export function silentSecondsFor(bytes: number): number {
	return LEAST_SILENT_SECONDS + Math.ceil(bytes / BYTES_PER_SILENT_SECOND);
}
