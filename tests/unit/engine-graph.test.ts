/** What is read out of an ONNX file, which may be a stranger's. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import { describeGraph, GRAPH_LIMITS } from '#workers/cpu/graph.ts';
import { changed, dynamic, external, halved, padded } from '../fixtures/onnx/variants.ts';
import { integer, node, openOnnx, subgraph, TYPE, writeOnnx } from '../fixtures/onnx/graph.ts';
import { all, read, write, type Field } from '../fixtures/onnx/proto.ts';

const pocket = (weights: string) =>
	new Uint8Array(readFileSync(new URL(`../../models/pocket/model_${weights}.onnx`, import.meta.url)));
const FP32 = pocket('fp32');

/** A reader that counts. */
function far(bytes: Uint8Array) {
	const seen = { reads: 0, bytes: 0 };
	const readAt = async (offset: number, length: number) => {
		seen.reads++;
		const found = bytes.subarray(offset, offset + length);
		seen.bytes += found.length;
		return found;
	};
	return { readAt, seen };
}
const describeAll = (bytes: Uint8Array, limits = GRAPH_LIMITS) =>
	describeGraph(far(bytes).readAt, bytes.length, limits);
const codeIn = (work: Promise<unknown>) => work.then(() => 'not refused', codeOf);

describe('a graph', () => {
	it('says how its weights are kept', async () => {
		expect((await describeAll(FP32)).precision).toBe('fp32');
		expect((await describeAll(pocket('q4'))).precision).toBe('q4');
		expect((await describeAll(halved())).precision).toBe('fp16');
		expect((await describeAll(dynamic())).precision).toBe('int8');
		const bits = (value: number) =>
			changed((graph) => graph.nodes.push(node('MatMulNBits', [], ['x'], [integer('bits', value)], 'com.microsoft')));
		expect((await describeAll(bits(8))).precision).toBe('q8');
		expect((await describeAll(bits(2))).precision).toBe('unknown');
	});

	it('cannot hide what makes it unverifiable in a branch or in a function', async () => {
		const hidden = write([[4, 'DynamicQuantizeLinear']]);
		const inBranch = changed((graph) =>
			graph.nodes.push(
				node(
					'If',
					['x'],
					['y'],
					[subgraph('then_branch', [[1, write([[4, 'If'], subgraph('then_branch', [[1, hidden]])])]])]
				)
			)
		);
		expect((await describeAll(inBranch)).precision).toBe('int8');
		const inFunction = write([
			...read(FP32),
			[
				25,
				write([
					[1, 'Harmless'],
					[7, hidden]
				])
			]
		]);
		expect((await describeAll(inFunction)).precision).toBe('int8');
	});

	it('names its inputs, outputs and what lies beside it', async () => {
		const { inputs, outputs, external: none } = await describeAll(FP32);
		expect(inputs.map(({ name }) => name).slice(0, 3)).toEqual([
			'input_ids',
			'attention_mask',
			'past_key_values.0.key'
		]);
		expect(inputs[2]).toEqual({
			name: 'past_key_values.0.key',
			type: 'float32',
			shape: ['batch_size', 4, 'past_sequence_length', 32]
		});
		expect(outputs[0]).toEqual({ name: 'logits', type: 'float32', shape: ['batch_size', 'sequence_length', 2048] });
		expect(none).toEqual([]);
		const { graph, files } = external();
		const beside = (await describeAll(graph)).external;
		expect(new Set(beside.map(({ location }) => location))).toEqual(new Set(files.map(({ location }) => location)));
		for (const { location, bytes } of files) {
			const ends = beside
				.filter((range) => range.location === location)
				.map(({ offset, length = 0 }) => offset + length);
			expect(Math.max(...ends)).toBe(bytes.length);
		}
		// Weights that are listed as inputs too, as before ONNX 1.4, are none.
		const old = changed((each) => {
			const [first] = each.tensors;
			if (first !== undefined) each.inputs.push({ name: first.name, type: first.type, dims: first.dims });
		});
		expect((await describeAll(old)).inputs.length).toBe(inputs.length);
	});

	it('is read without its tensors, in few pieces', async () => {
		const { readAt, seen } = far(FP32);
		await describeGraph(readAt, FP32.length);
		expect(seen.bytes).toBeLessThan(FP32.length / 50);
		expect(seen.reads).toBeLessThan(60);
		const { graph } = external();
		const beside = far(graph);
		await describeGraph(beside.readAt, graph.length);
		expect(beside.seen.reads).toBeLessThan(5);
	});
});

