/**
 * WebLLM's real package in its real worker, on Chromium's software WebGPU: the port's acceptance cases, and everything that can happen to
 * files, caches, devices and workers. The compiled model library is a stand-in of ours (tests/fixtures/webllm); docs/spec/webllm.md says what
 * that leaves untried.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CDPSession } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rows } from '../compliance/engine-rows.ts';
import type { harness as Harness, Setup } from '../fixtures/webllm/page.ts';
import { fnv } from '../fixtures/webllm/spies.ts';
import { THOROUGH } from '../thorough.ts';
import { LIBRARY_FILE, listOf, modelAt, modelFolder, SHARDS, tensorsOf, type Folder } from './webllm-model.ts';
import type { WebllmModel } from '#workers/messages.ts';
import { openWebllmPage, type Lie, type WebllmPage } from './webllm-page.ts';

declare const harness: typeof Harness;

const PATIENCE_MS = 120_000;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const GOOD = modelFolder();
/** Two whole pieces of 8 MiB and a rest. */
const LARGE_BYTES = 20 * 2 ** 20;
const LARGE_SHARD = 'params_shard_2.bin';

let web: WebllmPage;
beforeAll(async () => {
	web = await openWebllmPage();
}, PATIENCE_MS);
afterAll(() => web.close());

/** A model of its own for each case: nothing is kept of it yet. */
let count = 0;
function model(mirrors: readonly string[], folder: Folder = GOOD, listed = true) {
	const list = listed ? listOf(folder) : undefined;
	return modelAt(`toy-${++count}`, mirrors.map(web.mirror), list);
}
async function setup(wanted: Setup): Promise<string> {
	await web.page.evaluate((init) => harness.setup(init), wanted);
	return wanted.model.id;
}
const load = (cancelAt?: number, accident?: 'lose' | 'starve') =>
	web.page.evaluate(([at, what]) => harness.load(at, what), [cancelAt, accident] as const);
const kept = (id: string) => web.page.evaluate((name) => harness.kept(name), id);
const answer = (tokens: number, accident?: 'lose' | 'starve') =>
	web.page.evaluate(([most, what]) => harness.answer(most, what), [tokens, accident] as const);
const written = async () => new Set((await web.page.evaluate(() => harness.written())).map(({ hash }) => hash));
const codeOf = (reply: Awaited<ReturnType<typeof load | typeof answer>>) => (reply.ok ? 'ok' : reply.code);

describe('the port', () => {
	// One session: an overridden quota ends with the one that ordered it.
	let session: CDPSession;
	const order = async (fault: 'corrupt' | 'junk' | 'full' | 'heal') => {
		const { origin } = new URL(web.page.url());
		const folder = fault === 'full' ? modelFolder('plain', LARGE_BYTES) : GOOD;
		if (fault === 'heal') await session.send('Storage.overrideQuotaForOrigin', { origin });
		if (fault === 'full') {
			const used = (await web.page.evaluate(() => navigator.storage.estimate())).usage ?? 0;
			await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: used + LARGE_BYTES / 2 });
		}
		const lie: Lie = { kind: 'flip', mirror: 'a', file: SHARDS[0], at: 5000 };
		const junk = new Map(GOOD).set(LIBRARY_FILE, new Uint8Array(1000).fill(7));
		const served = fault === 'junk' ? junk : folder;
		web.serve({ a: served, full: modelFolder('plain', LARGE_BYTES) }, fault === 'corrupt' ? [lie] : []);
		return fault === 'heal' ? undefined : model([fault === 'full' ? 'full' : 'a'], served);
	};
	beforeAll(async () => {
		session = await web.page.context().newCDPSession(web.page);
		await web.page.exposeFunction('orderFault', order);
	});
	beforeEach(async () => {
		web.serve({ a: GOOD });
	});
	// One model for them all, so that a loaded engine is shared; a faulty one has a model of its own.
	let shared: WebllmModel | undefined;
	const every = { corrupt: 0, junk: 0, starved: 0, full: 0, kill: 0, lose: 0, heal: 0 };
	// Turn about with the model that is built in (engine.browser.test.ts) where a minute counts.
	const suite = rows('webllm', { faults: every } as never);
	for (const { name, run, reason } of THOROUGH ? suite : suite.filter((_, i) => i % 2 === 0)) {
		if (run === undefined) it.skip(`${name} (${reason})`, () => {});
		else
			it(
				name,
				async () => {
					await web.page.evaluate((wanted) => harness.useModel(wanted), (shared ??= model(['a'])));
					expect(await web.page.evaluate((each) => harness.run(each), name)).toEqual({ ok: true });
				},
				PATIENCE_MS
			);
	}
});

