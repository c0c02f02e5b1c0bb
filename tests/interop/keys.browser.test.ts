import type { BrowserContext, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { KEYS_CASES } from '../compliance/keys.ts';
import type { KeysPage } from './keys.page.ts';
import { startRig, type Rig } from './store.rig.ts';

const up: { rig?: Rig; profile?: BrowserContext } = {};
const rig = (): Rig => up.rig as Rig;
const profile = (): BrowserContext => up.profile as BrowserContext;

/** Calls one of the tab's functions (keys.page.ts). */
function ask<N extends keyof KeysPage>(
	tab: Page,
	name: N,
	...args: Parameters<KeysPage[N]>
): Promise<Awaited<ReturnType<KeysPage[N]>>> {
	return tab.evaluate(
		([called, given]) =>
			(globalThis as unknown as { page: Record<string, (...all: unknown[]) => never> }).page[called]?.(
				...given
			) as never,
		[name, args] as const
	);
}

beforeAll(async () => {
	up.rig = await startRig('keys.page.ts');
}, 60_000);
afterAll(() => up.rig?.close());
beforeEach(async () => {
	up.profile = await rig().browser.newContext();
});
afterEach(() => up.profile?.close());

test('Chromium and noble agree with every vector', async () => {
	const tab = await rig().tab(profile());
	expect(await ask(tab, 'disagreements')).toEqual({ native: true, byNative: [], byNoble: [] });
});

test('plain Chromium would take forgeries that the rule refuses', async () => {
	const tab = await rig().tab(profile());
	const taken = await ask(tab, 'forgeriesTaken');
	console.info(`plain WebCrypto in Chromium takes ${taken.length}: ${taken.join('; ')}`);
	expect(taken).toContain('mixed-order key, equation holds without cofactor');
});

test.each(KEYS_CASES)(
	'in Chromium: $name',
	async ({ name }) => {
		const tab = await rig().tab(profile());
		await ask(tab, 'runCase', name);
	},
	30_000
);

test('two tabs have two node keys and one account; both sign by the rule', async () => {
	const [one, two] = [await rig().tab(profile()), await rig().tab(profile())];
	const [first, second] = await Promise.all([ask(one, 'identity'), ask(two, 'identity')]);
	expect(first.account).toBe(second.account);
	expect(first.node).not.toBe(second.node);
	expect([first, second]).toMatchObject([
		{ kept: 'device', signs: true },
		{ kept: 'device', signs: true }
	]);
	expect(await ask(one, 'hasNative')).toBe(true);
});

test('reloaded tabs get their own keys back; a third takes the one that a closed tab left', async () => {
	const tabs = [await rig().tab(profile()), await rig().tab(profile())];
	const before = [];
	for (const tab of tabs) before.push(await ask(tab, 'identity'));
	// In the other order, so that taking the first free key would swap them.
	for (const tab of tabs.toReversed()) {
		await tab.reload();
		await tab.waitForFunction(() => 'page' in globalThis);
	}
	const after = await Promise.all(tabs.toReversed().map((tab) => ask(tab, 'identity')));
	expect(after.toReversed()).toEqual(before);
	await tabs[0]?.close();
	const third = await ask(await rig().tab(profile()), 'identity');
	expect(third).toEqual(before[0]);
});

test('a crashed tab frees its key', async () => {
	const one = await rig().tab(profile());
	const first = await ask(one, 'identity');
	const session = await profile().newCDPSession(one);
	void session.send('Page.crash').catch(() => undefined);
	await one.waitForEvent('crash').catch(() => undefined);
	const next = await rig().tab(profile());
	expect(await ask(next, 'identity')).toEqual(first);
});

test('stored private keys refuse export', async () => {
	const tab = await rig().tab(profile());
	await ask(tab, 'identity');
	expect(await ask(tab, 'exportStored')).toEqual(['InvalidAccessError', 'InvalidAccessError']);
});

test('an account moves to another profile by file and passphrase', async () => {
	const from = await rig().tab(profile());
	const mine = await ask(from, 'identity');
	const file = await ask(from, 'exportAccount', 'a long passphrase');
	const elsewhere = await rig().browser.newContext();
	const to = await rig().tab(elsewhere);
	const theirs = await ask(to, 'identity');
	expect(await ask(to, 'importAccount', file, 'a long passphrasE')).toBe('wrong-passphrase');
	expect(await ask(to, 'identity')).toEqual(theirs);
	expect(await ask(to, 'importAccount', file, 'a long passphrase')).toBe('accepted');
	const now = await ask(to, 'identity');
	expect(now).toMatchObject({ account: mine.account, kept: 'device', signs: true });
	expect([mine.node, theirs.node]).not.toContain(now.node);
	await elsewhere.close();
}, 30_000);

test('a path gateway and an insecure context keep nothing, and still sign', async () => {
	const gateway = await rig().tab(profile(), '/ipfs/bafyone/');
	expect(await ask(gateway, 'identity')).toMatchObject({ kept: 'session', signs: true });
	expect(await gateway.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))).toEqual([]);
	const insecure = await rig().tab(profile(), '/', rig().insecureOrigin);
	expect(await insecure.evaluate(() => isSecureContext)).toBe(false);
	expect(await ask(insecure, 'identity')).toMatchObject({ kept: 'session', signs: true });
	expect(await ask(insecure, 'exportRefusal', 'a long passphrase')).toBe('insecure-context');
});
