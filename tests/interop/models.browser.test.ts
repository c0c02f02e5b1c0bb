/** The models of a device in real Chromium tabs, over a server that can lie. */
import { createHash } from 'node:crypto';
import type { BrowserContext, CDPSession, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LibraryRecord, Role } from '#lib/engine/library/record.ts';
import { MODELS_CASES } from '../compliance/models.ts';
import { THOROUGH } from '../thorough.ts';
import { ask, opened, outcomeOf, startModelsRig, type ModelsRig } from './models-rig.ts';
import { pocketFile, repositories, SMALL_NAMES } from './models-repository.ts';
import type { Lie } from './models-server.ts';

const up: { rig?: ModelsRig; profile?: BrowserContext } = {};
const rig = (): ModelsRig => up.rig as ModelsRig;
const profile = (): BrowserContext => up.profile as BrowserContext;
const WEIGHTS = 'onnx/model_q4.onnx';
const small = () => `${rig().server.origin}/acme/small`;

beforeAll(async () => {
	up.rig = await startModelsRig();
	rig().server.put(repositories());
}, 120_000);
afterAll(() => up.rig?.close());
beforeEach(async () => {
	up.profile = await rig().browser.newContext();
	rig().server.tell();
	rig().server.asked();
});
afterEach(() => up.profile?.close());

async function tab(init: Parameters<typeof ask<'open'>>[2] = {}): Promise<Page> {
	const page = await rig().tab(profile());
	await ask(page, 'open', init);
	return page;
}

/** In test:full only. What a download does by itself is also tried in Node (tests/unit/library-*.test.ts). */
const also = test.runIf(THOROUGH);

describe('the suite', () => {
	const one: { profile?: BrowserContext; page?: Page } = {};
	// Every case deletes what it kept, so that one tab serves them all.
	beforeAll(async () => {
		one.profile = await rig().browser.newContext();
		one.page = await rig().tab(one.profile);
	});
	afterAll(() => one.profile?.close());

	test.each(MODELS_CASES)('$name', async ({ name }) => {
		const page = one.page as Page;
		opened(await ask(page, 'runCase', name, `${small()}/resolve/main/`, SMALL_NAMES));
		expect(await ask(page, 'disk')).toEqual({});
	});
});

async function looked(page: Page, address = small()): Promise<string> {
	return opened(await ask(page, 'look', address)).id;
}

/** The 4-bit model as an app would list it, from two places. */
function listedRecord(): LibraryRecord {
	const part = (role: Role, path: string, file: string) => {
		const bytes = pocketFile(file);
		const addresses = ['small', 'both'].map((name) => `${rig().server.origin}/acme/${name}/resolve/main/${path}`);
		const sha256 = createHash('sha256').update(bytes).digest('hex');
		return { role, addresses, bytes: bytes.length, sha256, kept: false };
	};
	return {
		...{ format: 1, name: 'Listed', origin: 'listed', from: 'a.example', licence: 'MIT' },
		...{ contextTokens: 1024, vocabularySize: 2048, stopTokens: [3, 0], kvBytesPerToken: 6144 },
		...{ precision: 'q4', verifiable: true },
		parts: [
			part('tokenizer', 'tokenizer.json', 'tokenizer.json'),
			part('tokenizerConfig', 'tokenizer_config.json', 'tokenizer_config.json'),
			part('weights', WEIGHTS, 'model_q4.onnx')
		]
	};
}