describe('files', () => {
	beforeEach(async () => void (await written()));

	it(
		'go to the graphics queue when they are right, and the package fetches nothing itself',
		async () => {
			web.serve({ a: GOOD });
			const id = await setup({ model: model(['a']) });
			const reply = await load();
			expect(codeOf(reply)).toBe('ok');
			const seen = await written();
			for (const name of SHARDS)
				for (const tensor of tensorsOf(GOOD.get(name) as Uint8Array)) expect(seen).toContain(fnv(tensor));
			expect(
				web
					.asked()
					.map(({ file }) => file)
					.sort()
			).toEqual([...GOOD.keys()].sort());
			expect(Object.keys(await kept(id))).toHaveLength(GOOD.size);
			const bytes = [...GOOD.values()].reduce((sum, file) => sum + file.length, 0);
			expect(await web.page.evaluate((name) => harness.size(name), id)).toEqual({
				files: GOOD.size,
				bytes,
				total: bytes,
				whole: true
			});
			// The package's own caches are never made.
			expect(
				(await web.page.evaluate(() => harness.cacheNames())).filter((name) => name.startsWith('webllm/'))
			).toEqual([]);
			// Again, from what is kept.
			await web.page.evaluate(() => harness.unload());
			expect(codeOf(await load())).toBe('ok');
			expect(web.asked()).toEqual([]);
		},
		PATIENCE_MS
	);

	const [SHARD] = SHARDS;
	const lies: [string, Lie, string, string][] = [
		['a shard with one bit changed', { kind: 'flip', mirror: 'a', file: SHARD, at: 5000 }, 'weights-corrupt', SHARD],
		[
			'a shard that is another file',
			{ kind: 'other', mirror: 'a', file: SHARD, instead: SHARDS[1] },
			'weights-corrupt',
			SHARD
		],
		['a shard that ends early', { kind: 'short', mirror: 'a', file: SHARD }, 'weights-corrupt', SHARD],
		['a shard that does not end', { kind: 'long', mirror: 'a', file: SHARD }, 'weights-corrupt', SHARD],
		['a shard that is not there', { kind: 'missing', mirror: 'a', file: SHARD }, 'engine-load-failed', SHARD],
		['a shard that breaks off', { kind: 'cut', mirror: 'a', file: SHARD, at: 9000 }, 'engine-load-failed', SHARD],
		['a shard that never comes', { kind: 'hang', mirror: 'a', file: SHARD }, 'engine-load-failed', SHARD],
		[
			'a list of tensors with one bit changed',
			{ kind: 'flip', mirror: 'a', file: 'tensor-cache.json', at: 300 },
			'weights-corrupt',
			'tensor-cache.json'
		],
		[
			'a configuration with one bit changed',
			{ kind: 'flip', mirror: 'a', file: 'mlc-chat-config.json', at: 60 },
			'weights-corrupt',
			'mlc-chat-config.json'
		],
		[
			'a tokenizer with one bit changed',
			{ kind: 'flip', mirror: 'a', file: 'tokenizer.json', at: 3000 },
			'weights-corrupt',
			'tokenizer.json'
		],
		[
			'a library with one bit changed',
			{ kind: 'flip', mirror: 'a', file: LIBRARY_FILE, at: 40 },
			'weights-corrupt',
			LIBRARY_FILE
		]
	];
	it.each(THOROUGH ? lies : lies.filter((_, i) => i % 3 === 0))(
		'refuses %s when no other mirror has it, and keeps nothing of it',
		async (_, lie, code, file) => {
			web.serve({ a: GOOD }, [lie]);
			const id = await setup({ model: model(['a']), stallMs: 300 });
			expect(codeOf(await load())).toBe(code);
			expect(await web.page.evaluate(() => harness.state())).toBe('failed');
			// Nothing at all went to the graphics device, and what is kept is right.
			expect((await written()).size).toBe(0);
			const hashes = Object.values(await kept(id));
			for (const hash of hashes) expect([...GOOD.values()].map(sha256)).toContain(hash);
			expect(hashes).not.toContain(sha256(GOOD.get(file) as Uint8Array));
		},
		PATIENCE_MS
	);

	it(
		'a corrupted shard from a lying server never reaches the graphics queue; the good one is fetched instead; the bad one is not kept',
		async () => {
			const bad: Lie = { kind: 'flip', mirror: 'a', file: SHARD, at: 5000 };
			web.serve({ a: GOOD, b: GOOD }, [bad, { kind: 'hang', mirror: 'a', file: SHARDS[1] }]);
			const id = await setup({ model: model(['a', 'b']), stallMs: 300 });
			expect(codeOf(await load())).toBe('ok');
			const seen = await written();
			const whole = GOOD.get(SHARD) as Uint8Array;
			const wrong = Uint8Array.from(whole);
			wrong[bad.at] = (wrong[bad.at] as number) ^ 1;
			for (const tensor of tensorsOf(whole)) expect(seen).toContain(fnv(tensor));
			expect(seen).not.toContain(fnv(tensorsOf(wrong)[0] as Uint8Array));
			expect(Object.values(await kept(id)).sort()).toEqual([...GOOD.values()].map(sha256).sort());
			expect(
				web
					.asked()
					.filter(({ mirror }) => mirror === 'b')
					.map(({ file }) => file)
					.sort()
			).toEqual([...SHARDS]);
		},
		PATIENCE_MS
	);

	it(
		'are asked for once more at the same server',
		async () => {
			web.serve({ a: GOOD }, [{ kind: 'flip', mirror: 'a', file: SHARD, at: 77, times: 1 }]);
			await setup({ model: model(['a']) });
			expect(codeOf(await load())).toBe('ok');
		},
		PATIENCE_MS
	);

	it(
		'that were changed where they are kept are found while loading, dropped, and fetched anew',
		async () => {
			web.serve({ a: GOOD });
			const id = await setup({ model: model(['a']) });
			expect(codeOf(await load())).toBe('ok');
			await web.page.evaluate(() => harness.unload());
			for (const name of [SHARD, 'tensor-cache.json', '/library.wasm']) {
				await web.page.evaluate(([which, file]) => harness.spoil(which, file), [id, name] as const);
			}
			web.serve({ a: GOOD });
			await written();
			expect(codeOf(await load())).toBe('ok');
			const wrong = Uint8Array.from(GOOD.get(SHARD) as Uint8Array);
			wrong[100] = (wrong[100] as number) ^ 1;
			expect(await written()).not.toContain(fnv(tensorsOf(wrong)[0] as Uint8Array));
			expect(
				web
					.asked()
					.map(({ file }) => file)
					.sort()
			).toEqual([SHARD, LIBRARY_FILE, 'tensor-cache.json'].sort());
			expect(Object.values(await kept(id)).sort()).toEqual([...GOOD.values()].map(sha256).sort());
			// And when the server has no good one either, the package gets none.
			await web.page.evaluate(() => harness.unload());
			await web.page.evaluate(([which, file]) => harness.spoil(which, file), [id, SHARD] as const);
			web.serve({ a: GOOD }, [{ kind: 'flip', mirror: 'a', file: SHARD, at: 100 }]);
			await written();
			expect(codeOf(await load())).toBe('weights-corrupt');
			expect(await written()).not.toContain(fnv(tensorsOf(wrong)[0] as Uint8Array));
			expect(Object.keys(await kept(id))).toHaveLength(GOOD.size - 1);
		},
		PATIENCE_MS
	);

	it(
		'are trusted on first use where no list exists, and held to that',
		async () => {
			web.serve({ a: GOOD });
			const id = await setup({ model: model(['a'], GOOD, false) });
			const reply = await load();
			expect(codeOf(reply)).toBe('ok');
			await web.page.evaluate(() => harness.unload());
			await web.page.evaluate((name) => harness.forget(name), id);
			web.serve({ a: GOOD }, [{ kind: 'flip', mirror: 'a', file: SHARD, at: 5000 }]);
			expect(codeOf(await load())).toBe('weights-corrupt');
			web.serve({ a: GOOD });
			expect(codeOf(await load())).toBe('ok');
			await web.page.evaluate(() => harness.forgetFirstUse());
		},
		PATIENCE_MS
	);

	it(
		'that a list does not name are refused, also when a server offers them',
		async () => {
			web.serve({ a: modelFolder('plain', 400) });
			const tensors = listOf(modelFolder('plain', 400)).files['tensor-cache.json'];
			const wanted = model(['a']);
			await setup({
				model: {
					...wanted,
					list: { ...listOf(GOOD), files: { ...listOf(GOOD).files, 'tensor-cache.json': tensors as never } }
				}
			});
			expect(codeOf(await load())).toBe('model-unsupported');
			expect((await written()).size).toBe(0);
		},
		PATIENCE_MS
	);
});

