/**
 * WebLLM as an engine's Core: the package's own MLCEngine, in this worker, with one model. Its chat interface is not used; see
 * workers/webllm/steps.ts. Whatever it throws becomes a Refusal, and what failed once is not used again: its scopes are left open then.
 */
import { MLCEngine, type ChatOptions } from '@mlc-ai/web-llm';
import { Refusal } from '#lib/protocol/errors.ts';
import type { EngineReady, ModelCard, TopLogits } from '#lib/ports/engine.ts';
import { checkRequest, columns } from '../cpu/generate.ts';
import { digest } from '../cpu/digest.ts';
import type { WebllmModel } from '../messages.ts';
import { oneAtATime } from '../alone.ts';
import type { Aborted, Core } from '../serve.ts';
import type { Chat } from './chat.ts';
import type { ChatConfig } from './manifest.ts';
import { refusalOf, type DeviceFate } from './refusals.ts';
import { openSampler, type Sampler } from './sampling.ts';
import { checkConsistency, TOLERANCE_F16, TOLERANCE_F32 } from './self-test.ts';
import { chunks, PROMPT_CHUNK, STEP_SHAPES, steps, type Passes } from './steps.ts';

export const ENGINE_CLASS = 'webllm-webgpu';
/** As installed; tests/unit/webllm-models.test.ts compares. */
export const LIBRARY = '@mlc-ai/web-llm 0.2.86';
/** Where the package believes the files to be; they lead nowhere (workers/webllm/doors.ts). */
export const MODEL_FOLDER = 'https://webllm.invalid/model/resolve/main/';
export const LIBRARY_ADDRESS = 'https://webllm.invalid/library.wasm';

/** What the files said. Hashes in hex, as the ledger has them. */
export interface CoreInit {
	readonly model: WebllmModel;
	readonly config: ChatConfig;
	readonly chat: Chat;
	/** Hashes of library and tokenizer; of the weights over all shards and their list. */
	readonly hashes: { readonly library: string; readonly tokenizer: Uint8Array; readonly weights: Uint8Array };
	readonly contextTokens: number;
	readonly device: EngineReady['device'];
}

export interface CoreComponents {
	readonly fate: DeviceFate;
	/** A refusal that a read of the package met, which it may have wrapped. */
	readonly readFailure: () => Refusal | undefined;
	monotonic(): number;
	breathe(): Promise<void>;
	onChecking(): void;
}

/** Refusals as `refusalOf`, those of the files, `self-test-failed`. */
export async function openCore(init: CoreInit, components: CoreComponents): Promise<Core> {
	const { model, config, chat, contextTokens } = init;
	const { monotonic, breathe } = components;
	const sampler = openSampler(config.vocabularySize);
	const engine = await loaded(init, components, sampler);
	const passes = openPasses(engine, sampler, components.fate);
	components.onChecking();
	const tolerance = model.features.includes('shader-f16') ? TOLERANCE_F16 : TOLERANCE_F32;
	const { selfTest, tokensPerSecond } = await checkConsistency(
		passes,
		config.vocabularySize,
		tolerance,
		monotonic
	).catch(async (error: unknown) => {
		await engine.unload().catch(() => {});
		throw error;
	});
	const card: ModelCard = {
		id: model.id,
		name: model.name,
		weightsHash: init.hashes.weights,
		tokenizerHash: init.hashes.tokenizer,
		templateHash: await digest(new TextEncoder().encode(chat.facts)),
		engineHash: await engineHash(init.hashes.library),
		engineClass: ENGINE_CLASS,
		contextTokens,
		vocabularySize: config.vocabularySize,
		stopTokens: chat.stopTokens,
		verifiable: true
	};
	const chunk = Math.min(PROMPT_CHUNK, config.prefillChunk);

	const alone = oneAtATime();
	return {
		ready: { card, tokensPerSecond, selfTest, device: init.device },
		generate: (request, signal) =>
			alone(() => {
				checkRequest(request, card.vocabularySize, card.stopTokens);
				// The package does not look at the length here; beyond the reserved pages it would write into nothing.
				if (request.maxTokens >= contextTokens) throw new Refusal('prompt-too-long', 'maxTokens fills the context');
				const prompt = chat.fit(request.turns, contextTokens - request.maxTokens);
				const stepsInit = { request, prompt, stopTokens: card.stopTokens, reader: chat.reader(), chunk };
				return steps(stepsInit, { passes, monotonic, breathe }, signal);
			}),
		async logits(tokens, signal) {
			const { value } = await alone(() => teacherForced(passes, tokens, card, breathe, signal)).next();
			return value as readonly TopLogits[];
		},
		countTokens: (turns) => chat.encode(turns).length,
		close: () => engine.unload()
	};
}

