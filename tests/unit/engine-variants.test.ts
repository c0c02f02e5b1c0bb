/** Graphs of other kinds, run by the real engine in Node: whole, through load and self-test. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { POCKET } from '#lib/engine/pocket.ts';
import type { Engine } from '#lib/ports/engine.ts';
import { GREEDY } from '#lib/protocol/sampler.ts';
import type { Bytes } from '#workers/cpu/files.ts';
import type { RecordedModel } from '#workers/messages.ts';
import { answer, codeIn, ENGINE_CASES, WARM } from '../compliance/engine.ts';
import { LONG } from '../compliance/engine-pocket.ts';
import { ortNode } from '../doubles/ort-node.ts';
import { TYPE } from '../fixtures/onnx/graph.ts';
import { THOROUGH } from '../thorough.ts';
import {
	changed,
	dynamic,
	external,
	halved,
	padded,
	positioned,
	wholeHalf,
	withInput
} from '../fixtures/onnx/variants.ts';
import exact from '../vectors/engine.json' with { type: 'json' };

const PATIENCE_MS = 120_000;
const never = () => new AbortController().signal;
const recorded = (bytes: Uint8Array) => ({
	sha256: createHash('sha256').update(bytes).digest('hex'),
	bytes: bytes.length
});

interface Variant {
	readonly graph: Bytes;
	readonly files?: readonly { readonly location: string; readonly bytes: Bytes }[];
}

/** The engine over a changed graph, with a record that fits it. */
function over({ graph, files = [] }: Variant, change: Partial<RecordedModel> = {}): Engine {
	const { reference: _pocket, ...rest } = POCKET.files;
	const record: RecordedModel = {
		...POCKET,
		id: 'variant',
		precision: 'unknown',
		files: { ...rest, weights: recorded(graph) },
		external: files.map(({ location, bytes }) => ({ location, ...recorded(bytes) })),
		...change
	};
	return ortNode({
		weights: 'fp32',
		record,
		spoil: (bytes) => {
			bytes.weights = graph;
			bytes.external = files.map((file) => file.bytes);
		}
	});
}

let engine: Engine | undefined;
afterEach(() => engine?.unload());
const opened = async (variant: Variant, change?: Partial<RecordedModel>) => {
	engine = over(variant, change);
	return { engine, ...(await engine.load(() => {}, never())) };
};
const greedily = async (from: Engine, maxTokens = 60) =>
	(await answer(from, { ...LONG, sampling: GREEDY, minTokens: 0, maxTokens })).tokens;

describe('the same numbers in another graph', () => {
	const variants: [string, () => Variant][] = [
		['weights in two files beside it', () => ({ graph: external().graph, files: external().files })],
		['position_ids', () => ({ graph: positioned() })],
		['a padded vocabulary', () => ({ graph: padded(64) })],
		['num_logits_to_keep', () => ({ graph: withInput('num_logits_to_keep', TYPE.int64, []) })]
	];
	it.each(variants)(
		'gives the recorded answer: %s',
		async (_, make) => {
			const { engine, card, selfTest } = await opened(make());
			expect(card).toMatchObject({ vocabularySize: 2048, verifiable: true, contextTokens: 1024 });
			expect(selfTest).toMatchObject({ kind: 'consistency' });
			const found = await answer(engine, { ...LONG, sampling: WARM, minTokens: 64, maxTokens: 64 });
			expect(found.tokens).toEqual(exact.fp32.tokens.slice(0, 64));
		},
		PATIENCE_MS
	);
});

describe('half precision', () => {
	const halves: [string, () => Bytes][] = [
		['everything', wholeHalf],
		['weights, state and logits', halved]
	];
	it.each(THOROUGH ? halves : halves.slice(0, 1))(
		'of %s says nearly what single precision says, and passes the suite’s main cases',
		async (_, make) => {
			const { engine, card } = await opened({ graph: make() });
			expect(card.verifiable).toBe(true);
			const single = ortNode({ weights: 'fp32' });
			await single.load(() => {}, never());
			const expected = await greedily(single);
			await single.unload();
			const found = await greedily(engine);
			// Rounded weights flip a close choice now and then, and everything after it: most of the answer must be the same.
			const same = found.findIndex((token, i) => token !== expected[i]);
			expect(same === -1 ? found.length : same).toBeGreaterThanOrEqual(30);
			const place = { fresh: async () => over({ graph: make() }), ready: async () => engine, model: true };
			const wanted = /goes on from given tokens|drops the oldest rounds|logits of every position/;
			for (const { run } of ENGINE_CASES.filter(({ name }) => wanted.test(name))) await run(place);
		},
		PATIENCE_MS
	);
});

describe('activations quantised on the fly', () => {
	it(
		'answer on this device, and are not verifiable whatever the record says',
		async () => {
			const { engine, card, selfTest } = await opened({ graph: dynamic() }, { precision: 'fp32' });
			expect(card.verifiable).toBe(false);
			// What an auditor would see of an honest run.
			expect(selfTest.worst).toBeGreaterThan(0.1);
			expect((await greedily(engine, 20)).length).toBeGreaterThan(0);
		},
		PATIENCE_MS
	);
});

describe('what cannot run', () => {
	it.each<[string, () => Variant, Partial<RecordedModel>, string]>([
		['a merged decoder', () => ({ graph: withInput('use_cache_branch', TYPE.bool, [1]) }), {}, 'model-unsupported'],
		[
			'a graph whose weights are not all there',
			() => ({ graph: external().graph, files: external().files.slice(0, 1) }),
			{},
			'model-unsupported'
		],
		[
			'an operator the library does not have',
			() => ({
				graph: changed(({ nodes }) => nodes.forEach((each) => (each.op = each.op === 'Sigmoid' ? 'Mystery' : each.op)))
			}),
			{},
			'model-unsupported'
		],
		['stop tokens beyond the vocabulary', () => ({ graph: positioned() }), { stopTokens: [2048] }, 'model-unsupported'],
		['no stop tokens', () => ({ graph: positioned() }), { stopTokens: [] }, 'model-unsupported'],
		['another vocabulary', () => ({ graph: positioned() }), { vocabularySize: 2049 }, 'model-unsupported']
	])(
		'is refused: %s',
		async (_, make, change, code) => {
			engine = over(make(), change);
			expect(await codeIn(() => (engine as Engine).load(() => {}, never()))).toBe(code);
		},
		PATIENCE_MS
	);

	it('is refused before anything is read: more weights than a WebAssembly memory takes', async () => {
		const { graph } = external();
		const large = { location: 'large', sha256: '0'.repeat(64), bytes: 2 ** 31 };
		engine = over({ graph }, { external: [large] });
		expect(await codeIn(() => (engine as Engine).load(() => {}, never()))).toBe('out-of-memory');
	});
});

it(
	'a context that would not fit the memory is capped, and the card says so',
	async () => {
		const { card } = await opened({ graph: positioned() }, { contextTokens: 131_072 });
		// 256 MiB of 6,144 bytes each, in whole prompt passes.
		expect(card.contextTokens).toBe(43_680);
	},
	PATIENCE_MS
);
