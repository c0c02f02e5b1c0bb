/**
 * The CPU engine without its worker: the same code runs in the browser's worker and in Node. One model, one generation at a time.
 * Bytes, time and the event loop are handed in.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { exp, log } from '#lib/protocol/real.ts';
import { MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import type { ModelCard, TopLogits } from '#lib/ports/engine.ts';
import type { FileName, RecordedModel } from '../messages.ts';
import type { Aborted, Core } from '../serve.ts';
import { digest, toHex, verified } from './digest.ts';
import { checkRequest, columns, promptWidths, run, STEP_SHAPES, type CachedPrompt } from './generate.ts';
import { openModel, type Model } from './model.ts';
import { openPrompt } from './prompt.ts';
import { checkReference, parseReference } from './reference.ts';
import { openText } from './text.ts';

export const ENGINE_CLASS = 'ort-wasm-1t';

export type ModelBytes = Readonly<Record<FileName, Uint8Array<ArrayBuffer>>>;

export interface CoreComponents {
	/** Milliseconds that never go back. */
	monotonic(): number;
	/** Lets the event loop turn once. */
	breathe(): Promise<void>;
	/** Told when the bytes are verified and the model open, before the self-test. */
	onChecking?(): void;
}

/**
 * Verifies every byte against the record, opens the model and lets it pass its self-test.
 * Refusals: `weights-corrupt`, `engine-load-failed`, `engine-failed` (self-test), `out-of-memory`.
 */
export async function openCore(bytes: ModelBytes, record: RecordedModel, components: CoreComponents): Promise<Core> {
	const { files, contextTokens, vocabularySize, stopTokens } = record;
	const { monotonic, breathe } = components;
	const hash = (name: FileName) => verified(name, bytes[name], files[name]);
	const [runtimeHash, weightsHash, tokenizerHash] = await Promise.all([
		hash('runtime'),
		hash('weights'),
		hash('tokenizer'),
		hash('tokenizerConfig'),
		hash('reference')
	]);
	const config = json(bytes.tokenizerConfig) as { readonly chat_template?: unknown };
	const chatTemplate = config.chat_template;
	if (typeof chatTemplate !== 'string') throw new Refusal('engine-load-failed', 'no chat template');
	const text = openText(json(bytes.tokenizer), config, vocabularySize);
	const prompts = openPrompt(chatTemplate, text);
	const model = await openModel(bytes.runtime, bytes.weights, vocabularySize);
	components.onChecking?.();
	const { tokensPerSecond, selfTest } = await checkReference(
		model,
		parseReference(json(bytes.reference)),
		monotonic
	).catch(async (error: unknown) => {
		await model.close();
		throw error;
	});
	const card: ModelCard = {
		id: record.id,
		name: record.name,
		weightsHash,
		tokenizerHash,
		templateHash: await digest(new TextEncoder().encode(chatTemplate)),
		engineHash: await engineHash(model.library, runtimeHash),
		engineClass: ENGINE_CLASS,
		contextTokens,
		vocabularySize,
		stopTokens,
		verifiable: true
	};

	let busy = false;
	let cached: CachedPrompt | undefined;
	async function* alone<T, R>(work: () => AsyncGenerator<T, R, void>): AsyncGenerator<T, R, void> {
		if (busy) throw new Refusal('engine-busy');
		busy = true;
		try {
			return yield* work();
		} finally {
			busy = false;
		}
	}
	return {
		ready: {
			card,
			tokensPerSecond,
			selfTest,
			device: { threads: 1, adapter: undefined, f16: false, subgroups: false }
		},
		generate: (request, signal) =>
			alone(() => {
				checkRequest(request, vocabularySize, stopTokens);
				if (request.maxTokens >= contextTokens) throw new Refusal('prompt-too-long', 'maxTokens fills the context');
				const prompt = prompts.fit(request.turns, contextTokens - request.maxTokens);
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

/** Names the bit-exact class: library and its version, its wasm, and the step shapes. */
function engineHash(library: string, runtimeHash: Uint8Array): Promise<Uint8Array> {
	const lines = ['fireweed/engine/1', library, `wasm ${toHex(runtimeHash)}`, `shapes ${STEP_SHAPES}`];
	return digest(new TextEncoder().encode(lines.join('\n')));
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

function json(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
	} catch {
		throw new Refusal('engine-load-failed', 'not JSON');
	}
}
