/**
 * The CPU engine without its worker: the same code runs in the browser's worker and in Node. One model, one generation at a time.
 * Bytes, time and the event loop are handed in.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { exp, log } from '#lib/protocol/real.ts';
import { MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import type { ModelCard, TopLogits } from '#lib/ports/engine.ts';
import type { RecordedModel } from '../messages.ts';
import { oneAtATime } from '../alone.ts';
import type { Aborted, Core } from '../serve.ts';
import type { Bytes, ModelBytes } from './files.ts';
import { checkRequest, columns, promptWidths, run, type CachedPrompt } from './generate.ts';
import type { GraphDescription } from './graph.ts';
import type { Model } from './model.ts';
import { cardOf, here, json, openGraph, openWords, verifyAll } from './opened.ts';
import type { PromptMaker } from './prompt.ts';
import { checkConsistency, CONSISTENCY_TOLERANCE } from './consistency.ts';
import { checkReference, parseReference } from './reference.ts';
import { openModel } from './session.ts';
import type { Text } from './text.ts';

export interface CoreComponents {
	readonly threads: number;
	/** Milliseconds that never go back. */
	monotonic(): number;
	/** Lets the event loop turn once. */
	breathe(): Promise<void>;
	/** Told when the bytes are verified and the model open, before the self-test. */
	onChecking?(): void;
}

/**
 * Verifies every byte against the record, opens the model and lets it pass its self-test.
 * Refusals: `weights-corrupt`, `model-unsupported`, `engine-load-failed`, `self-test-failed`, `out-of-memory`.
 */
export async function openCore(bytes: ModelBytes, record: RecordedModel, components: CoreComponents): Promise<Core> {
	const { threads, breathe } = components;
	const hashes = await verifyAll(bytes, record, breathe);
	const words = await openWords(bytes, record);
	const graph = await openGraph(bytes, record);
	await breathe();
	const model = await openModel({
		runtime: bytes.runtime,
		weights: here(bytes.weights),
		external: record.external.map(({ location }, i) => ({ location, bytes: here(bytes.external[i]) })),
		threads,
		tokens: record.vocabularySize
	});
	try {
		components.onChecking?.();
		const card = await cardOf(record, model, hashes, words, graph, threads);
		if (!card.stopTokens.every((token) => token < card.vocabularySize)) {
			throw new Refusal('model-unsupported', 'a stop token that it cannot write');
		}
		const { stopTokens } = card;
		// Only what the record has was verified.
		const reference = record.files.reference && bytes.reference;
		const init = { stopTokens, reference, tolerance: toleranceOf(graph) };
		const { tokensPerSecond, selfTest } = await selfTested(model, init, components);
		const device = { threads, adapter: undefined, f16: false, subgroups: false };
		return coreOf({ card, tokensPerSecond, selfTest, device }, { model, ...words }, components);
	} catch (error) {
		await model.close();
		throw error;
	}
}

/** 4-bit weights often come with keys, values and logits in half precision, which then sets how far two right runs may differ. */
function toleranceOf({ precision, outputs }: GraphDescription): number {
	const half = outputs.some(({ type }) => type === 'float16');
	return Math.max(CONSISTENCY_TOLERANCE[precision], half ? CONSISTENCY_TOLERANCE.fp16 : 0);
}

interface SelfTestInit {
	readonly stopTokens: readonly number[];
	readonly reference: Bytes | undefined;
	readonly tolerance: number;
}

/** Against the logits it was released with, or, where there are none, against itself. */
function selfTested(
	model: Model,
	{ stopTokens, reference, tolerance }: SelfTestInit,
	{ monotonic, breathe }: CoreComponents
) {
	if (reference !== undefined) return checkReference(model, parseReference(json(reference)), monotonic, breathe);
	const { vocabularySize } = model;
	return checkConsistency(model, { vocabularySize, stopTokens, tolerance, monotonic, breathe });
}

interface Parts {
	readonly model: Model;
	readonly text: Text;
	readonly prompts: PromptMaker;
}

/** A function of its own: what lives as long as the model must not hold the bytes it was made of. */
function coreOf(ready: Core['ready'], { model, text, prompts }: Parts, { monotonic, breathe }: CoreComponents): Core {
	const { card } = ready;
	const { contextTokens, vocabularySize, stopTokens } = card;
	const alone = oneAtATime();
	let cached: CachedPrompt | undefined;
	return {
		ready,
		generate: (request, signal) =>
			alone(() => {
				checkRequest(request, vocabularySize, stopTokens);
				if (request.maxTokens >= contextTokens) throw new Refusal('prompt-too-long', 'maxTokens fills the context');
				const prompt = prompts.fit(request.turns, contextTokens - request.maxTokens);
				// Some tokenizers hold tokens for pictures that the model has no row for.
				if (!prompt.ids.every((id) => id < vocabularySize)) throw new Refusal('malformed', 'a token beyond the model');
				const keep = (state: CachedPrompt) => void (cached = state);
				const init = { request, prompt, cached, stopTokens, reader: text.reader() };
				return run(init, { model, monotonic, breathe, keep }, signal);
			}),
		async logits(tokens, signal) {
			const { value } = await alone(() => teacherForced(model, tokens, card, breathe, signal)).next();
			return value as readonly TopLogits[];
		},
		countTokens: (turns) => prompts.encode(turns).length,
		close: () => model.close()
	};
}

// A generator that yields nothing, so that it takes the same turn-taking as a generation.
async function* teacherForced(
	model: Model,
	tokens: readonly number[],
	card: ModelCard,
	breathe: () => Promise<void>,
	signal: Aborted
): AsyncGenerator<never, readonly TopLogits[], void> {
	if (tokens.length > card.contextTokens) throw new Refusal('prompt-too-long', 'teacher-forced tokens');
	const known = (token: number) => Number.isInteger(token) && token >= 0 && token < card.vocabularySize;
	if (tokens.length === 0 || !tokens.every(known)) throw new Refusal('malformed', 'tokens');
	let past = model.empty;
	const found: TopLogits[] = [];
	for (const width of promptWidths(tokens.length)) {
		await breathe();
		if (signal.aborted) throw new Refusal('aborted');
		const forward = await model.forward(tokens.slice(past.length, past.length + width), past);
		past = forward.past;
		for (const row of forward.rows) {
			found.push({ ...columns(topCandidates(row, MAX_CANDIDATES)), logSumExp: logSumExp(row) });
		}
	}
	return found;
}

/** With our own exp and log, so that two engines of one class agree in this number too. */
function logSumExp(row: Float32Array): number {
	const top = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
	return top + log(row.reduce((sum, value) => sum + exp(value - top), 0));
}