describe('a model for real', () => {
	test('is looked at, fetched, loaded, answers; and the next visit has it', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await ask(page, 'beginLoad', id);
		const ready = opened(await ask(page, 'end', work)) as { id: string; verifiable: boolean; selfTest: string };
		expect(ready).toMatchObject({ verifiable: true, selfTest: 'consistency' });
		expect(ready.id).toMatch(/^onnx-[0-9a-f]{16}$/);
		expect(opened(await ask(page, 'answer', id, 'What is the capital of France?'))).toContain('Paris');
		const stages = (await ask(page, 'progress', work)).map(({ stage }) => stage);
		expect(stages.filter((stage, i) => stage !== stages[i - 1])).toEqual(['fetching', 'preparing', 'checking']);
		await page.close();

		// The next visit has it, under the id that its bytes give; what was damaged meanwhile is found at load and fetched again.
		const next = await tab();
		expect(await entry(next, ready.id)).toMatchObject({ kept: 'whole', lendable: true });
		await ask(next, 'damage', id, 'weights.onnx', 2_000_000);
		rig().server.asked();
		opened(await ask(next, 'end', await ask(next, 'beginLoad', ready.id)));
		expect(
			rig()
				.server.asked()
				.map(({ path, range }) => [path.split('/').at(-1), range])
		).toEqual([['model_q4.onnx', 'bytes=0-']]);
	}, 120_000);
});

/** Begins to fetch and waits until the weights hang half-way. */
async function hangHalfway(page: Page, id: string): Promise<number> {
	rig().server.tell({ file: WEIGHTS, kind: 'hang', after: 3_000_000, times: 1 });
	const hanging = rig().server.hanging(WEIGHTS);
	const work = await ask(page, 'beginFetch', id);
	await hanging;
	await expect
		.poll(async () => (await ask(page, 'progress', work)).at(-1)?.loadedBytes ?? 0)
		.toBeGreaterThan(2_700_000);
	return work;
}

/** Where the requests for the weights began. */
function rangesOfWeights(): (string | undefined)[] {
	const bodies = rig()
		.server.asked()
		.filter(({ method, path }) => method === 'GET' && path.endsWith(WEIGHTS));
	return bodies.map(({ range }) => range).filter((range) => /-$/.test(range ?? ''));
}

async function entry(page: Page, id: string) {
	return (await ask(page, 'entries')).find((each) => each.id === id);
}

async function end(page: Page, work: number): Promise<string> {
	return outcomeOf(await ask(page, 'end', work));
}

async function fetched(page: Page, id: string): Promise<string> {
	return end(page, await ask(page, 'beginFetch', id));
}

/** Goes on at what came, less what is compared. */
const FROM_THREE_MILLION = /^bytes=2[6-9][0-9]{5}-$/;

describe('a download that does not go through', () => {
	test('cancelled in the middle: what came stays, and the next goes on from there', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await hangHalfway(page, id);
		await ask(page, 'abort', work);
		expect(await end(page, work)).toBe('aborted');
		await expect.poll(async () => (await entry(page, id))?.kept).toBe('partly');
		rig().server.asked();
		expect(await fetched(page, id)).toBe('done');
		expect(rangesOfWeights()).toEqual([expect.stringMatching(FROM_THREE_MILLION)]);
		expect(await entry(page, id)).toMatchObject({ kept: 'whole', fit: { fits: true } });
	});

	also('the tab is closed in the middle, another goes on', async () => {
		const page = await tab();
		const id = await looked(page);
		await hangHalfway(page, id);
		await page.close();
		const next = await tab();
		expect(await entry(next, id)).toMatchObject({ kept: 'partly', origin: 'added' });
		rig().server.asked();
		expect(await fetched(next, id)).toBe('done');
		expect(rangesOfWeights()).toEqual([expect.stringMatching(FROM_THREE_MILLION)]);
	});

	test('a server that falls silent is given up; what came stays', async () => {
		const page = await tab({ stallMs: 400 });
		const id = await looked(page);
		rig().server.tell({ file: WEIGHTS, kind: 'hang', after: 70_000 });
		expect(await fetched(page, id)).toBe('engine-load-failed');
		expect((await entry(page, id))?.kept).toBe('partly');
		rig().server.tell();
		expect(await fetched(page, id)).toBe('done');
	});

	test.each([
		['not there any more', { kind: 'status', status: 404 }, 'engine-load-failed'],
		['one byte short', { kind: 'short' }, 'weights-corrupt'],
		['one byte long', { kind: 'long' }, 'weights-corrupt'],
		['longer than it says', { kind: 'longer-than-said' }, 'weights-corrupt'],
		['a page of an app', { kind: 'page' }, 'weights-corrupt']
	] as const)('weights that are %s', async (_, lie, code) => {
		const page = await tab();
		const id = await looked(page);
		rig().server.tell({ file: WEIGHTS, ...lie });
		expect(await fetched(page, id)).toBe(code);
		expect(Object.values((await ask(page, 'disk'))[id] ?? {}).every((size) => size < 100_000)).toBe(true);
		rig().server.tell();
		expect(await fetched(page, id)).toBe('done');
	});
});