describe('bytes of a stranger', () => {
	const REFUSALS = ['model-unsupported', 'oversized'];

	it('that are no graph are refused', async () => {
		for (const bytes of [[], [7, 7, 7, 7], [0x3a, 0], [0x3a, 200, 1, 5], [0x3a, 2, 0xff, 0xff], [0x3b, 0]]) {
			expect(REFUSALS).toContain(await codeIn(describeAll(Uint8Array.from(bytes))));
		}
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
				expect(REFUSALS).toContain(await codeIn(describeAll(bytes)));
			}),
			{ numRuns: 500 }
		);
	});

	it('that were a graph and were changed are read or refused, never more and never slowly', async () => {
		// The graph without its tensors: every changed byte is one that is looked at.
		const bare = changed((graph) => {
			graph.tensors = graph.tensors.map((tensor) => ({ ...tensor, raw: new Uint8Array(8) }));
		});
		const started = performance.now();
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(fc.nat(bare.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
				fc.option(fc.nat(bare.length)),
				async (changes, length) => {
					const bytes = bare.slice(0, length ?? bare.length);
					for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
					expect([...REFUSALS, 'not refused']).toContain(await codeIn(describeAll(bytes)));
				}
			),
			{ numRuns: 150 }
		);
		expect(performance.now() - started).toBeLessThan(15_000);
	});

	it('that come shorter than they were said to be are refused', async () => {
		const cut = async (offset: number, length: number) => FP32.subarray(offset, Math.min(offset + length, 1000));
		expect(await codeIn(describeGraph(cut, FP32.length))).toBe('model-unsupported');
	});

	it('that go on for ever meet a limit', async () => {
		expect(await codeIn(describeAll(FP32, { ...GRAPH_LIMITS, fields: 500 }))).toBe('oversized');
		expect(await codeIn(describeAll(FP32, { ...GRAPH_LIMITS, reads: 10 }))).toBe('oversized');
		expect(await codeIn(describeAll(FP32, { ...GRAPH_LIMITS, bytes: 20_000 }))).toBe('oversized');
		let deep: Field[] = [[1, write([[4, 'Add']])]];
		for (let i = 0; i < 20; i++) deep = [[1, write([[4, 'If'], subgraph('then_branch', deep)])]];
		expect(await codeIn(describeAll(write([[7, write(deep)]])))).toBe('oversized');
		const long = changed((graph) => graph.nodes.push(node('x'.repeat(10_000), [], [])));
		expect(await codeIn(describeAll(long))).toBe('oversized');
	});
});

describe('the test’s own writer', () => {
	it('gives back the graph it read', () => {
		const again = writeOnnx(openOnnx(FP32));
		expect(Buffer.compare(again, writeOnnx(openOnnx(again)))).toBe(0);
		const facts = (bytes: Uint8Array) =>
			openOnnx(bytes).tensors.map(({ raw, ...rest }) => ({ ...rest, bytes: raw.length }));
		expect(facts(again)).toEqual(facts(FP32));
		expect(all(read(again), 7).length).toBe(1);
	});

	it('names types as ONNX does', () => {
		expect(openOnnx(padded(64)).outputs.find(({ name }) => name === 'logits')).toEqual({
			name: 'logits',
			type: TYPE.float,
			dims: ['batch_size', 'sequence_length', 2112]
		});
	});
});
