import type { BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ANSWER_WITHIN_MS } from '#lib/store/leader.ts';
import { STORE_CASES } from '../compliance/store.ts';
import { THOROUGH } from '../thorough.ts';
import type { StorePage } from './store.page.ts';
import { startRig, type Rig } from './store.rig.ts';

const up: { rig?: Rig; profile?: BrowserContext } = {};
const rig = (): Rig => up.rig as Rig;
const profile = (): BrowserContext => up.profile as BrowserContext;

/** Calls one of the tab's functions (store.page.ts). */
function ask<N extends keyof StorePage>(
	tab: Page,
	name: N,
	...args: Parameters<StorePage[N]>
): Promise<Awaited<ReturnType<StorePage[N]>>> {
	return tab.evaluate(
		([called, given]) =>
			(globalThis as unknown as { page: Record<string, (...all: unknown[]) => never> }).page[called]?.(
				...given
			) as never,
		[name, args] as const
	);
}

beforeAll(async () => {
	up.rig = await startRig('store.page.ts');
}, 60_000);
afterAll(() => up.rig?.close());
beforeEach(async () => {
	up.profile = await rig().browser.newContext();
});
afterEach(() => up.profile?.close());

// In memory the same runs in Node as well (tests/unit/store.test.ts).
describe.each(THOROUGH ? (['device', 'memory'] as const) : (['device'] as const))(
	'the suite in Chromium (%s)',
	(keep) => {
		test.each(STORE_CASES.filter((one) => keep === 'device' || !one.shared))(
			'$name',
			async ({ name }) => {
				const tab = await rig().tab(profile());
				await ask(tab, 'runCase', name, keep);
			},
			60_000
		);
	}
);

async function openTabs(count: number): Promise<Page[]> {
	const tabs: Page[] = [];
	for (let n = 0; n < count; n++) {
		const tab = await rig().tab(profile());
		await ask(tab, 'open');
		tabs.push(tab);
	}
	return tabs;
}

test('one of three tabs leads; all see and hear every write', async () => {
	const tabs = await openTabs(3);
	expect((await Promise.all(tabs.map((tab) => ask(tab, 'state')))).map((state) => state.leading)).toEqual([
		true,
		false,
		false
	]);
	for (const [n, tab] of tabs.entries()) expect(await ask(tab, 'put', n)).toBe('accepted');
	for (const tab of tabs) {
		await expect.poll(async () => (await ask(tab, 'state')).heard).toBe(3);
		expect(await ask(tab, 'jobs')).toHaveLength(3);
	}
});

test.each([2, 3])(
	'%i tabs: the leader is closed amid 200 writes of a follower; nothing lost, nothing doubled',
	async (count) => {
		const tabs = await openTabs(count);
		const [leader, follower] = tabs as [Page, Page];
		await ask(follower, 'begin', 200);
		// The writes are under way: some are done, and the leader goes with the rest.
		await expect.poll(async () => (await ask(follower, 'state')).heard, { interval: 1 }).toBeGreaterThan(0);
		await leader.close();
		expect(await ask(follower, 'finish')).toBe('accepted');
		const wanted = Array.from({ length: 200 }, (_, n) => ({ id: `key-${n}`, at: 1_000 + n }));
		for (const tab of tabs.slice(1)) {
			expect((await ask(tab, 'jobs')).toReversed()).toEqual(wanted);
			await expect.poll(async () => (await ask(tab, 'state')).heardKeys).toBe(200);
		}
		const leading = await Promise.all(tabs.slice(1).map(async (tab) => (await ask(tab, 'state')).leading));
		expect(leading.filter(Boolean)).toHaveLength(1);
	}
);

test('the leader crashes amid 200 writes: the same', async () => {
	const [leader, follower] = (await openTabs(2)) as [Page, Page];
	await ask(follower, 'begin', 200);
	const session = await profile().newCDPSession(leader);
	// Answers never: the process is gone.
	void session.send('Page.crash').catch(() => undefined);
	expect(await ask(follower, 'finish')).toBe('accepted');
	expect(await ask(follower, 'jobs')).toHaveLength(200);
	await expect.poll(async () => (await ask(follower, 'state')).leading).toBe(true);
});