describe('a worker that dies', () => {
	test('in the middle of a download: told at once, and gone on from there', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await hangHalfway(page, id);
		await ask(page, 'kill');
		expect(await end(page, work)).toBe('engine-load-failed');
		rig().server.asked();
		expect(await fetched(page, id)).toBe('done');
		expect(rangesOfWeights()).toEqual([expect.stringMatching(FROM_THREE_MILLION)]);
	});
});

describe('a model that the app lists with its hashes', () => {
	test('is held to them, has its id from the start, and stays in the list when it is deleted', async () => {
		const record = listedRecord();
		const page = await tab({ listed: [record] });
		const id = `onnx-${record.parts.find(({ role }) => role === 'weights')?.sha256?.slice(0, 16)}`;
		expect(await entry(page, id)).toMatchObject({ origin: 'listed', integrity: 'released', kept: 'no' });
		const mirror = { file: `/small/resolve/main/${WEIGHTS}`, kind: 'flip', at: 4_000_000 } as const;
		rig().server.tell(mirror, { file: `/both/resolve/main/${WEIGHTS}`, kind: 'flip', at: 9 });
		expect(await fetched(page, id)).toBe('weights-corrupt');
		expect(Object.keys((await ask(page, 'disk'))[id] ?? {})).not.toContain('weights.onnx');
		rig().server.tell(mirror);
		expect(await fetched(page, id)).toBe('done');
		expect(await entry(page, id)).toMatchObject({ origin: 'listed', kept: 'whole' });
		expect(outcomeOf(await ask(page, 'remove', id))).toBe('done');
		expect(await entry(page, id)).toMatchObject({ origin: 'listed', kept: 'no', keptBytes: 0 });
	});
});

describe('several tabs', () => {
	test('one downloads, the other sees it as under way and shares the result', async () => {
		const one = await tab();
		const two = await tab();
		const id = await looked(one);
		await expect.poll(() => entry(two, id)).toMatchObject({ kept: 'no' });
		const first = await hangHalfway(one, id);
		const second = await ask(two, 'beginFetch', id);
		await expect.poll(async () => (await entry(two, id))?.keptBytes ?? 0).toBeGreaterThan(2_700_000);
		rig().server.release();
		expect([await end(one, first), await end(two, second)]).toEqual(['done', 'done']);
		expect(await entry(two, id)).toMatchObject({ kept: 'whole' });
		// One beginning, one going on after the break, and nothing of the second tab.
		expect(rangesOfWeights()).toHaveLength(2);
	});

	also('the one that downloads is closed, the other goes on in its place', async () => {
		const one = await tab();
		const two = await tab();
		const id = await looked(one);
		await expect.poll(() => entry(two, id)).toBeDefined();
		await hangHalfway(one, id);
		const second = await ask(two, 'beginFetch', id);
		await one.close();
		expect(await end(two, second)).toBe('done');
		expect(rangesOfWeights()).toEqual(['bytes=0-', expect.stringMatching(FROM_THREE_MILLION)]);
	});

	also('one deletes what the other downloads', async () => {
		const one = await tab();
		const two = await tab();
		const id = await looked(one);
		await expect.poll(() => entry(two, id)).toBeDefined();
		const work = await hangHalfway(one, id);
		expect(outcomeOf(await ask(two, 'remove', id))).toBe('done');
		expect(await end(one, work)).toBe('aborted');
		await expect.poll(() => entry(one, id)).toBeUndefined();
		expect(await ask(two, 'disk')).toEqual({});
	});
});