async function loaded(
	{ model, contextTokens }: CoreInit,
	{ fate, readFailure }: CoreComponents,
	sampler: Sampler
): Promise<MLCEngine> {
	const engine = new MLCEngine({
		logLevel: 'SILENT',
		logitProcessorRegistry: new Map([[model.id, sampler.processor]]),
		appConfig: {
			cacheBackend: 'cache',
			model_list: [{ model: MODEL_FOLDER, model_id: model.id, model_lib: LIBRARY_ADDRESS }]
		}
	});
	// All of these, because without a request the package checks the configuration's own values and refuses those that are not there.
	const options: ChatOptions = {
		temperature: 1,
		top_p: 1,
		repetition_penalty: 1,
		frequency_penalty: 0,
		presence_penalty: 0,
		context_window_size: contextTokens,
		sliding_window_size: -1,
		attention_sink_size: -1
	};
	try {
		await fate.during(() => engine.reload(model.id, options));
		// It resolves also when it was unloaded meanwhile, as on a lost device; this asks whether a model is there.
		await engine.getMessage(model.id);
	} catch (error) {
		if (readFailure() === undefined) await fate.settle();
		throw readFailure() ?? refusalOf(error, fate, 'engine-load-failed');
	}
	if (fate.lost) throw new Refusal(fate.outOfMemory ? 'out-of-memory' : 'device-lost', 'while loading');
	return engine;
}

/** Passes over the package. The first failure is the last pass: it leaves the package in the midst of something. */
function openPasses(engine: MLCEngine, sampler: Sampler, fate: DeviceFate): Passes {
	let broken: Refusal | undefined;
	async function guarded<T>(work: () => Promise<T>): Promise<T> {
		if (broken === undefined && fate.lost) broken = refusalOf(undefined, fate, 'device-lost');
		if (broken !== undefined) throw broken;
		try {
			return await fate.during(work);
		} catch (error) {
			if (!(error instanceof Refusal)) await fate.settle();
			throw (broken = refusalOf(error, fate, 'engine-failed'));
		}
	}
	return {
		clear: () => guarded(() => engine.resetChat()),
		run: (tokens, order) =>
			guarded(() => sampler.under(order, () => engine.forwardTokensAndSample([...tokens], tokens.length > 1)))
	};
}

// A generator that yields nothing, so that it takes the same turn-taking as a generation.
async function* teacherForced(
	passes: Passes,
	tokens: readonly number[],
	card: ModelCard,
	breathe: () => Promise<void>,
	signal: Aborted
): AsyncGenerator<never, readonly TopLogits[], void> {
	if (tokens.length > card.contextTokens) throw new Refusal('prompt-too-long', 'teacher-forced tokens');
	const known = (token: number) => Number.isInteger(token) && token >= 0 && token < card.vocabularySize;
	if (tokens.length === 0 || !tokens.every(known)) throw new Refusal('malformed', 'tokens');
	const found: TopLogits[] = [];
	await passes.clear();
	// One by one: a longer pass gives the logits of its last position only.
	for (const one of chunks(tokens, 1)) {
		await breathe();
		if (signal.aborted) throw new Refusal('aborted');
		const { ranked, logSumExp } = await passes.run(one, { kind: 'look' });
		found.push({ ...columns(ranked), logSumExp });
	}
	return found;
}

/** Names the bit-exact class as far as software does: package, model library, step shapes. The graphics device is not in it. */
function engineHash(library: string): Promise<Uint8Array> {
	const lines = ['fireweed/engine/1', LIBRARY, `library ${library}`, `shapes ${STEP_SHAPES}`];
	return digest(new TextEncoder().encode(lines.join('\n')));
}
