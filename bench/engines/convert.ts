/// <reference lib="es2025.float16" />
/**
 * The pocket model as llama.cpp wants it, from the very numbers of our ONNX files: fp32 as they are; 4 bit block by block, with the
 * scales rounded to half precision, which is all that llama.cpp's format has room for. Nothing is quantised anew.
 */
import { writeGguf, type GgufTensor, type GgufValue } from './gguf.ts';
import { readOnnx, type OnnxTensor } from './onnx.ts';

/** What is read of models/pocket/config.json. */
export interface LlamaConfig {
	readonly hidden_size: number;
	readonly num_hidden_layers: number;
	readonly num_attention_heads: number;
	readonly num_key_value_heads: number;
	readonly head_dim: number;
	readonly intermediate_size: number;
	readonly vocab_size: number;
	readonly rms_norm_eps: number;
	readonly rope_theta: number;
	readonly max_position_embeddings: number;
	readonly bos_token_id: number;
	readonly eos_token_id: number;
}

/** What is read of models/pocket/tokenizer.json. */
export interface BpeTokenizer {
	readonly added_tokens: readonly { readonly id: number }[];
	readonly model: {
		readonly vocab: Readonly<Record<string, number>>;
		readonly merges: readonly (string | readonly [string, string])[];
	};
}

export interface PocketFiles {
	readonly config: LlamaConfig;
	readonly tokenizer: BpeTokenizer;
	readonly chatTemplate: string;
	/** model_fp32.onnx or model_q4.onnx. */
	readonly weights: Uint8Array;
}

/** Weights of one block of 4-bit numbers, here and there. */
const BLOCK = 32;
/** A half-precision scale and 32 halves of a byte. */
const Q4_0_BLOCK_BYTES = 2 + BLOCK / 2;
/** `LLAMA_FTYPE_*`: what most of the tensors are. Shown by tools, used for nothing. */
const FILE_TYPES = { f32: 0, q4_0: 2 } as const;
/** `LLAMA_TOKEN_TYPE_*`. */
const NORMAL = 1;
const CONTROL = 3;

const LAYER_TENSORS = [
	['attn_q', 'attn/q_proj'],
	['attn_k', 'attn/k_proj'],
	['attn_v', 'attn/v_proj'],
	['attn_output', 'attn/o_proj'],
	['ffn_gate', 'mlp/gate_proj'],
	['ffn_up', 'mlp/up_proj'],
	['ffn_down', 'mlp/down_proj']
] as const;

/** A whole GGUF file. Which of the two weight files was given shows in the names of its tensors. */
export function pocketToGguf({ config, tokenizer, chatTemplate, weights }: PocketFiles): Uint8Array {
	const onnx = readOnnx(weights);
	const quantised = [...onnx.keys()].some((name) => name.endsWith('_Q4'));
	const get = (name: string) => {
		const tensor = onnx.get(name);
		if (tensor === undefined) throw new TypeError(`the ONNX file has no ${name}`);
		return tensor;
	};
	const norm = (name: string, from: string): GgufTensor => plain(name, get(`${from}/LayerNorm.weight`));
	const matrix = (name: string, from: string, heads?: number): GgufTensor =>
		quantised
			? blocks(name, get(`${from}/MatMul.weight_Q4`), get(`${from}/MatMul.scales`), heads)
			: transposed(name, get(`${from}/MatMul.weight`), heads);
	const tensors = [plain('token_embd.weight', get('model.embed_tokens.weight'))];
	for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
		const [to, from] = [`blk.${layer}`, `/model/layers.${layer}`];
		tensors.push(norm(`${to}.attn_norm.weight`, `${from}/input_layernorm`));
		for (const [name, source] of LAYER_TENSORS) {
			const heads =
				name === 'attn_q' ? config.num_attention_heads : name === 'attn_k' ? config.num_key_value_heads : undefined;
			tensors.push(matrix(`${to}.${name}.weight`, `${from}/${source}`, heads));
		}
		tensors.push(norm(`${to}.ffn_norm.weight`, `${from}/post_attention_layernorm`));
	}
	tensors.push(norm('output_norm.weight', `/model/layers.${config.num_hidden_layers}/final_norm_layernorm`));
	// Without this tensor the embedding is used for the output too, which is right for fp32; the 4-bit file has an output of its own.
	if (quantised) tensors.push(matrix('output.weight', '/lm_head'));
	return writeGguf(metadata(config, tokenizer, chatTemplate, quantised ? 'q4_0' : 'f32'), tensors);
}