describe('no room', () => {
	const sessions = new Map<Page, CDPSession>();
	afterEach(() => sessions.clear());

	/** The override lasts as long as the session that made it. */
	async function quota(page: Page, quotaSize: number | undefined): Promise<void> {
		const session = sessions.get(page) ?? (await profile().newCDPSession(page));
		sessions.set(page, session);
		const size = quotaSize === undefined ? {} : { quotaSize };
		await session.send('Storage.overrideQuotaForOrigin', { origin: rig().origin, ...size });
	}

	test('known before: refused without a download, and shown so', async () => {
		const page = await tab({ quota: 50_000_000 });
		const id = await looked(page);
		expect((await entry(page, id))?.fit).toEqual({ fits: false, why: 'storage-full' });
		expect(await fetched(page, id)).toBe('storage-full');
		expect(rangesOfWeights()).toEqual([]);
		await ask(page, 'open', {});
		expect(await fetched(page, id)).toBe('done');
	});

	also('found out while writing: what came stays, and it goes on when there is room', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await hangHalfway(page, id);
		await quota(page, 3_500_000);
		rig().server.release();
		expect(await end(page, work)).toBe('storage-full');
		await quota(page, undefined);
		expect(await fetched(page, id)).toBe('done');
	});

	test.each(['private window', 'insecure address'] as const)('%s: the built-in model, and looks', async (where) => {
		const insecure = where === 'insecure address';
		const page = await rig().tab(profile(), insecure ? rig().insecureOrigin : rig().origin);
		await ask(page, 'open', { refuseStorage: !insecure });
		const why = insecure ? 'insecure-context' : 'storage-unavailable';
		const [pocket] = await ask(page, 'entries');
		expect(pocket).toMatchObject({ origin: 'built-in', fit: { fits: true } });
		const found = opened(await ask(page, 'look', small()));
		expect(found).toMatchObject({ bytes: expect.any(Number), fit: { fits: false, why } });
		expect(await fetched(page, found.id)).toBe('storage-unavailable');
		expect(outcomeOf(await ask(page, 'remove', found.id))).toBe('done');
	});
});

describe('what was kept and changed since', () => {
	test('a damaged file of a model that came from files is refused, and dropped', async () => {
		const page = await tab();
		const work = await ask(page, 'beginTake', `${small()}/resolve/main/`, SMALL_NAMES);
		const { id } = opened(await ask(page, 'end', work)) as { id: string };
		const [folder = ''] = Object.keys(await ask(page, 'disk'));
		await ask(page, 'damage', folder, 'weights.onnx', 2_000_000);
		expect(await end(page, await ask(page, 'beginLoad', id))).toBe('weights-corrupt');
		expect((await entry(page, id))?.kept).toBe('partly');
	});

	also('a server that has other weights by now does not replace those that were seen first', async () => {
		const page = await tab();
		const id = await looked(page);
		expect(await fetched(page, id)).toBe('done');
		await ask(page, 'damage', id, 'weights.onnx', 2_000_000);
		rig().server.tell({ file: WEIGHTS, kind: 'flip', at: 77 });
		expect(await end(page, await ask(page, 'beginLoad', id))).toBe('weights-corrupt');
	});

	test('a damaged record goes with its folder; one of a later version stays and is not shown', async () => {
		const page = await tab();
		const id = await looked(page);
		expect(await fetched(page, id)).toBe('done');
		const record = await ask(page, 'record', id);
		await ask(page, 'write', id, 'record.json', JSON.stringify({ ...record, format: 2 }));
		expect((await ask(page, 'open', {})).map((each) => each.origin)).toEqual(['built-in']);
		expect(Object.keys(await ask(page, 'disk'))).toEqual([id]);
		await ask(page, 'write', id, 'record.json', '{"format": 1, "name": "');
		expect((await ask(page, 'open', {})).map((each) => each.origin)).toEqual(['built-in']);
		expect(await ask(page, 'disk')).toEqual({});
	});

	also('deleted while it loads: the load is refused, and it can be had again', async () => {
		const page = await tab();
		const id = await looked(page);
		const work = await hangHalfway(page, id);
		const load = await ask(page, 'beginLoad', id);
		expect(outcomeOf(await ask(page, 'remove', id))).toBe('done');
		expect([await end(page, work), await end(page, load)]).toEqual(['aborted', 'aborted']);
		expect(await ask(page, 'disk')).toEqual({});
		expect(await fetched(page, await looked(page))).toBe('done');
	});
});

