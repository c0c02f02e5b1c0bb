/** Graphs by the names and shapes of their ends, and what is fed to them: with sessions that are made up. */
import * as ort from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { contextFor, MOST_WEIGHT_BYTES, silentSecondsFor, threadsFor } from '#lib/engine/cpu-limits.ts';
import type { TensorFact } from '#workers/cpu/graph.ts';
import { fromHalf } from '#workers/cpu/half.ts';
import { decoderLayout, stateBytes } from '#workers/cpu/layout.ts';
import { failure, modelOver, type Session } from '#workers/cpu/model.ts';
import { toHalf } from '../fixtures/onnx/half.ts';

const fact = (name: string, type: string, shape: (number | string)[]): TensorFact => ({ name, type, shape });
const IDS = fact('input_ids', 'int64', ['b', 's']);
const MASK = fact('attention_mask', 'int64', ['b', 't']);
const KEY = fact('past_key_values.0.key', 'float32', ['b', 2, 'p', 4]);
const VALUE = { ...KEY, name: 'past_key_values.0.value' };
const LOGITS = fact('logits', 'float32', ['b', 's', 10]);
const PRESENT = ['key', 'value'].map((kind) => fact(`present.0.${kind}`, 'float32', ['b', 2, 't', 4]));

const refusal = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		return `${codeOf(error)} ${error instanceof Refusal ? error.message : ''}`;
	}
	return 'not refused';
};

describe('a decoder', () => {
	it('is found by its names', () => {
		const layout = decoderLayout([IDS, MASK, KEY, VALUE], [LOGITS, ...PRESENT]);
		expect(layout).toMatchObject({
			mask: { name: 'attention_mask' },
			positions: undefined,
			keep: undefined,
			logitsWidth: 10
		});
		expect(layout.past.map(({ input, output }) => [input, output])).toEqual([
			['past_key_values.0.key', 'present.0.key'],
			['past_key_values.0.value', 'present.0.value']
		]);
		expect(stateBytes(layout)).toBe(2 * 2 * 4 * 4);
	});

	it('may leave a size to one end of the loop', () => {
		const open = (each: TensorFact) => ({ ...each, shape: ['b', 'heads', 'p', ''] });
		expect(decoderLayout([IDS, open(KEY), open(VALUE)], [LOGITS, ...PRESENT]).past[0]).toMatchObject({
			heads: 2,
			width: 4
		});
	});

	it.each<[string, TensorFact[], TensorFact[]]>([
		['merged', [IDS, fact('use_cache_branch', 'bool', [1]), KEY], [LOGITS, ...PRESENT]],
		['encoder', [IDS, fact('encoder_hidden_states', 'float32', []), KEY], [LOGITS, ...PRESENT]],
		['embeddings', [fact('inputs_embeds', 'float32', []), KEY], [LOGITS, ...PRESENT]],
		['no input input_ids', [MASK, KEY], [LOGITS, ...PRESENT]],
		['no keys and values', [IDS, MASK], [LOGITS]],
		['no output for past_key_values.0.key', [IDS, KEY], [LOGITS]],
		['an input token_type_ids', [IDS, KEY, VALUE, fact('token_type_ids', 'int64', [])], [LOGITS, ...PRESENT]],
		['no output logits', [IDS, KEY, VALUE], PRESENT],
		['logits of type int8', [IDS, KEY, VALUE], [{ ...LOGITS, type: 'int8' }, ...PRESENT]],
		['input_ids of type float32', [{ ...IDS, type: 'float32' }, KEY, VALUE], [LOGITS, ...PRESENT]],
		['past_key_values.0.key of type int8', [IDS, { ...KEY, type: 'int8' }, VALUE], [LOGITS, ...PRESENT]],
		[
			'past_key_values.0.key of unknown shape',
			[IDS, { ...KEY, shape: ['b', 'h', 'p', 'w'] }],
			[LOGITS, ...PRESENT.map((each) => ({ ...each, shape: ['b', 'h', 't', 'w'] }))]
		]
	])('is refused by name: %s', (what, inputs, outputs) => {
		expect(refusal(() => decoderLayout(inputs, outputs))).toMatch(new RegExp(`^model-unsupported.*${what}`));
	});
});

