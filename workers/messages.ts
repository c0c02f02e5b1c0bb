/**
 * What passes between a page and its engine worker: types, and the two numbers both sides keep to.
 *
 * A worker cannot throw a Refusal: structured clone drops the fields of errors, and comlink passes on only name, message and stack.
 * So every reply is an Outcome, and the page makes the Refusal again (habit 10).
 */
import type {
	EngineReady,
	GenerateEnd,
	GenerateRequest,
	LoadProgress,
	Step,
	TopLogits,
	Turn
} from '#lib/ports/engine.ts';
import type { Code } from '#lib/protocol/errors.ts';

export type Outcome<T> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly code: Code; readonly detail: string | undefined };

/** A file as it was released: SHA-256 in hex and length in bytes. Anything else that comes under its name is refused. */
export interface RecordedFile {
	readonly sha256: string;
	readonly bytes: number;
}

/** The files an engine on ONNX Runtime needs; `runtime` is the wasm of the library itself. */
export type FileName = 'runtime' | 'weights' | 'tokenizer' | 'tokenizerConfig' | 'reference';

/** What is known of a model before a byte of it is here. */
export interface RecordedModel {
	readonly id: string;
	readonly name: string;
	readonly contextTokens: number;
	readonly vocabularySize: number;
	readonly stopTokens: readonly number[];
	readonly files: Readonly<Record<FileName, RecordedFile>>;
}

/** Absolute addresses of the model's files. Where the library's own wasm lies, the worker that is built with it knows. */
export type Addresses = Readonly<Record<Exclude<FileName, 'runtime'>, string>>;

/** What every load says. */
export interface LoadRequest {
	/** Name of the Web Lock that the worker holds while it lives; undefined where the page has no Web Locks. */
	readonly lifeLock: string | undefined;
}

/** What the CPU engine loads. */
export interface CpuLoad extends LoadRequest {
	readonly model: RecordedModel;
	readonly addresses: Addresses;
}

/** How far a load is, as a worker knows it; the page adds the pace. */
export type WorkerProgress = Omit<LoadProgress, 'bytesPerSecond' | 'secondsLeft'>;

/** Worker to page, on the port that came with a call. `end` is the last message of a generation; order on one port is kept. */
export type FromWorker =
	| { readonly kind: 'alive' }
	| { readonly kind: 'progress'; readonly progress: WorkerProgress }
	| { readonly kind: 'step'; readonly step: Step }
	| { readonly kind: 'end'; readonly outcome: Outcome<GenerateEnd> };

/** Page to worker, on the same port. `taken` counts the steps that the reader has had so far. */
export type ToWorker = { readonly kind: 'abort' } | { readonly kind: 'taken'; readonly steps: number };

/**
 * Steps the worker makes ahead of its reader before it waits: one interval between checkpoints. A reader that stops reading, because its own
 * asker stopped acknowledging, must not be worked for to the end.
 */
export const STEPS_AHEAD = 32;
/** The reader says this often how far it is; a quarter of what may be ahead keeps the worker from ever waiting for a reader that reads. */
export const TAKEN_EVERY = 8;

/** What an engine's worker exposes through comlink (workers/serve.ts). No call rejects except when the worker itself is broken. */
export interface EngineWorker<Load extends LoadRequest> {
	load(request: Load, port: MessagePort): Promise<Outcome<EngineReady>>;
	/** Resolves when the generation has begun or was refused; steps and the end come on the port. */
	generate(request: GenerateRequest, port: MessagePort): Promise<void>;
	logits(tokens: readonly number[], port: MessagePort): Promise<Outcome<readonly TopLogits[]>>;
	countTokens(turns: readonly Turn[]): Promise<Outcome<number>>;
}
