/**
 * The two small files that say what a WebLLM model is: mlc-chat-config.json and tensor-cache.json. Both come from strangers: everything
 * is bounded and checked before a byte of the large files is asked for. Refusal `model-unsupported` for what cannot run here.
 */
import { Refusal } from '#lib/protocol/errors.ts';

export const CONFIG_FILE = 'mlc-chat-config.json';
export const TENSORS_FILE = 'tensor-cache.json';
export const TOKENIZER_FILE = 'tokenizer.json';

/** A 70B model has 160 shards and 1,000 tensors; ten times that is no honest model. */
const MAX_SHARDS = 4096;
const MAX_TENSORS = 65_536;
/** A shard passes through memory whole. WebLLM's are 32 MB, or one tensor (at most 1 GiB, the largest buffer it asks for). */
export const MAX_SHARD_BYTES = 2 ** 30;
/** The largest listed model has 40 GB. */
const MAX_MODEL_BYTES = 2 ** 36;
const MAX_CONTEXT = 2 ** 20;
const MAX_VOCABULARY = 2 ** 20;
const MAX_STOPS = 64;
const MAX_TEXT = 65_536;
/** A file in the model's folder: never a path out of it, never another host. */
const PLAIN_NAME = /^[\w][\w.-]{0,127}$/;

/** How a conversation becomes text (MLC's conv_template); `{…}` placeholders stand in the strings. */
export interface Conversation {
	readonly systemTemplate: string;
	readonly systemMessage: string;
	readonly systemPrefix: readonly number[];
	readonly roles: { readonly user: string; readonly assistant: string };
	readonly templates: { readonly user: string; readonly assistant: string };
	readonly contentSeparator: string;
	readonly emptySeparator: string;
	/** After a person's turn, after an answer. */
	readonly separators: readonly [string, string];
	/** Whether a person's first turn says whose it is also after a system message; Llama 2 and Mistral put both into one. */
	readonly roleAfterSystem: boolean;
	readonly stopTexts: readonly string[];
}

export interface ChatConfig {
	readonly contextTokens: number;
	readonly vocabularySize: number;
	readonly prefillChunk: number;
	readonly stopTokens: readonly number[];
	readonly conversation: Conversation;
}

export interface Shard {
	readonly path: string;
	readonly bytes: number;
}

/** Reads mlc-chat-config.json. */
export function parseChatConfig(bytes: Uint8Array): ChatConfig {
	const file = object(json(bytes), 'configuration');
	const template = object(file['conv_template'], 'conv_template');
	const vocabularySize = integer(file['vocab_size'], 1, MAX_VOCABULARY, 'vocab_size');
	const sliding = file['sliding_window_size'] ?? -1;
	// A model that forgets the middle of its context cannot be replayed position by position, so no more is used than the window holds.
	const window = sliding === -1 ? file['context_window_size'] : sliding;
	const token = (value: unknown) => integer(value, 0, vocabularySize - 1, 'a token');
	const roles = object(template['roles'], 'roles');
	const templates = object(template['role_templates'] ?? {}, 'role_templates');
	const separators = strings(template['seps'], 2, 'seps');
	if (separators.length === 0) throw unsupported('no separators');
	const tokenizers = strings(file['tokenizer_files'], 32, 'tokenizer_files');
	if (!tokenizers.includes(TOKENIZER_FILE)) throw unsupported('no tokenizer.json');
	const first = separators[0] as string;
	const eos = file['eos_token_id'] ?? [];
	const stops = [
		...list(template['stop_token_ids'] ?? [], MAX_STOPS),
		...(Array.isArray(eos) ? list(eos, MAX_STOPS) : [eos])
	];
	return {
		contextTokens: integer(window, 8, MAX_CONTEXT, 'context_window_size'),
		vocabularySize,
		prefillChunk: integer(file['prefill_chunk_size'] ?? 1024, 1, MAX_CONTEXT, 'prefill_chunk_size'),
		stopTokens: [...new Set(stops.map(token))],
		conversation: {
			systemTemplate: text(template['system_template'] ?? '{system_message}', 'system_template'),
			systemMessage: text(template['system_message'] ?? '', 'system_message'),
			systemPrefix: list(template['system_prefix_token_ids'] ?? [], MAX_STOPS).map(token),
			roles: { user: text(roles['user'], 'roles'), assistant: text(roles['assistant'], 'roles') },
			templates: {
				user: text(templates['user'] ?? '{user_message}', 'role_templates'),
				assistant: text(templates['assistant'] ?? '{assistant_message}', 'role_templates')
			},
			contentSeparator: text(template['role_content_sep'] ?? ': ', 'role_content_sep'),
			emptySeparator: text(template['role_empty_sep'] ?? ': ', 'role_empty_sep'),
			separators: [first, separators[1] ?? first],
			roleAfterSystem: template['add_role_after_system_message'] !== false,
			stopTexts: strings(template['stop_str'] ?? [], MAX_STOPS, 'stop_str')
		}
	};
}

/** Reads tensor-cache.json: the shards, and that every tensor lies inside its own. */
export function parseTensorCache(bytes: Uint8Array): readonly Shard[] {
	const records = list(object(json(bytes), 'tensor list')['records'], MAX_SHARDS);
	let tensors = 0;
	const shards = records.map((each) => {
		const record = object(each, 'a shard');
		const path = record['dataPath'];
		if (typeof path !== 'string' || !PLAIN_NAME.test(path)) throw unsupported('name of a shard');
		const bytes = integer(record['nbytes'], 1, MAX_SHARD_BYTES, 'size of a shard');
		for (const held of list(record['records'], MAX_TENSORS)) {
			tensors++;
			const tensor = object(held, 'a tensor');
			const offset = integer(tensor['byteOffset'], 0, bytes, 'place of a tensor');
			integer(tensor['nbytes'], 0, bytes - offset, 'size of a tensor');
		}
		return { path, bytes };
	});
	if (tensors > MAX_TENSORS) throw unsupported('too many tensors');
	if (shards.length === 0) throw unsupported('no shards');
	if (new Set(shards.map(({ path }) => path)).size !== shards.length) throw unsupported('a shard twice');
	const reserved = [CONFIG_FILE, TENSORS_FILE, TOKENIZER_FILE];
	if (shards.some(({ path }) => reserved.includes(path))) throw unsupported('a shard with the name of another file');
	if (shards.reduce((sum, { bytes }) => sum + bytes, 0) > MAX_MODEL_BYTES) throw unsupported('too large');
	return shards;
}

export function json(bytes: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
	} catch {
		throw unsupported('not JSON');
	}
}

function unsupported(what: string): Refusal {
	return new Refusal('model-unsupported', what);
}

function object(value: unknown, what: string): Record<string, unknown> {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unsupported(what);
	return value as Record<string, unknown>;
}

function list(value: unknown, most: number): readonly unknown[] {
	if (!Array.isArray(value) || value.length > most) throw unsupported('a list');
	return value;
}

function text(value: unknown, what: string): string {
	if (typeof value !== 'string' || value.length > MAX_TEXT) throw unsupported(what);
	return value;
}

function strings(value: unknown, most: number, what: string): readonly string[] {
	return list(value, most).map((each) => text(each, what));
}

function integer(value: unknown, least: number, most: number, what: string): number {
	if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) throw unsupported(what);
	return value as number;
}