/** A session that notes what it was fed and answers in the given types. */
function session(inputs: readonly TensorFact[], type: 'float32' | 'float16', width = 10, kept = true) {
	const fed: Record<string, ort.Tensor>[] = [];
	const made = (data: Float32Array, dims: number[]) =>
		new ort.Tensor(type, (type === 'float32' ? data : new Uint16Array(toHalf(data).buffer)) as Float32Array, dims);
	const outputs = [LOGITS, ...PRESENT].map((each) => ({
		...each,
		type,
		shape: each === LOGITS ? ['b', 's', ''] : each.shape
	}));
	const metadata = (facts: readonly TensorFact[]) =>
		facts.map((each) => ({ ...each, isTensor: true })) as ort.InferenceSession.ValueMetadata[];
	const fake: Session = {
		inputMetadata: metadata(inputs),
		outputMetadata: metadata(outputs),
		async run(feeds: ort.InferenceSession.OnnxValueMapType) {
			const given = feeds as Record<string, ort.Tensor>;
			fed.push(given);
			const tokens = (given.input_ids as ort.Tensor).dims[1] as number;
			const length = ((given['past_key_values.0.key'] as ort.Tensor).dims[2] as number) + (kept ? tokens : 0);
			const state = () =>
				made(
					Float32Array.from({ length: 2 * length * 4 }, (_, i) => i),
					[1, 2, length, 4]
				);
			const logits = Float32Array.from({ length: tokens * width }, (_, i) => i % width);
			return { logits: made(logits, [1, tokens, width]), 'present.0.key': state(), 'present.0.value': state() };
		},
		release: async () => {}
	};
	return { fake, fed };
}

