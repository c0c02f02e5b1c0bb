/**
 * The step loop over WebLLM: token ids in, logits and drawn tokens out, one pass at a time, by its public `forwardTokensAndSample`.
 *
 * Rule (STEP_SHAPES, part of the engine hash): the state is cleared, the prompt runs in passes of PROMPT_CHUNK tokens from position 0, the last
 * one shorter; every answer token runs alone, those of `continueFrom` too. Nothing is kept from one answer to the next: the package can only
 * clear its state, not cut it back to a prompt.
 */
import type { GenerateEnd, GenerateRequest, Step } from '#lib/ports/engine.ts';
import { columns } from '../cpu/generate.ts';
import type { Prompt } from '../cpu/prompt.ts';
import type { TokenReader } from '../cpu/text.ts';
import type { Aborted } from '../serve.ts';
import type { Order, Seen } from './sampling.ts';

/** A stop waits for one pass at most; 256 tokens keep a graphics device busy, and take a second on a slow one. */
export const PROMPT_CHUNK = 256;
/** Names the rule above; a change of the rule changes this and with it every engine hash. */
export const STEP_SHAPES = `prompt-${PROMPT_CHUNK}/answer-1/1`;

/** A loaded model, as passes over one growing state. */
export interface Passes {
	/** Forgets all positions. */
	clear(): Promise<void>;
	/** Runs tokens after those that ran before; `order` is for the logits of the last of them. */
	run(tokens: readonly number[], order: Order): Promise<Seen>;
}

export interface StepsInit {
	readonly request: GenerateRequest;
	readonly prompt: Prompt;
	readonly stopTokens: readonly number[];
	readonly reader: TokenReader;
	/** Tokens per pass over the prompt. */
	readonly chunk: number;
}

export interface StepsComponents {
	readonly passes: Passes;
	monotonic(): number;
	/** Lets the event loop turn, so that a stop can arrive. */
	breathe(): Promise<void>;
}

/** Streams the steps and returns the end; never throws on abort. */
export async function* steps(
	{ request, prompt, stopTokens, reader, chunk }: StepsInit,
	{ passes, monotonic, breathe }: StepsComponents,
	signal: Aborted
): AsyncGenerator<Step, GenerateEnd, void> {
	const { continueFrom, sampling, seed, minTokens, maxTokens } = request;
	const started = monotonic();
	let position = continueFrom.length;
	let prefilled: number | undefined = undefined;
	const end = (reason: GenerateEnd['reason']): GenerateEnd => ({
		reason,
		promptTokens: prompt.ids.length + continueFrom.length,
		cachedTokens: 0,
		droppedTurns: prompt.droppedTurns,
		tokens: position - continueFrom.length,
		prefillMs: (prefilled ?? monotonic()) - started,
		decodeMs: prefilled === undefined ? 0 : monotonic() - prefilled
	});
	const order = (): Order => ({
		kind: 'draw',
		sampling,
		seed,
		position,
		masked: position < minTokens ? stopTokens : []
	});

	await breathe();
	if (signal.aborted) return end('aborted');
	await passes.clear();
	const known = [...chunks(prompt.ids, chunk), ...continueFrom.map((token) => [token])];
	let seen: Seen | undefined;
	for (const [i, tokens] of known.entries()) {
		await breathe();
		if (signal.aborted) return end('aborted');
		seen = await passes.run(tokens, i === known.length - 1 ? order() : { kind: 'skip' });
	}
	for (const token of continueFrom) reader.push(token);
	prefilled = monotonic();

	for (;;) {
		await breathe();
		if (signal.aborted || seen === undefined) return end('aborted');
		const { token, ranked } = seen;
		if (stopTokens.includes(token)) return end('stop');
		yield { position, token, text: reader.push(token), ...columns(ranked) };
		position++;
		if (position === maxTokens) return end('length');
		if (signal.aborted) return end('aborted');
		seen = await passes.run([token], order());
	}
}

/** `tokens` cut into passes. */
export function chunks(tokens: readonly number[], size: number): number[][] {
	return Array.from({ length: Math.ceil(tokens.length / size) }, (_, i) => tokens.slice(i * size, (i + 1) * size));
}
