import { describe, expect, test } from 'vitest';
import { CONTESTANTS, orderAt, type Contestant } from '../../bench/engines/contest.ts';
import { pocketToGguf, type LlamaConfig } from '../../bench/engines/convert.ts';
import { readGguf, writeGguf } from '../../bench/engines/gguf.ts';
import { measured, type Turn } from '../../bench/engines/measure.ts';
import { parseStatus, parseTicks } from '../../bench/engines/memory.ts';
import { readOnnx } from '../../bench/engines/onnx.ts';
import { longPrompt, shortPrompt } from '../../bench/engines/prompts.ts';
import { pairsOf, reportEngines } from '../../bench/engines/report.ts';

// ── ONNX files, as small as they come ────────────────────────────────────────────────────────────────────────────────

type Made = Readonly<Record<string, { readonly dims: readonly number[]; readonly bytes: Uint8Array }>>;

function varint(value: number): number[] {
	return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}

function field(number: number, bytes: Uint8Array | readonly number[]): number[] {
	return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

function onnxOf(tensors: Made): Uint8Array {
	const initializers = Object.entries(tensors).flatMap(([name, { dims, bytes }], i) =>
		field(5, [
			// Both ways of writing a list of numbers.
			...(i % 2 === 0 ? dims.flatMap((dim) => [8, ...varint(dim)]) : field(1, dims.flatMap(varint))),
			...field(8, new TextEncoder().encode(name)),
			...field(9, bytes)
		])
	);
	return Uint8Array.from([8, 8, ...field(7, initializers)]);
}

const floats = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);

describe('reading ONNX', () => {
	test('finds every initializer with its dimensions and bytes', () => {
		const found = readOnnx(
			onnxOf({ a: { dims: [2, 300], bytes: floats(1, 2) }, b: { dims: [3, 5], bytes: floats(3) } })
		);
		expect(found.get('a')).toEqual({ dims: [2, 300], bytes: floats(1, 2) });
		expect(found.get('b')).toEqual({ dims: [3, 5], bytes: floats(3) });
	});

	test('refuses a file that is cut short, and a tensor whose data lies elsewhere', () => {
		const whole = onnxOf({ a: { dims: [1], bytes: floats(1) } });
		expect(() => readOnnx(whole.subarray(0, -1))).toThrow(TypeError);
		const elsewhere = Uint8Array.from(field(7, field(5, field(8, [97]))));
		expect(() => readOnnx(elsewhere)).toThrow(/elsewhere/);
	});
});

describe('GGUF', () => {
	test('what is written is read back, and tensors begin at multiples of 32', () => {
		const file = writeGguf(
			new Map<string, Parameters<typeof writeGguf>[0] extends ReadonlyMap<string, infer V> ? V : never>([
				['general.architecture', 'llama'],
				['count', 7],
				['half', 0.5],
				['whole', { f32: 10_000 }],
				['flag', true],
				['words', ['Ġa', 'ü']],
				['kinds', { i32: [1, -3] }]
			]),
			[
				{ name: 'first', type: 'f32', dims: [3], bytes: floats(1, 2, 3) },
				{ name: 'second', type: 'q4_0', dims: [32, 1], bytes: new Uint8Array(18).fill(9) }
			]
		);
		const { metadata, tensors } = readGguf(file);
		expect(Object.fromEntries(metadata)).toEqual({
			'general.architecture': 'llama',
			count: 7,
			half: 0.5,
			whole: 10_000,
			flag: true,
			words: ['Ġa', 'ü'],
			kinds: [1, -3]
		});
		expect(tensors.map(({ name, type, dims }) => ({ name, type, dims }))).toEqual([
			{ name: 'first', type: 0, dims: [3] },
			{ name: 'second', type: 2, dims: [32, 1] }
		]);
		for (const { at } of tensors) expect(at % 32).toBe(0);
		expect(file.subarray(tensors[0]?.at, (tensors[0]?.at ?? 0) + 12)).toEqual(Buffer.from(floats(1, 2, 3)));
		expect(file.length % 32).toBe(0);
	});

	test('another file is refused', () => {
		expect(() => readGguf(new TextEncoder().encode('ONNX0000000000000000000000'))).toThrow(/version 3/);
	});
});