function metadata(
	config: LlamaConfig,
	tokenizer: BpeTokenizer,
	chatTemplate: string,
	type: keyof typeof FILE_TYPES
): ReadonlyMap<string, GgufValue> {
	const tokens = Object.entries(tokenizer.model.vocab)
		.sort(([, a], [, b]) => a - b)
		.map(([token]) => token);
	const special = new Set(tokenizer.added_tokens.map(({ id }) => id));
	return new Map<string, GgufValue>([
		['general.architecture', 'llama'],
		['general.name', 'pocket'],
		['general.file_type', FILE_TYPES[type]],
		['general.quantization_version', 2],
		['llama.block_count', config.num_hidden_layers],
		['llama.context_length', config.max_position_embeddings],
		['llama.embedding_length', config.hidden_size],
		['llama.feed_forward_length', config.intermediate_size],
		['llama.attention.head_count', config.num_attention_heads],
		['llama.attention.head_count_kv', config.num_key_value_heads],
		['llama.attention.layer_norm_rms_epsilon', { f32: config.rms_norm_eps }],
		['llama.rope.dimension_count', config.head_dim],
		['llama.rope.freq_base', { f32: config.rope_theta }],
		['llama.vocab_size', config.vocab_size],
		['tokenizer.ggml.model', 'gpt2'],
		// The same cutting into words as `ByteLevel` with `use_regex`.
		['tokenizer.ggml.pre', 'gpt-2'],
		['tokenizer.ggml.tokens', tokens],
		['tokenizer.ggml.token_type', { i32: tokens.map((_, id) => (special.has(id) ? CONTROL : NORMAL)) }],
		['tokenizer.ggml.merges', tokenizer.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')))],
		['tokenizer.ggml.bos_token_id', config.bos_token_id],
		['tokenizer.ggml.eos_token_id', config.eos_token_id],
		['tokenizer.ggml.add_bos_token', false],
		['tokenizer.chat_template', chatTemplate]
	]);
}

function plain(name: string, { dims, bytes }: OnnxTensor): GgufTensor {
	return { name, type: 'f32', dims: [...dims].reverse(), bytes };
}

/** ONNX multiplies rows by a matrix [in, out]; ggml wants the row of each output. */
function transposed(name: string, { dims, bytes }: OnnxTensor, heads: number | undefined): GgufTensor {
	const [inputs = 0, outputs = 0] = dims;
	const from = floats(bytes);
	const to = new Float32Array(from.length);
	const order = rowOrder(outputs, heads);
	for (let row = 0; row < outputs; row += 1) {
		const source = order(row);
		for (let i = 0; i < inputs; i += 1) to[row * inputs + i] = from[i * outputs + source] as number;
	}
	return { name, type: 'f32', dims: [inputs, outputs], bytes: new Uint8Array(to.buffer) };
}

/** MatMulNBits [out, blocks, 16 bytes] with fp32 scales → q4_0. Both mean (number − 8) × scale; they differ in which half-bytes share a byte. */
function blocks(name: string, weight: OnnxTensor, scales: OnnxTensor, heads: number | undefined): GgufTensor {
	const [outputs = 0, perRow = 0, half = 0] = weight.dims;
	if (half !== BLOCK / 2) throw new TypeError(`${name} is not in blocks of ${BLOCK}`);
	const scale = floats(scales.bytes);
	const to = new Uint8Array(outputs * perRow * Q4_0_BLOCK_BYTES);
	const view = new DataView(to.buffer);
	const order = rowOrder(outputs, heads);
	for (let row = 0; row < outputs; row += 1) {
		for (let column = 0; column < perRow; column += 1) {
			const source = order(row) * perRow + column;
			const at = (row * perRow + column) * Q4_0_BLOCK_BYTES;
			view.setFloat16(at, scale[source] as number, true);
			const nibble = (i: number) => ((weight.bytes[source * half + (i >> 1)] as number) >> (4 * (i & 1))) & 15;
			for (let i = 0; i < half; i += 1) to[at + 2 + i] = nibble(i) | (nibble(i + half) << 4);
		}
	}
	return { name, type: 'q4_0', dims: [perRow * BLOCK, outputs], bytes: to };
}

/**
 * Which row of ours stands where in llama.cpp's. Of a head, ours turns number i together with number i + half (rotary positions,
 * half-split); llama.cpp turns neighbours. So the rows of queries and keys are shuffled, within each head, and nothing else changes.
 */
function rowOrder(rows: number, heads: number | undefined): (row: number) => number {
	if (heads === undefined) return (row) => row;
	const size = rows / heads;
	return (row) => {
		const inside = row % size;
		return row - inside + (inside >> 1) + (inside & 1) * (size / 2);
	};
}

/** A copy, because the file's tensors do not begin at multiples of four. */
function floats(bytes: Uint8Array): Float32Array {
	return new Float32Array(Uint8Array.from(bytes).buffer);
}