test('a frozen leader is written past, and what it finds late does not overwrite what came since', async () => {
	const [leader, follower] = (await openTabs(2)) as [Page, Page];
	await ask(follower, 'put', 1, 10);
	const frozen = ask(leader, 'freeze', 2 * ANSWER_WITHIN_MS);
	expect(await ask(follower, 'put', 1, 20)).toBe('accepted');
	expect(await ask(follower, 'put', 1, 30)).toBe('accepted');
	expect(await ask(follower, 'jobs')).toEqual([{ id: 'key-1', at: 30 }]);
	await frozen;
	// It answers again, so it has read everything that was waiting for it.
	await expect.poll(async () => (await ask(leader, 'state')).heard).toBe(3);
	expect(await ask(leader, 'jobs')).toEqual([{ id: 'key-1', at: 30 }]);
	expect(await ask(follower, 'put', 2)).toBe('accepted');
	expect(await ask(leader, 'jobs')).toHaveLength(2);
}, 30_000);

test('what was written is there after a reload, and after all tabs are closed', async () => {
	const [tab] = (await openTabs(1)) as [Page];
	await ask(tab, 'put', 7);
	await tab.reload();
	await tab.waitForFunction(() => 'page' in globalThis);
	expect(await ask(tab, 'open')).toMatchObject({ durability: 'kept', leading: true });
	expect(await ask(tab, 'jobs')).toEqual([{ id: 'key-7', at: 1_007 }]);
	await tab.close();
	const [again] = (await openTabs(1)) as [Page];
	expect(await ask(again, 'jobs')).toHaveLength(1);
});

test('a full disk: refused by name, from leader and follower, and what was there stays', async () => {
	// Before the first write: Chromium remembers for a while how much room there was.
	const session = await profile().newCDPSession(await rig().tab(profile()));
	await session.send('Storage.overrideQuotaForOrigin', { origin: rig().origin, quotaSize: 1_000_000 });
	const [leader, follower] = (await openTabs(2)) as [Page, Page];
	expect(await ask(leader, 'putLarge', 1, 100_000)).toBe('accepted');
	expect(await ask(leader, 'putLarge', 2, 5_000_000)).toBe('storage-full');
	expect(await ask(follower, 'putLarge', 3, 5_000_000)).toBe('storage-full');
	expect(await ask(follower, 'receipts')).toEqual([{ cid: 'key-1', bytes: 100_000 }]);
	await session.send('Storage.overrideQuotaForOrigin', { origin: rig().origin });
	expect(await ask(follower, 'putLarge', 3, 5_000_000)).toBe('accepted');
});

test('an old tab steps aside for a newer app and says so', async () => {
	const [old] = (await openTabs(1)) as [Page];
	await ask(old, 'put', 1);
	const fresh = await rig().tab(profile());
	expect(await ask(fresh, 'open', true)).toMatchObject({ durability: 'kept', notices: [] });
	expect((await ask(old, 'state')).notices).toEqual(['superseded']);
	expect(await ask(old, 'put', 2)).toBe('storage-unavailable');
	await expect.poll(async () => (await ask(fresh, 'state')).leading).toBe(true);
	expect(await ask(fresh, 'jobs')).toHaveLength(1);
	const older = await rig().tab(profile());
	expect(await ask(older, 'open')).toMatchObject({ durability: 'memory', notices: ['newer'] });
});

test('two CIDs of one path gateway do not mix', async () => {
	const [one, two] = [await rig().tab(profile(), '/ipfs/bafyone/'), await rig().tab(profile(), '/ipfs/bafytwo/')];
	expect([await ask(one, 'open'), await ask(two, 'open')].map((state) => state.leading)).toEqual([true, true]);
	await ask(one, 'put', 1);
	expect(await ask(two, 'jobs')).toEqual([]);
	expect((await ask(two, 'state')).heard).toBe(0);
});

test('an insecure context has no locks: tabs write for themselves and hear each other', async () => {
	const [one, two] = [
		await rig().tab(profile(), '/', rig().insecureOrigin),
		await rig().tab(profile(), '/', rig().insecureOrigin)
	];
	expect(await one.evaluate(() => isSecureContext)).toBe(false);
	expect([await ask(one, 'open'), await ask(two, 'open')].map((state) => state.leading)).toEqual([true, true]);
	await ask(two, 'put', 1);
	await expect.poll(async () => (await ask(one, 'state')).heard).toBe(1);
	expect(await ask(one, 'jobs')).toHaveLength(1);
});