describe('a download', () => {
	const folder = modelFolder('plain', LARGE_BYTES);

	it(
		'that was cancelled goes on where it stopped',
		async () => {
			// A server that pauses: however slow the cancel is, the file is not whole before it.
			web.serve({ a: folder }, [{ kind: 'pause', mirror: 'a', file: LARGE_SHARD, at: 18 * 2 ** 20, times: 1 }]);
			const id = await setup({ model: model(['a'], folder) });
			expect(codeOf(await load(17 * 2 ** 20))).toBe('aborted');
			expect(await web.page.evaluate(() => harness.state())).toBe('idle');
			expect(Object.keys(await kept(id)).filter((name) => name.startsWith('/piece/')).length).toBeGreaterThan(0);
			web.asked();
			expect(codeOf(await load())).toBe('ok');
			const again = web.asked().filter(({ file }) => file === LARGE_SHARD);
			expect(again).toHaveLength(1);
			expect(again[0]?.range).toMatch(/^bytes=(8388608|16777216)-$/);
			expect(Object.keys(await kept(id)).filter((name) => name.startsWith('/piece/'))).toEqual([]);
		},
		PATIENCE_MS
	);

	it(
		'that broke off goes on at the same server; one that answers with another range is not believed',
		async () => {
			const pause: Lie = { kind: 'pause', mirror: 'a', file: LARGE_SHARD, at: 18 * 2 ** 20, times: 1 };
			web.serve({ a: folder }, [pause, { kind: 'other-range', mirror: 'a', file: LARGE_SHARD, times: 1 }]);
			const id = await setup({ model: model(['a', 'a'], folder) });
			const loading = load();
			// What a page has not read when the connection breaks, the browser throws away: two pieces must have been read.
			await web.page.waitForFunction((bytes) => harness.loadedBytes() >= bytes, 17 * 2 ** 20);
			web.breakOff();
			expect(codeOf(await loading)).toBe('ok');
			expect(
				web
					.asked()
					.filter(({ file }) => file === LARGE_SHARD)
					.map(({ range }) => range)
			).toEqual([undefined, 'bytes=16777216-', undefined]);
			expect(Object.values(await kept(id)).sort()).toEqual([...folder.values()].map(sha256).sort());
		},
		PATIENCE_MS
	);

	it(
		'for which there is no room is refused, and none of the large file is kept',
		async () => {
			const session = await web.page.context().newCDPSession(web.page);
			const { origin } = new URL(web.page.url());
			const used = (await web.page.evaluate(() => navigator.storage.estimate())).usage ?? 0;
			// Room for the small files, not for the large one.
			await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: used + LARGE_BYTES / 2 });
			web.serve({ a: folder });
			const id = await setup({ model: model(['a'], folder) });
			expect(codeOf(await load())).toBe('storage-full');
			expect(Object.keys(await kept(id))).not.toContain(`/file/${LARGE_SHARD}`);
			await session.send('Storage.overrideQuotaForOrigin', { origin });
			await session.detach();
		},
		PATIENCE_MS
	);
});

