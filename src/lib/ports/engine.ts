/**
 * What the story needs from something that can run a model.
 *
 * An engine holds one model at a time and runs one generation at a time; callers queue. Every failure is a
 * `Refusal` (see protocol/errors) with a code from the closed list, never a bare string.
 */
import type { Sampling } from '#lib/protocol/sampler.ts';

/** One turn of a conversation, as the chat template knows it. */
export interface Turn {
	readonly role: 'system' | 'user' | 'assistant';
	readonly content: string;
}

/** The facts of one model as one engine runs it. Hashes are SHA-256, 32 bytes. */
export interface ModelCard {
	/** Stable id shown on screen and matched by policies, e.g. `pocket-5m-q4`. */
	readonly id: string;
	readonly name: string;
	readonly weightsHash: Uint8Array;
	readonly tokenizerHash: Uint8Array;
	readonly templateHash: Uint8Array;
	/** Hash of the engine library (its code and wasm), with step shape: the bit-exact class of protocol.md 5. */
	readonly engineHash: Uint8Array;
	/** e.g. `ort-wasm-1t`. */
	readonly engineClass: string;
	/** Positions the model can hold, prompt and answer together. */
	readonly contextTokens: number;
	readonly vocabularySize: number;
	/** Tokens that end an answer. */
	readonly stopTokens: readonly number[];
}

export interface LoadProgress {
	readonly stage: 'fetching' | 'preparing' | 'checking';
	readonly loadedBytes: number;
	/** Undefined when the server does not say. */
	readonly totalBytes: number | undefined;
}

export interface EngineReady {
	readonly card: ModelCard;
	/** Measured at load by a short real generation; tokens per second. */
	readonly tokensPerSecond: number;
	readonly loadMs: number;
}

export interface GenerateRequest {
	readonly turns: readonly Turn[];
	/**
	 * Answer tokens that already exist (shown to the person by an earlier run); they are prefilled after the prompt, not emitted
	 * again, and positions go on counting after them.
	 */
	readonly continueFrom: readonly number[];
	/** 32 bytes; see protocol/sampler. */
	readonly seed: Uint8Array;
	readonly sampling: Sampling;
	/** Stop tokens are masked before this many answer tokens (continueFrom counted in). */
	readonly minTokens: number;
	/** The answer ends here at the latest (continueFrom counted in). */
	readonly maxTokens: number;
}

/** One answer token. `position` counts answer tokens from 0 (continueFrom counted in). */
export interface Step {
	readonly position: number;
	readonly token: number;
	/** Text that became complete with this token; may be empty in the middle of a character. Never holds half a character. */
	readonly text: string;
	/** The 20 largest logits at this position, ties by lower id first, in falling order. */
	readonly topIds: Uint32Array;
	readonly topLogits: Float32Array;
}

export interface GenerateEnd {
	readonly reason: 'stop' | 'length' | 'aborted';
	readonly promptTokens: number;
	/** Prompt tokens whose keys and values were still cached from an earlier run. */
	readonly cachedTokens: number;
	/** Turns dropped from the front because prompt and answer did not fit the context; 0 normally. */
	readonly droppedTurns: number;
	/** Answer tokens emitted by this call. */
	readonly tokens: number;
	readonly prefillMs: number;
	readonly decodeMs: number;
}

/** Teacher-forced logits of one position. */
export interface TopLogits {
	readonly topIds: Uint32Array;
	readonly topLogits: Float32Array;
	readonly logSumExp: number;
}

export interface Engine {
	/** What would be loaded; hashes may be known only after load. */
	readonly id: string;
	readonly state: 'idle' | 'loading' | 'ready' | 'busy' | 'failed';
	/** Idempotent: a second call while loading or ready shares the first result. Rejects with a Refusal; may be tried again. */
	load(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady>;
	/**
	 * Streams steps; returns the end. Aborting the signal ends the stream within one step with reason `aborted` (no throw).
	 * Refusals: `engine-not-ready`, `engine-busy`, `prompt-too-long`, `engine-failed`.
	 */
	generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Step, GenerateEnd, void>;
	/** Teacher-forced top-20 logits of every position of `tokens` (one prefill), for self-tests and audits. */
	logits(tokens: readonly number[], signal: AbortSignal): Promise<readonly TopLogits[]>;
	/** Number of tokens the turns take with the template, answer prompt included. */
	countTokens(turns: readonly Turn[]): Promise<number>;
	unload(): Promise<void>;
}
