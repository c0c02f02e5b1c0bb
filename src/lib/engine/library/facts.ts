/** What the small files of a repository say about its model. All of it is a stranger's word: read with limits, kept as plain numbers. Pure. */
import { Refusal } from '#lib/protocol/errors.ts';
import { cleanLicence } from './names.ts';
import { MOST_CONTEXT, MOST_KV_BYTES, MOST_STOP_TOKENS, MOST_VOCABULARY } from './record.ts';

/** Bytes of a key or value: engines here keep them as they come from the graph, 32 bits mostly. */
const KV_NUMBER_BYTES = 4;
/** A context below this holds no answer. */
const LEAST_CONTEXT = 64;

export interface Facts {
	readonly contextTokens: number;
	/** As config.json has it; the tokenizer's own count replaces it when that file is here. */
	readonly vocabularySize: number;
	readonly stopTokens: readonly number[];
	readonly kvBytesPerToken: number;
}

/** Facts of config.json and generation_config.json (undefined when there is none). Refusal `model-unsupported`, naming what is missing. */
export function factsOf(config: string, generation: string | undefined): Facts {
	const from = object(config, 'config.json');
	if (from.is_encoder_decoder === true) throw unsupported('an encoder and decoder');
	const vocabularySize = number(from, ['vocab_size'], 1, MOST_VOCABULARY);
	const contextTokens = number(from, CONTEXT, LEAST_CONTEXT, MOST_CONTEXT);
	const heads = number(from, ['num_attention_heads', 'n_head'], 1, 1024);
	const layers = number(from, ['num_hidden_layers', 'n_layer'], 1, 1024);
	const kvHeads = from.num_key_value_heads == null ? heads : number(from, ['num_key_value_heads'], 1, 1024);
	const width = from.head_dim == null ? number(from, ['hidden_size', 'n_embd'], 1, 1_000_000) / heads : undefined;
	const headWidth = width ?? number(from, ['head_dim'], 1, 16_384);
	const kvBytesPerToken = Math.ceil(2 * layers * kvHeads * headWidth * KV_NUMBER_BYTES);
	if (kvBytesPerToken > MOST_KV_BYTES) throw unsupported('heads of impossible size');
	const stopTokens = stopsOf(from, generation, vocabularySize);
	return { contextTokens, vocabularySize, stopTokens, kvBytesPerToken };
}

const CONTEXT = ['max_position_embeddings', 'n_positions', 'n_ctx', 'max_sequence_length', 'seq_length'];

/** What generation_config.json says comes first: publishers add there the tokens that end a turn. */
function stopsOf(config: Fields, generation: string | undefined, vocabularySize: number): readonly number[] {
	const told = [attempt(generation)?.eos_token_id, config.eos_token_id].flat(1);
	const known = told.filter(
		(id): id is number => Number.isSafeInteger(id) && Number(id) >= 0 && Number(id) < vocabularySize
	);
	const distinct = [...new Set(known)].slice(0, MOST_STOP_TOKENS);
	if (distinct.length === 0) throw unsupported('no token that ends an answer');
	return distinct;
}

/** Tokens of a tokenizer.json, holes counted: the highest id and one. Refusal `model-unsupported` when it has no vocabulary. */
export function vocabularyOf(tokenizer: string): number {
	const { model, added_tokens: added } = object(tokenizer, 'tokenizer.json');
	const vocabulary = (typeof model === 'object' && model !== null ? model : {}) as Fields;
	const ids: unknown[] =
		typeof vocabulary.vocab === 'object' && vocabulary.vocab !== null ? Object.values(vocabulary.vocab) : [];
	if (ids.length === 0 || Array.isArray(vocabulary.vocab)) throw unsupported('no vocabulary by name in tokenizer.json');
	let highest = 0;
	const count = (id: unknown) => {
		if (!Number.isSafeInteger(id) || Number(id) < 0 || Number(id) >= MOST_VOCABULARY)
			throw unsupported('impossible token in tokenizer.json');
		highest = Math.max(highest, Number(id));
	};
	ids.forEach(count);
	if (Array.isArray(added)) for (const token of added as readonly (Fields | null)[]) count(token?.id);
	return highest + 1;
}

/** Whether a tokenizer_config.json brings a chat template. Refusal `model-unsupported` when it is not JSON. */
export function hasTemplate(tokenizerConfig: string): boolean {
	const { chat_template: template } = object(tokenizerConfig, 'tokenizer_config.json');
	return (typeof template === 'string' && template !== '') || (Array.isArray(template) && template.length > 0);
}

/** The `license:` of a README's front matter, one line between two lines of dashes. */
export function licenceIn(readme: string | undefined): string | undefined {
	const front = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(readme ?? '')?.[1];
	const named = /^license:[ \t]*["']?([^"'\r\n#]*)/im.exec(front ?? '')?.[1];
	const other = /^license_name:[ \t]*["']?([^"'\r\n#]*)/im.exec(front ?? '')?.[1];
	return cleanLicence(named?.trim() === 'other' ? (other ?? named) : named);
}

type Fields = Readonly<Record<string, unknown>>;

function object(json: string, name: string): Fields {
	const value = attempt(json);
	if (value === undefined) throw unsupported(`${name} is not what it should be`);
	return value;
}

function attempt(json: string | undefined): Fields | undefined {
	try {
		const value: unknown = JSON.parse(json ?? '');
		return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
	} catch {
		return undefined;
	}
}

function number(from: Fields, names: readonly string[], least: number, most: number): number {
	const value = names.map((name) => from[name]).find((each) => each != null);
	if (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most) return Number(value);
	throw unsupported(`no usable ${names[0]} in config.json`);
}

function unsupported(why: string): Refusal {
	return new Refusal('model-unsupported', why);
}
