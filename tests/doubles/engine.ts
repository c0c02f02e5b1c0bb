/**
 * An engine that runs no model but keeps the port's promises on a clock: its logits are a pure function of the prompt and the tokens so
 * far, its draws are the real sampler's, so two of them form a bit-exact class.
 */
import type { Clock } from '#lib/ports/clock.ts';
import type {
	Engine,
	EngineReady,
	GenerateEnd,
	GenerateRequest,
	LoadProgress,
	ModelCard,
	Step,
	TopLogits,
	Turn
} from '#lib/ports/engine.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { draw, MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { Digest } from './digest.ts';

export interface ScriptedEngineInit {
	readonly clock: Clock;
	readonly tokensPerSecond?: number;
	/** Fails with this code when the answer reaches that position. */
	readonly failAt?: { readonly position: number; readonly code: Code };
	/** Never produces this position. */
	readonly stallAt?: number;
	/** Tells other tokens than it should from that position on. */
	readonly lieFrom?: number;
	/** Takes this much longer for a position, ms. */
	readonly pauseMs?: (position: number) => number;
	/** Another build computes the same tokens but is of another bit-exact class. */
	readonly build?: string;
	readonly modelId?: string;
	/** False for a model whose answers cannot be checked. */
	readonly verifiable?: boolean;
	/** How long a load takes, ms. */
	readonly loadMs?: number;
	/** Asked before every step: a code ends the run with it, and what ran the model is gone until it is loaded again. */
	readonly dies?: (position: number) => Code | undefined;
	/** Called when a run begins; `tokens` grows with it and begins with those it was given. For checkers. */
	readonly ran?: (request: GenerateRequest, tokens: readonly number[]) => void;
}

const VOCABULARY = 64;
const STOP = 0;

export class ScriptedEngine implements Engine {
	readonly id: string;
	readonly #init: ScriptedEngineInit;
	#state: Engine['state'] = 'idle';
	/** Steps the model really took, to show what a stop saves. */
	steps = 0;

	constructor(init: ScriptedEngineInit) {
		this.#init = init;
		this.id = init.modelId ?? 'scripted';
	}

	get state(): Engine['state'] {
		return this.#state;
	}

	get card(): ModelCard {
		const hash = (label: string) => sha256(utf8ToBytes(`${this.id}/${label}`));
		return {
			id: this.id,
			name: 'Scripted',
			weightsHash: hash('weights'),
			tokenizerHash: hash('tokenizer'),
			templateHash: hash('template'),
			engineHash: hash(`engine${this.#init.build ?? ''}`),
			// Two of them draw alike, which in the world only one thread of WebAssembly promises.
			engineClass: 'scripted-wasm-1t',
			contextTokens: 4096,
			vocabularySize: VOCABULARY,
			stopTokens: [STOP],
			verifiable: this.#init.verifiable ?? true
		};
	}

	get tokensPerSecond(): number {
		return this.#init.tokensPerSecond ?? 50;
	}

