/**
 * The CPU engine without its worker: the same code runs in the browser's worker and in Node. One model, one generation at a time.
 * Bytes, time and the event loop are handed in.
 */
import { RUNTIME } from '#lib/engine/runtime.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { exp, log } from '#lib/protocol/real.ts';
import { MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import type { ModelCard, TopLogits } from '#lib/ports/engine.ts';
import { KEPT_NAMES, type RecordedModel } from '../messages.ts';
import type { Aborted, Core } from '../serve.ts';
import { digest, toHex, verified } from './digest.ts';
import { given, wanted, type Bytes, type ModelBytes } from './files.ts';
import { checkRequest, columns, promptWidths, run, STEP_SHAPES, type CachedPrompt } from './generate.ts';
import { openModel, type Model } from './model.ts';
import { openPrompt, type PromptMaker } from './prompt.ts';
import { checkReference, parseReference } from './reference.ts';
import { openText, type Text } from './text.ts';

export const ENGINE_CLASS = 'ort-wasm-1t';

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
	const { vocabularySize } = record;
	const runtimeHash = await verified('runtime', bytes.runtime, RUNTIME);
	const { weightsHash, tokenizerHash } = await verifyAll(bytes, record);
	const { config, text, prompts } = openWords(bytes, record);
	const model = await openModel(bytes.runtime, opened(bytes.weights), vocabularySize);
	components.onChecking?.();
	const { tokensPerSecond, selfTest } = await selfTested(model, bytes.reference, components).catch(
		async (error: unknown) => {
			await model.close();
			throw error;
		}
	);
	const card: ModelCard = {
		id: record.id,
		name: record.name,
		weightsHash,
		tokenizerHash,
		templateHash: await digest(new TextEncoder().encode(config.chat_template)),
		engineHash: await engineHash(model.library, runtimeHash),
		engineClass: ENGINE_CLASS,
		contextTokens: record.contextTokens,
		vocabularySize,
		stopTokens: record.stopTokens,
		verifiable: record.precision !== 'int8'
	};
	const device = { threads: components.threads, adapter: undefined, f16: false, subgroups: false };
	return coreOf({ card, tokensPerSecond, selfTest, device }, { model, text, prompts }, components);
}

/** The hashes of the card. Refusal `weights-corrupt` when any file is another than the record says. */
async function verifyAll(
	bytes: ModelBytes,
	record: RecordedModel
): Promise<Pick<ModelCard, 'weightsHash' | 'tokenizerHash'>> {
	const hashes = new Map<string, Uint8Array>();
	for (const each of wanted(record)) hashes.set(each.name, await verified(each.name, given(bytes, each), each.file));
	const of = (name: string) => hashes.get(name) as Uint8Array;
	const tokenizerHash = of(KEPT_NAMES.tokenizer);
	if (record.external.length === 0) return { weightsHash: of(KEPT_NAMES.weights), tokenizerHash };
	// The graph names its external files but not their bytes, so one hash has to cover them all.
	const lines = record.external.map(({ location }, i) => `${toHex(of(`external-${i}`))} ${location}`);
	const text = ['fireweed/weights/1', `${toHex(of(KEPT_NAMES.weights))} graph`, ...lines].join('\n');
	return { weightsHash: await digest(new TextEncoder().encode(text)), tokenizerHash };
}

function openWords(bytes: ModelBytes, { vocabularySize }: RecordedModel) {
	const config = json(opened(bytes.tokenizerConfig)) as { readonly chat_template?: unknown };
	const { chat_template } = config;
	if (typeof chat_template !== 'string') throw new Refusal('engine-load-failed', 'no chat template');
	const text = openText(json(opened(bytes.tokenizer)), config, vocabularySize);
	return { config: { chat_template }, text, prompts: openPrompt(chat_template, text) };
}

function selfTested(model: Model, reference: Bytes | undefined, { monotonic }: CoreComponents) {
	if (reference === undefined) return Promise.reject(new Refusal('model-unsupported', 'no self-test for it yet'));
	return checkReference(model, parseReference(json(reference)), monotonic);
}

/** A file that the record demands, so that it has come. */
function opened(bytes: Bytes | undefined): Bytes {
	if (bytes === undefined) throw new Refusal('engine-load-failed', 'a file is missing');
	return bytes;
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
		ready,
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