describe('a model over a session', () => {
	it('feeds what the graph takes, in its types', async () => {
		const inputs = [
			{ ...IDS, type: 'int32' },
			MASK,
			fact('position_ids', 'int64', ['b', 's']),
			fact('num_logits_to_keep', 'int64', []),
			KEY,
			VALUE
		];
		const { fake, fed } = session(inputs, 'float32');
		const model = modelOver(ort, fake, 10);
		const first = await model.forward([7, 8, 9], model.empty);
		await model.forward([4], first.past);
		const plain = fed.map((feeds) =>
			['input_ids', 'attention_mask', 'position_ids', 'num_logits_to_keep'].map((name) => {
				const { type, dims, data } = feeds[name] as ort.Tensor;
				return [type, dims, [...(data as BigInt64Array)].map(Number)];
			})
		);
		expect(plain).toEqual([
			[
				['int32', [1, 3], [7, 8, 9]],
				['int64', [1, 3], [1, 1, 1]],
				['int64', [1, 3], [0, 1, 2]],
				['int64', [], [0]]
			],
			[
				['int32', [1, 1], [4]],
				['int64', [1, 4], [1, 1, 1, 1]],
				['int64', [1, 1], [3]],
				['int64', [], [0]]
			]
		]);
	});

	it('takes half precision for keys, values and logits, and cuts them', async () => {
		const half = [KEY, VALUE].map((each) => ({ ...each, type: 'float16' }));
		const { fake, fed } = session([IDS, MASK, ...half], 'float16');
		const model = modelOver(ort, fake, 10);
		expect(model.stateBytes).toBe(2 * 2 * 4 * 2);
		const { rows, past } = await model.forward([1, 2], model.empty);
		expect(rows.map((row) => [...row])).toEqual([0, 1].map(() => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
		const cut = model.cut(past, 1);
		await model.forward([3], cut);
		const key = fed[1]?.['past_key_values.0.key'] as ort.Tensor;
		expect([key.type, key.dims]).toEqual(['float16', [1, 2, 1, 4]]);
		expect([...fromHalf(key.data as Uint16Array)]).toEqual([0, 1, 2, 3, 8, 9, 10, 11]);
	});

	it('never hands out columns that no token has', async () => {
		const { fake } = session([IDS, MASK, KEY, VALUE], 'float32', 16);
		const { rows } = await modelOver(ort, fake, 10).forward([1, 2], modelOver(ort, fake, 10).empty);
		expect(rows.map((row) => row.length)).toEqual([10, 10]);
		expect(rows[1]?.[9]).toBe(9);
	});

	it('refuses a graph with fewer columns than tokens, or whose state does not grow', async () => {
		const few = modelOver(ort, session([IDS, MASK, KEY, VALUE], 'float32', 8).fake, 10);
		await expect(few.forward([1], few.empty)).rejects.toMatchObject({ code: 'model-unsupported' });
		const fixed = modelOver(ort, session([IDS, MASK, KEY, VALUE], 'float32', 10, false).fake, 10);
		await expect(fixed.forward([1], fixed.empty)).rejects.toMatchObject({ code: 'model-unsupported' });
	});

	it('tells want of memory and want of an operator from other failures', () => {
		const code = (text: string) => failure(new Error(text), 'engine-failed').code;
		expect(code('std::bad_alloc')).toBe('out-of-memory');
		expect(code('Aborted(OOM). Out of memory')).toBe('out-of-memory');
		expect(code("Can't create a session. failed to allocate a buffer of size 2000000000.")).toBe('out-of-memory');
		expect(failure(new RangeError('Invalid array length'), 'engine-failed').code).toBe('out-of-memory');
		expect(code('ERROR_CODE: 9, ERROR_MESSAGE: Could not find an implementation for Foo(1) node')).toBe(
			'model-unsupported'
		);
		expect(code('ERROR_CODE: 1, ERROR_MESSAGE: /src/nn.cc:7 bad shape')).toBe('engine-failed');
		const loading = failure(
			new Error('ERROR_CODE: 6, ERROR_MESSAGE: /src/nn.cc:7 No Op registered'),
			'engine-load-failed'
		);
		expect(loading).toMatchObject({
			code: 'model-unsupported',
			message: expect.stringMatching(/\(No Op registered\)$/)
		});
		expect(code('anything else')).toBe('engine-failed');
	});
});

describe('half precision', () => {
	it('is read exactly, every one of its numbers', () => {
		const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
		const found = fromHalf(bits);
		const finite = Float32Array.from([...found].filter((value) => Number.isFinite(value)));
		expect(finite.length).toBe(65_536 - 2 * 1024);
		// Written back by another way: zeros keep their sign.
		const again = new Uint16Array(toHalf(finite).buffer);
		expect([...again]).toEqual([...bits].filter((each) => (each & 0x7c00) !== 0x7c00));
		expect([found[0x7c00], found[0xfc00], found[0x3c00], found[0x0001]]).toEqual([
			Number.POSITIVE_INFINITY,
			Number.NEGATIVE_INFINITY,
			1,
			2 ** -24
		]);
		expect(found[0x7e00]).toBeNaN();
	});
});

describe('limits', () => {
	const MIB = 2 ** 20;
	it('give threads to large models on isolated pages only, one for every real core', () => {
		expect(threadsFor(500 * MIB, 8, false)).toBe(1);
		expect(threadsFor(5 * MIB, 8, true)).toBe(1);
		expect(threadsFor(500 * MIB, 8, true)).toBe(4);
		expect(threadsFor(500 * MIB, 64, true)).toBe(8);
		expect([1, 2, 4].map((cores) => threadsFor(500 * MIB, cores, true))).toEqual([1, 2, 2]);
	});

	it('wait longer for larger models', () => {
		expect(silentSecondsFor(5 * MIB)).toBeLessThan(25);
		expect(silentSecondsFor(MOST_WEIGHT_BYTES)).toBeGreaterThan(120);
	});

	it('hold as much context as memory allows, in whole passes', () => {
		expect(contextFor(1024, 6144)).toBe(1024);
		// Llama 3.2 1B in single precision: 16 layers, 8 heads of 64, keys and values.
		const llama = 16 * 8 * 64 * 2 * 4;
		expect(contextFor(131_072, llama)).toBe(4096);
		expect(contextFor(2048, llama)).toBe(2048);
		expect(contextFor(131_072, 40_000) % 32).toBe(0);
	});
});