describe('the pocket model as GGUF', () => {
	const config: LlamaConfig = {
		hidden_size: 32,
		num_hidden_layers: 0,
		num_attention_heads: 2,
		num_key_value_heads: 1,
		head_dim: 4,
		intermediate_size: 32,
		vocab_size: 2,
		rms_norm_eps: 1e-5,
		rope_theta: 10_000,
		max_position_embeddings: 64,
		bos_token_id: 0,
		eos_token_id: 1
	};
	const tokenizer = {
		added_tokens: [{ id: 0 }],
		model: { vocab: { b: 1, '<|end|>': 0 }, merges: [['a', 'b'] as const, 'c d'] }
	};
	const convert = (tensors: Made, change: Partial<LlamaConfig> = {}) => {
		const weights = onnxOf(tensors);
		const file = pocketToGguf({ config: { ...config, ...change }, tokenizer, chatTemplate: 'T', weights });
		return { file, ...readGguf(file) };
	};
	const ends: Made = {
		'model.embed_tokens.weight': { dims: [2, 2], bytes: floats(1, 2, 3, 4) },
		'/model/layers.0/final_norm_layernorm/LayerNorm.weight': { dims: [2], bytes: floats(5, 6) }
	};
	const read = (file: Uint8Array, at: number, count: number) =>
		Array.from({ length: count }, (_, i) => new DataView(file.buffer, file.byteOffset).getFloat32(at + 4 * i, true));

	test('words, their kinds and merges are in order; the embedding is the output too', () => {
		const { metadata, tensors, file } = convert(ends);
		expect(metadata.get('tokenizer.ggml.tokens')).toEqual(['<|end|>', 'b']);
		expect(metadata.get('tokenizer.ggml.token_type')).toEqual([3, 1]);
		expect(metadata.get('tokenizer.ggml.merges')).toEqual(['a b', 'c d']);
		expect(metadata.get('tokenizer.ggml.add_bos_token')).toBe(false);
		expect(metadata.get('llama.rope.freq_base')).toBe(10_000);
		expect(tensors.map(({ name }) => name)).toEqual(['token_embd.weight', 'output_norm.weight']);
		expect(read(file, tensors[0]?.at ?? 0, 4)).toEqual([1, 2, 3, 4]);
	});

	test('matrices are transposed; the rows of queries and keys are shuffled within each head', () => {
		const layer = '/model/layers.0';
		// Two inputs, two heads of four outputs: number = 100 × input + output.
		const wide = {
			dims: [2, 8],
			bytes: floats(...[0, 1].flatMap((i) => [0, 1, 2, 3, 4, 5, 6, 7].map((o) => 100 * i + o)))
		};
		const narrow = { dims: [2, 4], bytes: floats(...[0, 1].flatMap((i) => [0, 1, 2, 3].map((o) => 100 * i + o))) };
		const norm = { dims: [2], bytes: floats(1, 1) };
		const { tensors, file } = convert(
			{
				...ends,
				'/model/layers.1/final_norm_layernorm/LayerNorm.weight': norm,
				[`${layer}/input_layernorm/LayerNorm.weight`]: norm,
				[`${layer}/post_attention_layernorm/LayerNorm.weight`]: norm,
				[`${layer}/attn/q_proj/MatMul.weight`]: wide,
				[`${layer}/attn/k_proj/MatMul.weight`]: narrow,
				...Object.fromEntries(
					['attn/v_proj', 'attn/o_proj', 'mlp/gate_proj', 'mlp/up_proj', 'mlp/down_proj'].map((name) => [
						`${layer}/${name}/MatMul.weight`,
						narrow
					])
				)
			},
			{ num_hidden_layers: 1 }
		);
		const rows = (name: string) => {
			const tensor = tensors.find((each) => each.name === name);
			return { dims: tensor?.dims, numbers: read(file, tensor?.at ?? 0, 2 * (tensor?.dims[1] ?? 0)) };
		};
		expect(rows('blk.0.attn_v.weight')).toEqual({ dims: [2, 4], numbers: [0, 100, 1, 101, 2, 102, 3, 103] });
		expect(rows('blk.0.attn_k.weight')).toEqual({ dims: [2, 4], numbers: [0, 100, 2, 102, 1, 101, 3, 103] });
		expect(rows('blk.0.attn_q.weight').numbers.filter((_, i) => i % 2 === 0)).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
	});

	test('4-bit blocks keep their numbers; the scale becomes half precision', () => {
		// One row of one block: numbers 0, 1, … 15, 0, 1, … 15, two to a byte, the earlier one in the low half.
		const packed = Uint8Array.from({ length: 16 }, (_, i) => ((2 * i) % 16) | (((2 * i + 1) % 16) << 4));
		const { tensors, file } = convert({
			...ends,
			'/lm_head/MatMul.weight_Q4': { dims: [1, 1, 16], bytes: packed },
			'/lm_head/MatMul.scales': { dims: [1], bytes: floats(0.1) }
		});
		const output = tensors.find(({ name }) => name === 'output.weight');
		expect(output).toMatchObject({ type: 2, dims: [32, 1] });
		const block = file.subarray(output?.at, (output?.at ?? 0) + 18);
		// 0.1 is 0x2e66 in half precision.
		expect([...block.subarray(0, 2)]).toEqual([0x66, 0x2e]);
		expect([...block.subarray(2)]).toEqual(Array.from({ length: 16 }, (_, i) => i | (i << 4)));
	});

	test('a file without a tensor that is needed is refused by its name', () => {
		expect(() => convert({})).toThrow(/model\.embed_tokens\.weight/);
	});
});

// ── Rounds, answers, pages ───────────────────────────────────────────────────────────────────────────────────────────

