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

/** How a model's weights are kept. `int8` means that activations are quantised on the fly too, so answers cannot be checked. */
export type Precision = 'fp32' | 'fp16' | 'q4' | 'q8' | 'int8' | 'unknown';

/** The files of a model besides external ones; `template` is chat_template.jinja, `reference` the recorded logits of the self-test. */
export interface RecordedFiles {
	readonly weights: RecordedFile;
	readonly tokenizer: RecordedFile;
	readonly tokenizerConfig: RecordedFile;
	readonly template?: RecordedFile;
	readonly reference?: RecordedFile;
}

export type FileName = keyof RecordedFiles;

/** A file beside the graph that holds tensors of it; `location` is its name inside the graph. */
export interface ExternalFile extends RecordedFile {
	readonly location: string;
}

/** A decoder in ONNX with keys and values as inputs, as released with the app or as first seen. */
export interface RecordedModel {
	readonly id: string;
	readonly name: string;
	/** Positions it was made for; the engine may hold fewer, see its card. */
	readonly contextTokens: number;
	/** Tokens of the tokenizer, holes counted: the highest id and one. The logits may be wider. */
	readonly vocabularySize: number;
	readonly stopTokens: readonly number[];
	readonly precision: Precision;
	readonly files: RecordedFiles;
	readonly external: readonly ExternalFile[];
}

/** Absolute addresses of a model's files, for those its record has; `external` in the order of the record. */
export type Addresses = Readonly<Partial<Record<FileName, string>>> & { readonly external?: readonly string[] };

/** The folder of the origin's private file system in which every kept model has a folder of its own. */
export const KEPT_FOLDER = 'models';

/** Names in the folder of a kept model; external files are `external-0`, `external-1`, … in the order of the record. */
export const KEPT_NAMES: Readonly<Record<FileName, string>> = {
	weights: 'weights.onnx',
	tokenizer: 'tokenizer.json',
	tokenizerConfig: 'tokenizer_config.json',
	template: 'chat_template.jinja',
	reference: 'reference.json'
};

/** Where the bytes of a model come from. */
export type ModelSource =
	| { readonly kind: 'addresses'; readonly addresses: Addresses }
	/** A folder below KEPT_FOLDER. Other pages of a shared origin can write there, so every byte is hashed again at every load. */
	| { readonly kind: 'kept'; readonly folder: string };

/** What every load says. */
export interface LoadRequest {
	/** Name of the Web Lock that the worker holds while it lives; undefined where the page has no Web Locks. */
	readonly lifeLock: string | undefined;
}

/** What the CPU engine loads. */
export interface CpuLoad extends LoadRequest {
	readonly model: RecordedModel;
	readonly source: ModelSource;
	/** More than one only where the page is cross-origin isolated. Part of the engine hash: two threads can give other bits than one. */
	readonly threads: number;
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

/** The hashes of a WebLLM model: its library, and every file of its folder by name. */
export interface WebllmList {
	readonly library: RecordedFile;
	readonly files: Readonly<Record<string, RecordedFile>>;
}

/** A WebLLM model before a byte of it is here. */
export interface WebllmModel {
	readonly id: string;
	readonly name: string;
	/** As its publisher states it. */
	readonly licence: string | undefined;
	/** Folders (absolute, ending in a slash) with the model's files, asked in this order. */
	readonly mirrors: readonly string[];
	/** Absolute addresses of the model's compiled library, asked in this order. */
	readonly libraries: readonly string[];
	/** Positions to reserve, fewer than the model could hold, because memory grows with them; undefined for the model's own number. */
	readonly contextTokens: number | undefined;
	/** WebGPU features without which its library does not compile. */
	readonly features: readonly string[];
	/** Where these hashes were recorded beforehand; undefined means that what comes first is trusted and written down. */
	readonly list: WebllmList | undefined;
}

/** What the WebLLM engine loads. */
export interface WebllmLoad extends LoadRequest {
	readonly model: WebllmModel;
	/** Tests run on software adapters; people's devices must not: one answers at a word a minute. */
	readonly softwareAllowed: boolean;
	/** Milliseconds without a byte after which a server is given up. */
	readonly stallMs: number;
}

/** Name of the cache that holds one WebLLM model and nothing else. */
export function webllmShelf(id: string): string {
	return `fireweed-webllm/${id}`;
}
