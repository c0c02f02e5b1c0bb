/** Models other than the built-in one, in their worker in a real Chromium: threads, kept files, external data. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { POCKET } from '#lib/engine/pocket.ts';
import { KEPT_NAMES, type RecordedModel } from '#workers/messages.ts';
import type { decoders as Decoders, Wish } from '../fixtures/decoders/page.ts';
import { external, halved } from '../fixtures/onnx/variants.ts';
import { THOROUGH } from '../thorough.ts';
import { makeReference } from '../vectors/pocket-reference.make.ts';
import { openDecodersPage, type DecodersPage } from './decoders-page.ts';

declare const decoders: typeof Decoders;

const PATIENCE_MS = 120_000;
const pocketFile = (name: string) => readFileSync(new URL(`../../models/pocket/${name}`, import.meta.url));
const recorded = (bytes: Uint8Array) => ({
	sha256: createHash('sha256').update(bytes).digest('hex'),
	bytes: bytes.length
});

const { graph, files } = external();
const half = halved();
const served = new Map<string, Uint8Array>([
	['model/weights.onnx', graph],
	['model/half.onnx', half],
	['model/tokenizer.json', pocketFile('tokenizer.json')],
	['model/tokenizer_config.json', pocketFile('tokenizer_config.json')],
	['model/reference.json', makeReference('fp32')],
	['model/q4.onnx', pocketFile('model_q4.onnx')],
	['model/q4-reference.json', makeReference('q4')],
	...files.map(({ bytes }, i): [string, Uint8Array] => [`model/external-${i}`, bytes])
]);
const bytesOf = (name: string) => served.get(`model/${name}`) as Uint8Array;
const MODEL: RecordedModel = {
	...POCKET,
	id: 'pocket-external',
	precision: 'fp32',
	files: { ...POCKET.files, weights: recorded(graph), reference: recorded(bytesOf('reference.json')) },
	external: files.map(({ location, bytes }) => ({ location, ...recorded(bytes) }))
};
const ADDRESSES = {
	weights: './model/weights.onnx',
	tokenizer: './model/tokenizer.json',
	tokenizerConfig: './model/tokenizer_config.json',
	reference: './model/reference.json',
	external: files.map((_, i) => `./model/external-${i}`)
};
const Q4 = {
	model: { ...POCKET, files: { ...POCKET.files, reference: recorded(makeReference('q4')) } },
	source: {
		kind: 'addresses',
		addresses: { ...ADDRESSES, weights: './model/q4.onnx', reference: './model/q4-reference.json', external: [] }
	}
} as const;

let rig: DecodersPage;
beforeAll(async () => {
	rig = await openDecodersPage(served);
}, PATIENCE_MS);
afterAll(() => rig.close());

const ask = async (isolated: boolean, wish: Wish) => {
	const page = await rig.open(isolated);
	try {
		expect(await page.evaluate(() => decoders.isolated())).toBe(isolated);
		const given = await page.evaluate((wanted) => decoders.answer(wanted), wish);
		if (given.code !== undefined) throw new Error(given.message);
		return given;
	} finally {
		await page.close();
	}
};

it(
	'answers from weights beside their graph as from weights inside it',
	async () => {
		const given = await ask(false, { model: MODEL, source: { kind: 'addresses', addresses: ADDRESSES }, tokens: 40 });
		expect(given).toMatchObject({ engineClass: 'ort-wasm-1t', verifiable: true, device: { threads: 1 } });
		expect(given.answer.length).toBe(40);
	},
	PATIENCE_MS
);

it(
	'takes weights, state and logits in half precision, and tests them against themselves',
	async () => {
		const { weights: _, reference: _of, ...rest } = POCKET.files;
		const model: RecordedModel = {
			...POCKET,
			id: 'pocket-half',
			precision: 'fp16',
			files: { ...rest, weights: recorded(half) }
		};
		const addresses = { ...ADDRESSES, weights: './model/half.onnx', external: [] };
		const given = await ask(false, { model, source: { kind: 'addresses', addresses }, tokens: 24 });
		expect(given.selfTest).toMatchObject({ kind: 'consistency' });
		expect(given.answer.length).toBe(24);
	},
	PATIENCE_MS
);

it.runIf(THOROUGH)(
	'computes with two threads where memory can be shared, in a class of its own, and with one where not',
	async () => {
		const one = await ask(true, { ...Q4, threads: 1, tokens: 24 });
		const two = await ask(true, { ...Q4, threads: 2, tokens: 24 });
		expect(one.engineClass).toBe('ort-wasm-1t');
		expect(two).toMatchObject({ engineClass: 'ort-wasm-2t', device: { threads: 2 } });
		expect(two.engineHash).not.toBe(one.engineHash);
		expect(two.answer).toEqual(one.answer);
		// Not isolated: the wish for two cannot be met, and the card says so.
		const alone = await ask(false, { ...Q4, threads: 2, tokens: 24 });
		expect(alone).toMatchObject({ engineClass: 'ort-wasm-1t', engineHash: one.engineHash, answer: one.answer });
		expect(alone.logits).toEqual(one.logits);
		process.stdout.write(
			`tok/s: 1 thread ${one.tokensPerSecond.toFixed(0)}, 2 threads ${two.tokensPerSecond.toFixed(0)}\n`
		);
	},
	PATIENCE_MS
);

it(
	'answers from kept files, and refuses them when one was changed, grew or is gone',
	async () => {
		const page = await rig.open(false);
		const names = Object.fromEntries(
			['weights', 'tokenizer', 'tokenizerConfig', 'reference'].map((name) => {
				const kept = KEPT_NAMES[name as keyof typeof KEPT_NAMES];
				return [kept, `./model/${kept}`];
			})
		);
		const all = { ...names, 'external-0': './model/external-0', 'external-1': './model/external-1' };
		const wish = (folder: string): Wish => ({ model: MODEL, source: { kind: 'kept', folder }, tokens: 8 });
		const codeOf = async (folder: string) =>
			(await page.evaluate((wanted) => decoders.answer(wanted), wish(folder))).code;
		await page.evaluate(([files]) => decoders.keep('whole', files), [all] as const);
		const given = await page.evaluate((wanted) => decoders.answer(wanted), wish('whole'));
		expect(given).toMatchObject({ code: undefined, contextTokens: 1024 });
		const damaged = bytesOf('external-1').slice();
		damaged[1_000_000] = (damaged[1_000_000] as number) ^ 1;
		served.set('model/damaged', damaged);
		await page.evaluate(([files]) => decoders.keep('damaged', files), [
			{ ...all, 'external-1': './model/damaged' }
		] as const);
		expect(await codeOf('damaged')).toBe('weights-corrupt');
		await page.evaluate(([files]) => decoders.keep('grown', files), [
			{ ...all, 'external-1': './model/external-0' }
		] as const);
		expect(await codeOf('grown')).toBe('weights-corrupt');
		await page.evaluate(([files]) => decoders.keep('partly', files), [names] as const);
		expect(await codeOf('partly')).toBe('engine-load-failed');
		expect(await codeOf('nowhere')).toBe('engine-load-failed');
		await page.close();
	},
	PATIENCE_MS
);
