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
	/**
	 * Whether a check can tell an honest run from another model. False for activations quantised on the fly: there an honest prefill
	 * differs from an honest decode as much as a wrong model does, so such a model serves this device only.
	 */
	readonly verifiable: boolean;
}

export interface LoadProgress {
	readonly stage: 'fetching' | 'preparing' | 'checking';
	readonly loadedBytes: number;
	/** Undefined when the server does not say. */
	readonly totalBytes: number | undefined;
	/** Of late, while fetching; undefined until it can be told. */
	readonly bytesPerSecond: number | undefined;
	/** Until everything is fetched; undefined until it can be told. */
	readonly secondsLeft: number | undefined;
}

/** What an engine proved before it said "ready". */
export interface SelfTest {
	/** `reference`: against logits that were released with the model; `consistency`: its own prefill at three cuts against its own steps. */
	readonly kind: 'reference' | 'consistency';
	/** Positions compared, 64 at least. */
	readonly positions: number;
	/** The largest difference of a logit seen, and the largest that passes. */
	readonly worst: number;
	readonly tolerance: number;
}

/** What computes, as far as the browser tells. */
export interface Device {
	/** Threads of a CPU engine; 1 for one on the GPU. */
	readonly threads: number;
	/** Vendor and architecture of the graphics adapter, e.g. `nvidia hopper`; undefined on a CPU. */
	readonly adapter: string | undefined;
	readonly f16: boolean;
	readonly subgroups: boolean;
}

export interface EngineReady {
	readonly card: ModelCard;
	/** Measured at load by a short real generation; tokens per second. */
	readonly tokensPerSecond: number;
	readonly loadMs: number;
	readonly selfTest: SelfTest;
	readonly device: Device;
}

export interface GenerateRequest {
	readonly turns: readonly Turn[];
	/**
	 * Answer tokens that already exist (shown to the person by an earlier run); they are run after the prompt, not emitted again, and
	 * positions go on counting after them. Within a bit-exact class the answer goes on as the unbroken run would have.
	 */
	readonly continueFrom: readonly number[];
	/** 32 bytes; see protocol/sampler. */
	readonly seed: Uint8Array;
	readonly sampling: Sampling;
	/** Stop tokens are masked before this many answer tokens (continueFrom counted in). */
	readonly minTokens: number;
	/** The answer ends here at the latest (continueFrom counted in). */
	readonly maxTokens: number;
	/**
	 * Whose prompt this is. State kept from an earlier prompt is used only for one of the same scope; without a scope none is used and none
	 * kept. Jobs of strangers have none: a shared cache would tell one asker, by its time and by `cachedTokens`, what another asked.
	 */
	readonly cacheScope?: string;
}

/** One answer token; the stop token that ends an answer is not one. `position` counts answer tokens from 0 (continueFrom counted in). */
export interface Step {
	readonly position: number;
	readonly token: number;
	/** Text that became complete with this token; may be empty in the middle of a character. Never holds half a character. */
	readonly text: string;
	/**
	 * The 20 largest logits at this position, ties by lower id first, in falling order; masked stop tokens are left out, so that the draw can
	 * be replayed from these alone.
	 */
	readonly topIds: Uint32Array;
	readonly topLogits: Float32Array;
}

export interface GenerateEnd {
	readonly reason: 'stop' | 'length' | 'aborted';
	/** Tokens that stood before the first new one: the prompt as it was run, and continueFrom. */
	readonly promptTokens: number;
	/** Prompt tokens whose keys and values were still cached from an earlier run. */
	readonly cachedTokens: number;
	/** Turns left out because prompt and answer did not fit the context, by the rule of protocol/truncation; 0 normally. */
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
	/**
	 * Idempotent: a second call while loading or ready shares the first result. Rejects with a Refusal; may be tried again:
	 * `aborted`, `engine-load-failed`, `weights-corrupt`, `model-unsupported`, `no-graphics`, `self-test-failed`, `out-of-memory`,
	 * `storage-full`, `device-lost`, `engine-failed`.
	 */
	load(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady>;
	/**
	 * Streams steps; returns the end. Aborting the signal ends the stream within one step with reason `aborted` (no throw).
	 * Leaving the loop early stops the engine too; it is free again when the generator has returned.
	 * Prompt and maxTokens must fit the context together: older rounds are dropped for it, the last turn never.
	 * Refusals, at the first `next()`: `engine-not-ready`, `engine-busy`, `prompt-too-long`, `malformed`; then `engine-failed`, `out-of-memory`,
	 * `device-lost`, `aborted` when it is unloaded meanwhile.
	 */
	generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Step, GenerateEnd, void>;
	/**
	 * Teacher-forced top-20 logits of every position of `tokens`, run as a prompt is, for self-tests and audits; nothing is masked.
	 * Refusals as of `generate`, and `aborted`.
	 */
	logits(tokens: readonly number[], signal: AbortSignal): Promise<readonly TopLogits[]>;
	/** Number of tokens the turns take with the template, answer prompt included; nothing is dropped. Refusals: `engine-not-ready`, `malformed`. */
	countTokens(turns: readonly Turn[]): Promise<number>;
	/** Frees the model; what is under way rejects with `aborted`. */
	unload(): Promise<void>;
}