describe('libraries and devices', () => {
	const libraries = [
		['skewed', 'self-test-failed'],
		['foreign', 'model-unsupported'],
		['no-decode', 'model-unsupported']
	] as const;
	it.each(THOROUGH ? libraries : libraries.slice(0, 2))(
		'refuses a library that is %s',
		async (manner, code) => {
			const folder = modelFolder(manner);
			web.serve({ a: folder });
			await setup({ model: model(['a'], folder) });
			expect(codeOf(await load())).toBe(code);
		},
		PATIENCE_MS
	);

	it(
		'gives no answer from logits that are not numbers',
		async () => {
			const folder = modelFolder('nan');
			web.serve({ a: folder });
			await setup({ model: model(['a'], folder) });
			expect(codeOf(await load())).toBe('ok');
			expect(codeOf(await answer(40))).toBe('engine-failed');
			expect(await web.page.evaluate(() => harness.state())).toBe('failed');
			expect(codeOf(await answer(4))).toBe('engine-not-ready');
		},
		PATIENCE_MS
	);

	it(
		'does not count a software adapter as graphics, also in the worker as it ships',
		async () => {
			const { facts } = await web.page.evaluate(() => harness.adapter());
			expect(facts).toMatchObject({ software: true });
			web.serve({ a: GOOD });
			await setup({ model: model(['a']), softwareAllowed: false, bare: true });
			expect(codeOf(await load())).toBe('no-graphics');
			expect(web.asked()).toEqual([]);
		},
		PATIENCE_MS
	);

	it(
		'refuses the stand-in where nobody helps it: in the worker as it ships it does not link',
		async () => {
			web.serve({ a: GOOD });
			await setup({ model: model(['a']), bare: true });
			expect(codeOf(await load())).toBe('model-unsupported');
		},
		PATIENCE_MS
	);

	const accidents = [
		['lose', 'device-lost'],
		['starve', 'out-of-memory']
	] as const;
	it.each(THOROUGH ? accidents : accidents.slice(0, 1))(
		'says so when the device is gone in the self-test or in mid-answer (%s), and loads again',
		async (accident, code) => {
			web.serve({ a: GOOD });
			await setup({ model: model(['a']) });
			expect(codeOf(await load(undefined, accident))).toBe(code);
			expect(codeOf(await load())).toBe('ok');
			const whole = await answer(24);
			expect(codeOf(await answer(400, accident))).toBe(code);
			expect(await web.page.evaluate(() => harness.state())).toBe('failed');
			expect(codeOf(await load())).toBe('ok');
			const again = await answer(24);
			expect(again.ok && again.value.tokens).toEqual(whole.ok && whole.value.tokens);
		},
		PATIENCE_MS
	);

	it(
		'settles an answer whose worker dies',
		async () => {
			web.serve({ a: GOOD });
			await setup({ model: model(['a']) });
			expect(codeOf(await load())).toBe('ok');
			const broken = answer(400);
			await web.page.evaluate(() => harness.kill());
			expect(codeOf(await broken)).toBe('engine-failed');
			expect(await web.page.evaluate(() => harness.state())).toBe('failed');
		},
		PATIENCE_MS
	);

	it(
		'reads no special token out of what a person typed',
		async () => {
			web.serve({ a: GOOD });
			await setup({ model: model(['a']) });
			expect(codeOf(await load())).toBe('ok');
			const plain = await web.page.evaluate(() => harness.countTokens(''));
			const typed = await web.page.evaluate(() => harness.countTokens('<|end|>'));
			expect(plain.ok && typed.ok && typed.value - plain.value).toBeGreaterThan(1);
		},
		PATIENCE_MS
	);
});

it('ships the package once, in the worker alone', async () => {
	const scripts = web.files.filter((name) => name.endsWith('.js'));
	const holding: string[] = [];
	for (const name of scripts) {
		const text = await readFile(path.join(web.folder, name), 'utf8');
		if (text.includes('forwardTokensAndSample')) holding.push(name);
	}
	// The app's worker and the fixture's, which is the same with spies.
	expect(holding.map((name) => path.basename(name).replace(/-[\w-]+\.js$/, '')).sort()).toEqual(['webllm', 'worker']);
});
