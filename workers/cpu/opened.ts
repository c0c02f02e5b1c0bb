/** The files of a model, verified and taken apart: what a core is made of, and the facts of its card. */
import { contextFor, MOST_WEIGHT_BYTES, weightBytes } from '#lib/engine/cpu-limits.ts';
import { RUNTIME } from '#lib/engine/runtime.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { ModelCard } from '#lib/ports/engine.ts';
import { KEPT_NAMES, type RecordedModel } from '../messages.ts';
import { digest, toHex, verified } from './digest.ts';
import { given, wanted, type Bytes, type ModelBytes } from './files.ts';
import { STEP_SHAPES } from './generate.ts';
import { describeGraph, type GraphDescription } from './graph.ts';
import { decoderLayout } from './layout.ts';
import type { Model } from './model.ts';
import { openPrompt, type PromptMaker } from './prompt.ts';
import { openTemplate, type TemplateConfig } from './template.ts';
import { openText, type Text } from './text.ts';

export interface Hashes {
	readonly runtimeHash: Uint8Array;
	readonly weightsHash: Uint8Array;
	readonly tokenizerHash: Uint8Array;
}

/**
 * The hashes of all files. Refusals: `weights-corrupt` when any file is another than the record says, `out-of-memory` for weights that the library
 * cannot hold.
 */
export async function verifyAll(
	bytes: ModelBytes,
	record: RecordedModel,
	breathe: () => Promise<void>
): Promise<Hashes> {
	if (weightBytes(record) > MOST_WEIGHT_BYTES) throw new Refusal('out-of-memory', 'weights of more than 2 GiB');
	const runtimeHash = await verified('runtime', bytes.runtime, RUNTIME, breathe);
	const hashes = new Map<string, Uint8Array>();
	for (const each of wanted(record)) {
		hashes.set(each.name, await verified(each.name, given(bytes, each), each.file, breathe));
	}
	const of = (name: string) => hashes.get(name) as Uint8Array;
	const tokenizerHash = of(KEPT_NAMES.tokenizer);
	if (record.external.length === 0) return { runtimeHash, weightsHash: of(KEPT_NAMES.weights), tokenizerHash };
	// The graph names its external files but not their bytes, so one hash has to cover them all.
	const lines = record.external.map(({ location }, i) => `${toHex(of(`external-${i}`))} ${JSON.stringify(location)}`);
	const whole = ['fireweed/weights/1', `${toHex(of(KEPT_NAMES.weights))} graph`, ...lines].join('\n');
	return { runtimeHash, weightsHash: await digest(utf8(whole), breathe), tokenizerHash };
}

export interface Words {
	readonly text: Text;
	readonly prompts: PromptMaker;
	readonly templateHash: Uint8Array;
}

/** Tokenizer and template. Refusal `model-unsupported` for kinds that cannot be served, `engine-load-failed` for files that are no JSON. */
export async function openWords(bytes: ModelBytes, record: RecordedModel): Promise<Words> {
	const { vocabularySize, stopTokens, files } = record;
	const config = json(here(bytes.tokenizerConfig)) as TemplateConfig | null;
	const text = openText(json(here(bytes.tokenizer)), vocabularySize);
	const template = openTemplate(config ?? {}, files.template && words(here(bytes.template)));
	const known = (token: number) => Number.isSafeInteger(token) && token >= 0 && token < vocabularySize;
	if (stopTokens.length === 0 || !stopTokens.every(known)) throw new Refusal('model-unsupported', 'its stop tokens');
	return { text, prompts: openPrompt(template, text), templateHash: await digest(utf8(template.facts)) };
}

/** What the weights' file says of itself. Refusal `model-unsupported` when it is no decoder, or wants files that the record has not. */
export async function openGraph(bytes: ModelBytes, { external }: RecordedModel): Promise<GraphDescription> {
	const weights = here(bytes.weights);
	const graph = await describeGraph((offset, length) => weights.subarray(offset, offset + length), weights.length);
	decoderLayout(graph.inputs, graph.outputs);
	const missing = graph.external.find(({ location }) => !external.some((file) => file.location === location));
	if (missing !== undefined)
		throw new Refusal('model-unsupported', `weights in ${missing.location.slice(0, 80)}, which is missing`);
	return graph;
}

/** The card of an opened model. */
export async function cardOf(
	record: RecordedModel,
	model: Model,
	{ runtimeHash, weightsHash, tokenizerHash }: Hashes,
	{ templateHash }: Words,
	{ precision }: GraphDescription,
	threads: number
): Promise<ModelCard> {
	// `int8` by the file's own word or by the record's: one is enough, for it takes a right away.
	const verifiable = precision !== 'int8' && record.precision !== 'int8';
	return {
		id: record.id,
		name: record.name,
		weightsHash,
		tokenizerHash,
		templateHash,
		engineHash: await engineHash(model.library, runtimeHash, threads),
		engineClass: `ort-wasm-${threads}t`,
		contextTokens: contextFor(record.contextTokens, model.stateBytes),
		vocabularySize: model.vocabularySize,
		stopTokens: record.stopTokens,
		verifiable
	};
}

/** Names the bit-exact class: library and its version, its wasm, threads when there are several, and the step shapes. */
function engineHash(library: string, runtimeHash: Uint8Array, threads: number): Promise<Uint8Array> {
	const lines = ['fireweed/engine/1', library, `wasm ${toHex(runtimeHash)}`, `shapes ${STEP_SHAPES}`];
	return digest(utf8([...lines, ...(threads === 1 ? [] : [`threads ${threads}`])].join('\n')));
}

/** A file's JSON. Refusal `engine-load-failed` for bytes that are none. */
export function json(bytes: Bytes): unknown {
	try {
		return JSON.parse(words(bytes));
	} catch {
		throw new Refusal('engine-load-failed', 'not JSON');
	}
}

/** A file that the record demands. */
export function here(bytes: Bytes | undefined): Bytes {
	if (bytes === undefined) throw new Refusal('engine-load-failed', 'a file is missing');
	return bytes;
}

function words(bytes: Bytes): string {
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		throw new Refusal('engine-load-failed', 'not text');
	}
}

function utf8(text: string): Bytes {
	return new TextEncoder().encode(text);
}
