/**
 * Which of WebLLM's models this device could run, best first. Pure: what the adapter offers, how much room there is and how fast its memory is
 * come in; the list is webllm-list.json, made from the package by scripts/webllm-models.ts.
 */
import type { Fit } from '#lib/ports/models.ts';
import type { WebllmList, WebllmModel } from '#workers/messages.ts';
import type { AdapterFacts } from './webllm-adapter.ts';
import { LEAST_BINDING_BYTES, LEAST_BUFFER_BYTES } from './webllm-adapter.ts';

/** A model as the package lists it. */
export interface WebllmRow {
	readonly id: string;
	readonly folder: string;
	readonly library: string;
	/** While it runs, as the package states it; the download is a little less. */
	readonly memoryBytes: number;
	/** Said to run on phones and weak devices. */
	readonly lowResource: boolean;
	readonly f16: boolean;
	/** 0 when only the model's own configuration says. */
	readonly contextTokens: number;
	readonly kind: 'chat' | 'embedding' | 'vision';
	/** Comes with a package manifest, which is not read yet. */
	readonly ownPackage: boolean;
}

export interface Surroundings {
	/** Undefined without WebGPU. */
	readonly adapter: AdapterFacts | undefined;
	/** Bytes this origin may still keep; undefined when the browser does not say. */
	readonly room: number | undefined;
	/** Bytes of memory a model may take; browsers do not say it, so it is a person's setting or a guess. */
	readonly memoryBytes: number | undefined;
	/** measureBandwidth; undefined when it was not measured. */
	readonly bytesPerSecond: number | undefined;
}

export interface WebllmChoice {
	readonly row: WebllmRow;
	readonly fit: Fit;
	readonly licence: string | undefined;
	/** At most, by the speed of the device's memory: each token reads all weights once. */
	readonly tokensPerSecond: number | undefined;
}

/** A person reads five words a second; an answer that is slower is waited for. */
const READING_TOKENS_PER_SECOND = 7;

/** As their publishers state them, by the beginning of the name; what is not known stands out by its absence. Models made out of these keep their terms. */
const LICENCES: readonly (readonly [RegExp, string])[] = [
	[/Llama-2/, 'Llama 2 Community Licence'],
	[/Llama-3\.2/, 'Llama 3.2 Community Licence'],
	[/Llama-3\.1|^DeepSeek-R1-Distill-Llama/, 'Llama 3.1 Community Licence'],
	[/Llama-3-/, 'Llama 3 Community Licence'],
	[/^(DeepSeek-R1-Distill-Qwen|phi-|Phi-)/, 'MIT'],
	[/^(gemma-2|gemma3)/, 'Gemma Terms of Use'],
	[/^Qwen2\.5-(Coder-)?3B/, 'Qwen Research Licence'],
	[/^(Qwen2|Qwen3-|SmolLM2|TinyLlama|RedPajama|OLMo-2|Mistral-7B|snowflake-arctic)/, 'Apache-2.0'],
	[/^(OpenHermes|NeuralHermes|Hermes-2-Pro-Mistral)/, 'Apache-2.0']
];

/** The list; apart, so that it is loaded only where it is looked at. */
export async function webllmRows(): Promise<readonly WebllmRow[]> {
	return (await import('./webllm-list.json')).default as readonly WebllmRow[];
}

/** All models that chat, those that fit first: fast enough before slow, large before small; one precision of each before the others. */
export function chooseWebllm(rows: readonly WebllmRow[], around: Surroundings): readonly WebllmChoice[] {
	const choices = rows.filter(({ kind }) => kind === 'chat').map((row) => choiceOf(row, around));
	const best = new Set<WebllmChoice>();
	for (const group of Map.groupBy(
		choices.filter(({ fit }) => fit.fits),
		({ row }) => familyOf(row.id)
	).values()) {
		// A full context before a short one, then the precision that takes less room.
		const [first] = group.sort(
			(a, b) => b.row.contextTokens - a.row.contextTokens || a.row.memoryBytes - b.row.memoryBytes
		);
		if (first !== undefined) best.add(first);
	}
	const rank = (choice: WebllmChoice) => {
		if (!choice.fit.fits) return 3;
		if (!best.has(choice)) return 2;
		return (choice.tokensPerSecond ?? READING_TOKENS_PER_SECOND) >= READING_TOKENS_PER_SECOND ? 0 : 1;
	};
	return choices.sort((a, b) => {
		const [one, two] = [rank(a), rank(b)];
		if (one !== two) return one - two;
		const bySize = a.row.memoryBytes - b.row.memoryBytes;
		return (one === 0 ? -bySize : bySize) || (a.row.id < b.row.id ? -1 : 1);
	});
}

function choiceOf(row: WebllmRow, { adapter, room, memoryBytes, bytesPerSecond }: Surroundings): WebllmChoice {
	return {
		row,
		fit: fitOf(row, adapter, room, memoryBytes),
		licence: licenceOf(row.id),
		tokensPerSecond: bytesPerSecond === undefined ? undefined : bytesPerSecond / row.memoryBytes
	};
}

function fitOf(
	row: WebllmRow,
	adapter: AdapterFacts | undefined,
	room: number | undefined,
	memoryBytes: number | undefined
): Fit {
	if (row.ownPackage) return { fits: false, why: 'model-unsupported' };
	const { maxBufferBytes = 0, maxBindingBytes = 0 } = adapter ?? {};
	const graphics = adapter !== undefined && !adapter.software && (!row.f16 || adapter.f16);
	if (!graphics || maxBufferBytes < LEAST_BUFFER_BYTES || maxBindingBytes < LEAST_BINDING_BYTES)
		return { fits: false, why: 'no-graphics' };
	if (memoryBytes !== undefined && row.memoryBytes > memoryBytes) return { fits: false, why: 'out-of-memory' };
	if (room !== undefined && row.memoryBytes > room) return { fits: false, why: 'storage-full' };
	return { fits: true };
}

/** The name without precision and packaging: `Qwen3-4B` of `Qwen3-4B-q4f16_1-MLC`. */
function familyOf(id: string): string {
	return id.replace(/-q\d+f\d+.*$/, '');
}

export function licenceOf(id: string): string | undefined {
	return LICENCES.find(([name]) => name.test(id))?.[1];
}

/** The model of a row; `list` where its hashes were recorded beforehand. */
export function webllmModel(row: WebllmRow, list: WebllmList | undefined): WebllmModel {
	return {
		id: row.id,
		name: row.id.replace(/-MLC(-\w+)?$/, ''),
		licence: licenceOf(row.id),
		mirrors: [row.folder],
		libraries: [row.library],
		contextTokens: row.contextTokens === 0 ? undefined : row.contextTokens,
		features: row.f16 ? ['shader-f16'] : [],
		list
	};
}
