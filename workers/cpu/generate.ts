/**
 * The step loop: a prompt in, answer tokens out, one at a time, with the step shapes that make an answer replayable.
 *
 * Rule (STEP_SHAPES, part of the engine hash): the prompt runs in chunks of PROMPT_CHUNK tokens counted from position 0, the last one
 * shorter; every answer token runs alone, those of `continueFrom` too. Keys and values are taken from the cache only for whole chunks that an
 * earlier prompt ran with these same shapes; those of an earlier answer never are. So the bits of every logit are a function of
 * (prompt ids, answer ids) alone: a cached run, a continued run and an auditor's replay give what a fresh run gives.
 * Refused: one pass for `continueFrom` (six times faster, but differs by 2e-5, so the text could part from the unbroken run).
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { draw, MAX_CANDIDATES, topCandidates, type Candidate } from '#lib/protocol/sampler.ts';
import type { GenerateEnd, GenerateRequest, Step } from '#lib/ports/engine.ts';
import type { Model, Past } from './model.ts';
import type { Prompt } from './prompt.ts';
import type { TokenReader } from './text.ts';

/** Tokens per pass over a prompt: 32 costs 11 % of speed against 64, and stops, caches and yields twice as finely (57 ms on 2 slow cores). */
export const PROMPT_CHUNK = 32;
/** Names the rule above; a change of the rule changes this and with it every engine hash. */
export const STEP_SHAPES = `prompt-${PROMPT_CHUNK}/answer-1/1`;

/** A prompt that was run, and the state after its first `past.length` tokens (all of them unless it was stopped). */
export interface CachedPrompt {
	/** See GenerateRequest.cacheScope. */
	readonly scope: string;
	readonly ids: readonly number[];
	readonly past: Past;
}

export interface RunInit {
	readonly request: GenerateRequest;
	readonly prompt: Prompt;
	readonly cached: CachedPrompt | undefined;
	readonly stopTokens: readonly number[];
	readonly reader: TokenReader;
}

export interface RunComponents {
	readonly model: Model;
	/** Milliseconds that never go back. */
	monotonic(): number;
	/** Lets the event loop turn, so that a stop can arrive: the library's own promises never leave the microtask queue. */
	breathe(): Promise<void>;
	/** Receives the state of the prompt as soon as it is worth keeping, also when the run is stopped. */
	keep(cached: CachedPrompt): void;
}

/** Tokens of `ids` whose state can be taken from `cached` without changing a bit. At least one token is left to run. */
export function reusable(cached: CachedPrompt | undefined, ids: readonly number[], scope: string | undefined): number {
	if (cached === undefined || cached.scope !== scope) return 0;
	const most = Math.min(cached.past.length, ids.length - 1);
	let common = 0;
	while (common < most && cached.ids[common] === ids[common]) common++;
	return common - (common % PROMPT_CHUNK);
}

/** Streams the steps and returns the end; never throws on abort. Refusals: `engine-failed`, `out-of-memory`. */
export async function* run(
	{ request, prompt, cached, stopTokens, reader }: RunInit,
	{ model, monotonic, breathe, keep }: RunComponents,
	signal: { readonly aborted: boolean }
): AsyncGenerator<Step, GenerateEnd, void> {
	const { continueFrom, sampling, seed, minTokens, maxTokens, cacheScope } = request;
	const cachedTokens = reusable(cached, prompt.ids, cacheScope);
	const started = monotonic();
	let position = continueFrom.length;
	let prefilled: number | undefined = undefined;
	const end = (reason: GenerateEnd['reason']): GenerateEnd => ({
		reason,
		promptTokens: prompt.ids.length + continueFrom.length,
		cachedTokens,
		droppedTurns: prompt.droppedTurns,
		tokens: position - continueFrom.length,
		prefillMs: (prefilled ?? monotonic()) - started,
		decodeMs: prefilled === undefined ? 0 : monotonic() - prefilled
	});

	let past = cached === undefined || cachedTokens === 0 ? model.empty : model.cut(cached.past, cachedTokens);
	let logits = new Float32Array(0);
	const widths = [...promptWidths(prompt.ids.length - cachedTokens), ...continueFrom.map(() => 1)];
	const known = [...prompt.ids, ...continueFrom];
	for (const width of widths) {
		await breathe();
		if (signal.aborted) return end('aborted');
		const forward = await model.forward(known.slice(past.length, past.length + width), past);
		past = forward.past;
		logits = forward.rows.at(-1) as Float32Array<ArrayBuffer>;
		if (cacheScope !== undefined && past.length <= prompt.ids.length)
			keep({ scope: cacheScope, ids: prompt.ids, past });
	}
	for (const token of continueFrom) reader.push(token);
	prefilled = monotonic();

	for (;;) {
		await breathe();
		if (signal.aborted) return end('aborted');
		const ranked = topCandidates(logits, MAX_CANDIDATES, position < minTokens ? stopTokens : []);
		const token = draw(ranked, sampling, seed, position);
		if (stopTokens.includes(token)) return end('stop');
		yield { position, token, text: reader.push(token), ...columns(ranked) };
		position++;
		if (position === maxTokens) return end('length');
		if (signal.aborted) return end('aborted');
		const forward = await model.forward([token], past);
		past = forward.past;
		logits = forward.rows[0] as Float32Array<ArrayBuffer>;
	}
}

/** Widths of the passes over `tokens` tokens that begin at a chunk border. */
export function promptWidths(tokens: number): number[] {
	const whole = Math.floor(tokens / PROMPT_CHUNK);
	const rest = tokens % PROMPT_CHUNK;
	return [...new Array<number>(whole).fill(PROMPT_CHUNK), ...(rest === 0 ? [] : [rest])];
}

/** Candidates as the two columns that travel. */
export function columns(ranked: readonly Candidate[]): Pick<Step, 'topIds' | 'topLogits'> {
	return {
		topIds: Uint32Array.from(ranked, (candidate) => candidate.id),
		topLogits: Float32Array.from(ranked, (candidate) => candidate.logit)
	};
}

/** Refusal `malformed` for a request whose numbers make no sense. */
export function checkRequest(request: GenerateRequest, vocabularySize: number, stopTokens: readonly number[]): void {
	const { continueFrom, seed, sampling, minTokens, maxTokens, cacheScope } = request;
	const wrong = (what: string) => new Refusal('malformed', what);
	const within = (value: number, least: number, most: number) =>
		Number.isSafeInteger(value) && value >= least && value <= most;
	if (!(seed instanceof Uint8Array) || seed.length !== 32) throw wrong('seed');
	if (!within(sampling.temperatureMilli, 0, 2000)) throw wrong('temperatureMilli');
	if (!within(sampling.topK, 1, MAX_CANDIDATES)) throw wrong('topK');
	if (!within(sampling.topPMilli, 1, 1000)) throw wrong('topPMilli');
	if (!within(maxTokens, 1, 2 ** 31)) throw wrong('maxTokens');
	if (!within(minTokens, 0, maxTokens)) throw wrong('minTokens');
	if (cacheScope !== undefined && typeof cacheScope !== 'string') throw wrong('cacheScope');
	if (continueFrom.length >= maxTokens) throw wrong('continueFrom is longer than the answer may be');
	if (!continueFrom.every((token) => within(token, 0, vocabularySize - 1) && !stopTokens.includes(token))) {
		throw wrong('continueFrom');
	}
}