describe('the contest', () => {
	test('everybody is once in each round, and two rounds are one order there and back', () => {
		const rounds = Array.from({ length: 12 }, (_, round) => orderAt(round));
		for (const order of rounds) expect(new Set(order)).toEqual(new Set(CONTESTANTS));
		for (const pair of [0, 2, 4]) expect(rounds[pair + 1]).toEqual([...(rounds[pair] ?? [])].reverse());
		for (const place of CONTESTANTS.keys())
			expect(new Set(rounds.map((order) => order[place]))).toEqual(new Set(CONTESTANTS));
	});

	test('the prompts of neighbouring rounds differ', () => {
		expect(shortPrompt(0)).not.toEqual(shortPrompt(1));
		expect(longPrompt(0)).not.toEqual(longPrompt(1));
		expect(shortPrompt(-1)[0]?.content).toMatch(/capital of \w+\?/);
	});

	test('rates of one answer; an answer of another length is refused', () => {
		const answer = {
			text: 'x',
			promptTokens: 100,
			tokensAt: [500, 510, 520, 540],
			endedAt: 541,
			own: { prefillMs: 400, decodeMs: 40 }
		};
		expect(measured(answer, 4)).toEqual({
			promptTokens: 100,
			firstTokenMs: 500,
			prefillRate: 200,
			decodeRate: 75,
			own: { prefillRate: 250, decodeRate: 100 },
			text: 'x'
		});
		expect(() => measured(answer, 5)).toThrow(/4 tokens instead of 5/);
	});

	test('memory and time of a process are read from the kernel’s words', () => {
		expect(parseStatus('Name:\tchromium\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n')).toEqual({
			now: 2 ** 20,
			peak: 2 ** 21
		});
		expect(parseStatus('Name:\tkthreadd\n')).toBeUndefined();
		expect(parseTicks('7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0')).toBe(42);
	});
});

describe('the page of a result', () => {
	const turn = (contestant: Contestant, round: number, loadMs: number): Turn => {
		const answer = { promptTokens: 10, firstTokenMs: 1, prefillRate: 2, decodeRate: 3, own: undefined, text: 'same' };
		return {
			...{ round, contestant, loadMs, coldFirstTokenMs: 5, short: answer, long: answer },
			...{ peakBytes: 2 ** 20, endBytes: undefined, busyCores: 1, loadAverage: 0 }
		};
	};
	const turns = [0, 1, 2].flatMap((round) =>
		CONTESTANTS.map((contestant) =>
			turn(contestant, round, contestant.library === 'fireweed' ? 200 : 100 + 100 * round)
		)
	);

	test('ratios are made round by round, and rounds that lack one are left out', () => {
		const peer: Contestant = { library: 'wllama', weights: 'q4' };
		expect(pairsOf(turns, peer, ({ loadMs }) => loadMs)).toEqual([2, 1, 200 / 300]);
		const without = turns.filter(({ round, contestant }) => round !== 1 || contestant.library !== 'wllama');
		expect(pairsOf(without, peer, ({ loadMs }) => loadMs)).toEqual([2, 200 / 300]);
		expect(pairsOf(turns, peer, ({ endBytes }) => endBytes)).toEqual([]);
	});

	test('it names every contestant, machine and method, and says when it was forced and what failed', () => {
		const page = reportEngines({
			startedAt: '2026-11-21T10:00:00.000Z',
			endedAt: '2026-11-21T10:05:00.000Z',
			loadBefore: 2,
			loadAfter: 1,
			busyAtStart: true,
			machine: {
				...{ cpu: 'a processor', cores: 2, memoryGiB: 8, system: 'Linux', node: 'v24', chromium: '156' },
				...{ commit: 'abc', changed: [] }
			},
			peers: { '@wllama/wllama': '1.2.3' },
			rounds: 3,
			tokens: 128,
			proofs: CONTESTANTS.map((contestant) => ({ contestant, same: 10, of: 10 })),
			turns,
			failures: ['round 1, wllama q4: gone'],
			needed: CONTESTANTS.map((contestant) => ({
				contestant,
				files: [
					{ path: '/a.wasm', bytes: 2_000_000, gzipBytes: 1_000_000 },
					{ path: '/b.mjs', bytes: 1_000_000, gzipBytes: 500_000 }
				]
			}))
		});
		for (const part of ['Fireweed q4', 'wllama fp32', 'transformers.js q4', 'a processor', 'forced', 'gone', '1.2.3'])
			expect(page).toContain(part);
		expect(page).toContain('| load, ms | 200 (200–200) | 200 (150–250) | 200 (150–250) |');
		expect(page).toContain('| Fireweed q4 | 1.00 / 0.50 | 2.00 / 1.00 | 0.00 / 0.00 | 3.00 / 1.50 |');
		expect(page).toContain('| wllama q4 | 10 of 10 | 6 of 6 |');
		expect(page).not.toMatch(/NaN|undefined/);
	});
});