describe('what is looked at', () => {
	also('data beside the graph is found by what the graph calls it, fetched, and the model answers', async () => {
		const page = await tab();
		const id = await looked(page, `${rig().server.origin}/acme/cut/`);
		expect(await entry(page, id)).toMatchObject({ precision: 'q4', name: 'cut' });
		expect((await entry(page, id))?.bytes).toBeGreaterThan(5_000_000);
		opened(await ask(page, 'end', await ask(page, 'beginLoad', id)));
		expect(opened(await ask(page, 'answer', id, 'What is the capital of France?'))).toContain('Paris');
	});

	also('of several weights the smaller one whose answers can be checked; another by its own address', async () => {
		const page = await tab();
		const both = opened(await ask(page, 'look', `${rig().server.origin}/acme/both/tree/main`));
		expect(both).toMatchObject({ precision: 'q4', name: 'both' });
		const named = opened(await ask(page, 'look', `${rig().server.origin}/acme/both/blob/main/onnx/model.onnx`));
		expect(named).toMatchObject({ precision: 'fp32', name: 'both', licence: 'apache-2.0' });
		expect(named.bytes).toBeGreaterThan(19_000_000);
	});

	test('nothing of this person goes along, and redirects are followed', async () => {
		await profile().addCookies([{ name: 'who', value: 'me', url: rig().server.origin }]);
		const page = await tab();
		rig().server.tell({ file: WEIGHTS, kind: 'redirect' }, { file: 'tokenizer.json', kind: 'redirect' });
		expect(await fetched(page, await looked(page))).toBe('done');
		const asked = rig().server.asked();
		expect(asked.some(({ path }) => path.startsWith('/moved/'))).toBe(true);
		expect(asked.filter(({ cookie, referer }) => cookie !== undefined || referer !== undefined)).toEqual([]);
	});

	also('servers without HEAD, without lengths, without ranges', async () => {
		const page = await tab();
		for (const kind of ['no-head', 'no-length', 'no-ranges'] as const) {
			rig().server.tell({ file: '', kind });
			const id = await looked(page);
			expect([kind, await fetched(page, id)]).toEqual([kind, 'done']);
			expect(await entry(page, id)).toMatchObject({ bytes: 5_424_472, kept: 'whole' });
			expect(outcomeOf(await ask(page, 'remove', id))).toBe('done');
		}
	});

	test('what is no model is refused by name, and nothing is written', async () => {
		const page = await tab();
		const cases: readonly (readonly [Lie, string])[] = [
			[{ file: '', kind: 'status', status: 404 }, 'model-unsupported'],
			[{ file: '', kind: 'page' }, 'model-unsupported'],
			[{ file: '', kind: 'status', status: 500 }, 'engine-load-failed'],
			[{ file: '/config.json', kind: 'other', body: '[]' }, 'model-unsupported'],
			[{ file: '/config.json', kind: 'other', body: ' '.repeat(300_000) }, 'oversized'],
			[{ file: 'tokenizer.json', kind: 'status', status: 404 }, 'model-unsupported'],
			[{ file: 'tokenizer_config.json', kind: 'other', body: '{}' }, 'model-unsupported'],
			[{ file: '.onnx', kind: 'status', status: 404 }, 'model-unsupported'],
			[{ file: '.onnx', kind: 'other', body: '{"oid": 1}' }, 'model-unsupported']
		];
		for (const [lie, code] of cases) {
			rig().server.tell(lie);
			expect([lie, outcomeOf(await ask(page, 'look', small()))]).toEqual([lie, code]);
		}
		expect(await ask(page, 'disk')).toEqual({});
	});

	test('a host that is not there', async () => {
		const page = await tab();
		expect(outcomeOf(await ask(page, 'look', 'http://127.0.0.1:9/model/'))).toBe('engine-load-failed');
	});
});