	async load(onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<EngineReady> {
		if (signal.aborted) throw new Refusal('aborted');
		const { clock, loadMs = 0 } = this.#init;
		if (this.#state !== 'busy' && this.#state !== 'ready') {
			this.#state = 'loading';
			if (loadMs > 0) await clock.sleep(loadMs, signal);
			this.#state = 'ready';
		}
		onProgress({ stage: 'fetching', loadedBytes: 1, totalBytes: 1, bytesPerSecond: undefined, secondsLeft: undefined });
		return {
			card: this.card,
			tokensPerSecond: this.tokensPerSecond,
			loadMs,
			selfTest: { kind: 'reference', positions: 64, worst: 0, tolerance: 0 },
			device: { threads: 1, adapter: undefined, f16: false, subgroups: false }
		};
	}

	async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<Step, GenerateEnd, void> {
		if (this.#state === 'busy') throw new Refusal('engine-busy');
		if (this.#state !== 'ready') throw new Refusal('engine-not-ready');
		this.#state = 'busy';
		const started = this.#init.clock.monotonic();
		const promptTokens = (await this.countTokens(request.turns)) + request.continueFrom.length;
		const tokens = [...request.continueFrom];
		const script = new Script(request.turns);
		for (const token of tokens) script.push(token);
		let dead = false;
		this.#init.ran?.(request, tokens);
		const end = (reason: GenerateEnd['reason']): GenerateEnd => ({
			reason,
			promptTokens,
			cachedTokens: 0,
			droppedTurns: 0,
			tokens: tokens.length - request.continueFrom.length,
			prefillMs: 1,
			decodeMs: this.#init.clock.monotonic() - started
		});
		try {
			while (tokens.length < request.maxTokens) {
				const position = tokens.length;
				if (this.#init.stallAt === position) await this.#init.clock.sleep(1e9, signal).catch(() => undefined);
				else {
					const { clock, pauseMs = () => 0 } = this.#init;
					await clock.sleep(1000 / this.tokensPerSecond + pauseMs(position), signal).catch(() => undefined);
				}
				if (signal.aborted) return end('aborted');
				if (this.#init.failAt?.position === position) throw new Refusal(this.#init.failAt.code);
				const death = this.#init.dies?.(position);
				if (death !== undefined) {
					dead = true;
					throw new Refusal(death);
				}
				this.steps++;
				const ranked = topCandidates(script.logits(), MAX_CANDIDATES, position < request.minTokens ? [STOP] : []);
				const honest = draw(ranked, request.sampling, request.seed, position);
				const { lieFrom = Infinity } = this.#init;
				const token = position < lieFrom ? honest : 1 + (honest % (VOCABULARY - 1));
				if (token === STOP) return end('stop');
				tokens.push(token);
				script.push(token);
				yield {
					position,
					token,
					text: `w${token} `,
					topIds: Uint32Array.from(ranked, (candidate) => candidate.id),
					topLogits: Float32Array.from(ranked, (candidate) => candidate.logit)
				};
			}
			return end('length');
		} finally {
			this.#state = dead ? 'idle' : 'ready';
		}
	}

	async logits(): Promise<readonly TopLogits[]> {
		return [];
	}

	async countTokens(turns: readonly Turn[]): Promise<number> {
		return turns.reduce((sum, turn) => sum + turn.content.split(/\s+/).length + 2, 1);
	}

	async unload(): Promise<void> {
		this.#state = 'idle';
	}
}

/** Logits of the next token: 64 numbers that depend on the prompt and every token of the answer so far. */
export function scriptedLogits(turns: readonly Turn[], tokens: readonly number[]): Float32Array {
	const script = new Script(turns);
	for (const token of tokens) script.push(token);
	return script.logits();
}

/** The scripted model as it runs: the same numbers, without beginning anew at every token. */
export class Script {
	readonly #digest = new Digest();

	constructor(turns: readonly Turn[]) {
		this.#digest.text(JSON.stringify(turns));
	}

	push(token: number): void {
		this.#digest.number(token);
	}

	logits(): Float32Array {
		const state = this.#digest.value();
		return Float32Array.from({ length: VOCABULARY }, (_, id) => {
			const byte = state[id % 8] as number;
			return ((Math.imul(byte + 1, id + 7) + Math.imul(state[(id >>> 3) % 8] as number, 31)) % 97) / 12;
		});
	}
}

/** What the model would say from `tokens` on, without any engine: the checker's own reading of it. */
export function scriptedAnswer(
	request: Pick<GenerateRequest, 'turns' | 'sampling' | 'seed' | 'minTokens'>,
	given: readonly number[],
	length: number
): number[] {
	const tokens = [...given];
	const script = new Script(request.turns);
	for (const token of tokens) script.push(token);
	while (tokens.length < length) {
		const ranked = topCandidates(script.logits(), MAX_CANDIDATES, tokens.length < request.minTokens ? [STOP] : []);
		const token = draw(ranked, request.sampling, request.seed, tokens.length);
		if (token === STOP) break;
		tokens.push(token);
		script.push(token);
	}
	return tokens;
}
