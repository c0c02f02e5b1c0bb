/** A WebLLM model folder made by us: the pocket model's tokenizer, random weights, and the stand-in library (tests/fixtures/webllm). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { RecordedFile, WebllmList, WebllmModel } from '#workers/messages.ts';
import { libraryBytes, type Manner } from '../fixtures/webllm/library.ts';

export type Folder = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

export const LIBRARY_FILE = 'library.wasm';
export const SHARDS = ['params_shard_0.bin', 'params_shard_1.bin'] as const;
const TOKENIZER = path.join(import.meta.dirname, '../../models/pocket/tokenizer.json');
/** Three per shard. */
const TENSOR_BYTES = 3000 * 4;

/** A folder by file names; `extraBytes` adds a third shard of one tensor of that size. */
export function modelFolder(manner: Manner = 'plain', extraBytes = 0): Folder {
	const bytes = (value: unknown) => Uint8Array.from(Buffer.from(JSON.stringify(value)));
	const files = new Map<string, Uint8Array<ArrayBuffer>>([
		['mlc-chat-config.json', bytes(chatConfig)],
		['tokenizer.json', Uint8Array.from(readFileSync(TOKENIZER))],
		[LIBRARY_FILE, libraryBytes(manner)]
	]);
	const sizes: [string, number, number][] = [
		[SHARDS[0], 3, TENSOR_BYTES],
		[SHARDS[1], 3, TENSOR_BYTES],
		...(extraBytes > 0 ? [['params_shard_2.bin', 1, extraBytes] as [string, number, number]] : [])
	];
	const records = sizes.map(([dataPath, tensors, size], shard) => {
		files.set(dataPath, noise(tensors * size, shard + 1));
		return {
			dataPath,
			format: 'raw-shard',
			nbytes: tensors * size,
			records: Array.from({ length: tensors }, (_, i) => ({
				name: `p${shard}_${i}`,
				shape: [size / 4],
				dtype: 'float32',
				format: 'raw',
				nbytes: size,
				byteOffset: i * size
			})),
			md5sum: '00000000000000000000000000000000'
		};
	});
	files.set('tensor-cache.json', bytes({ metadata: {}, records }));
	return files;
}

/** The bytes of each tensor of a shard, as they go to the graphics queue. */
export function tensorsOf(shard: Uint8Array): Uint8Array[] {
	return [0, 1, 2].map((i) => shard.subarray(i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES));
}

/** Its hashes, as a release would record them. */
export function listOf(folder: Folder): WebllmList {
	const recorded = (bytes: Uint8Array): RecordedFile => ({
		sha256: createHash('sha256').update(bytes).digest('hex'),
		bytes: bytes.length
	});
	const files = [...folder]
		.filter(([name]) => name !== LIBRARY_FILE)
		.map(([name, bytes]) => [name, recorded(bytes)] as const);
	return { library: recorded(folder.get(LIBRARY_FILE) as Uint8Array), files: Object.fromEntries(files) };
}

/** The model at these mirrors. */
export function modelAt(id: string, mirrors: readonly string[], list: WebllmList | undefined): WebllmModel {
	return {
		id,
		name: id,
		licence: 'MIT',
		mirrors,
		libraries: mirrors.map((mirror) => mirror + LIBRARY_FILE),
		contextTokens: undefined,
		features: [],
		list
	};
}

/** xorshift; every byte differs from shard to shard. */
function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
	const words = new Uint32Array(length / 4);
	let state = seed * 2_654_435_761;
	for (let i = 0; i < words.length; i++) {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		words[i] = state;
	}
	return new Uint8Array(words.buffer);
}

const chatConfig = {
	version: '0.1.0',
	model_type: 'llama',
	quantization: 'q0f32',
	vocab_size: 2048,
	context_window_size: 1024,
	sliding_window_size: -1,
	prefill_chunk_size: 96,
	attention_sink_size: -1,
	tensor_parallel_shards: 1,
	tokenizer_files: ['tokenizer.json'],
	tokenizer_info: { token_postproc_method: 'byte_level', prepend_space_in_encode: false, strip_space_in_decode: false },
	conv_template: {
		name: 'pocket',
		system_template: '',
		system_message: '',
		add_role_after_system_message: true,
		roles: { user: '<|user|>', assistant: '<|assistant|>' },
		role_templates: { user: '{user_message}', assistant: '{assistant_message}' },
		messages: [],
		seps: ['<|end|>'],
		role_content_sep: '',
		role_empty_sep: '',
		stop_str: ['<|endoftext|>'],
		stop_token_ids: [3]
	}
};
