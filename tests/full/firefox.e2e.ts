/** A smoke run of the shell in Debian's Firefox: it opens from a server, answers by its own engine, and does both again with the server gone. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'playwright/test';
import { findFirefox } from '../../scripts/firefox.mjs';
import { serve } from '../../scripts/serve.ts';
import { startFirefox, type Firefox } from '../doubles/firefox.ts';
import { account } from '../e2e/moving.ts';
import { settings } from '../e2e/settings.ts';
import { pictureFile, VIEWS } from '../e2e/picture.ts';
import { answered, BUILD, contribute, openStage, send } from '../e2e/stage.ts';

const says = (firefox: Firefox, what: string) =>
	firefox.evaluate<boolean>(`document.body.textContent.includes(${JSON.stringify(what)})`);

/** Types into the composer and sends. */
const ask = (firefox: Firefox, text: string) =>
	firefox.evaluate(`(() => {
		const box = document.querySelector('textarea');
		box.value = ${JSON.stringify(text)};
		box.dispatchEvent(new Event('input', { bubbles: true }));
		box.closest('form').requestSubmit();
	})()`);

/** Clicks what bears that name, as soon as it may be clicked. */
async function click(firefox: Firefox, name: string): Promise<void> {
	const clicked = `(() => {
		const all = [...document.querySelectorAll('button, a, label')].filter((each) => each.offsetParent !== null);
		const found = all.find((each) => each.innerText.trim() === ${JSON.stringify(name)} && !each.disabled);
		found?.click();
		return found !== undefined;
	})()`;
	await expect.poll(() => firefox.evaluate<boolean>(clicked), { timeout: 30_000 }).toBe(true);
}

/** Answers that are complete. */
const answers = (firefox: Firefox) =>
	firefox.evaluate<string[]>(
		`[...document.querySelectorAll('[role=log] article[aria-label=Answer][aria-busy=false]')].map((each) => each.innerText)`
	);

/** How many files of the app the worker holds. */
const held = (firefox: Firefox) =>
	firefox.evaluate<number>(`(async () => {
		const name = (await caches.keys()).find((each) => each.startsWith('fireweed-shell '));
		return name === undefined ? 0 : (await (await caches.open(name)).keys()).length;
	})()`);

test('Firefox: the app opens, answers here, and does both again with the server gone', async () => {
	test.setTimeout(240_000);
	const firefox = await startFirefox(findFirefox({ install: false }));
	const server = await serve({ root: BUILD, port: 0, relays: () => [] });
	try {
		await firefox.goto(server.url);
		await expect.poll(() => says(firefox, 'Ask, and this device answers.'), { timeout: 60_000 }).toBe(true);
		await ask(firefox, 'What is Fireweed?');
		await expect.poll(() => answers(firefox), { timeout: 90_000 }).toEqual([expect.stringContaining('browser tabs')]);
		// The app's own word for it: everything is in the cache and the worker serves it.
		await firefox.goto(`${server.url}#/network`);
		await expect.poll(() => says(firefox, 'held for offline: ready'), { timeout: 60_000 }).toBe(true);
		expect(await held(firefox)).toBeGreaterThan(20);
		await server.close();
		await expect(fetch(server.url)).rejects.toThrow();

		await firefox.goto(`${server.url}?again`);
		// What was said before the server went is still there, and the engine needs nobody.
		const first = expect.stringContaining('browser tabs');
		await expect.poll(() => answers(firefox), { timeout: 60_000 }).toEqual([first]);
		await ask(firefox, 'Who are you?');
		await expect
			.poll(() => answers(firefox), { timeout: 90_000 })
			.toEqual([first, expect.stringContaining('pocket model')]);
		expect(firefox.errors).toEqual([]);
	} finally {
		await firefox.close();
		await server.close();
	}
});

test('Firefox: everything moves there from Chromium; it asks the mesh and lends to it', async ({ browser }) => {
	test.setTimeout(240_000);
	const firefox = await startFirefox(findFirefox({ install: false }));
	const stage = await openStage(browser);
	const elsewhere = await serve({ root: BUILD, port: 0, relays: () => stage.relay().addresses() });
	try {
		const [{ page: old }, lender] = [await stage.person(), await stage.person()];
		await send(old, 'What is Fireweed?', 'This device');
		await answered(old);
		const did = await account(old);
		await settings(old, 'move');

		await firefox.goto(`${elsewhere.url}#/settings/move`);
		// Its clipboard cannot be read from here.
		await firefox.evaluate('void (navigator.clipboard.writeText = async (text) => void (window.copied = text))');
		await click(firefox, 'Show a code');
		await click(firefox, 'Copy the code');
		await old.getByLabel('Code of the new one').fill(await firefox.evaluate<string>('window.copied'));
		await old.getByRole('button', { name: 'Connect' }).click();
		const number = old.getByRole('dialog').locator('[dir=ltr]');
		await expect(number).toHaveText(/^\d{3} \d{3}$/, { timeout: 30_000 });
		const there = await firefox.evaluate<string>(`document.querySelector('dialog[open] [dir=ltr]').innerText`);
		expect(there).toBe(await number.textContent());
		await old.getByRole('button', { name: 'hand everything over' }).click();
		await click(firefox, 'Yes, the same number');
		await click(firefox, 'Restore');
		await expect(old.getByText('Everything has arrived and is kept there.')).toBeVisible({ timeout: 30_000 });
		await firefox.goto(`${elsewhere.url}#/settings/backup`);
		const whose = `document.querySelector('section.backup code')?.getAttribute('title') ?? null`;
		await expect.poll(() => firefox.evaluate(whose).catch(() => null), { timeout: 30_000 }).toBe(did);

		await contribute(lender.page);
		await click(firefox, 'New chat');
		await click(firefox, 'The mesh');
		await ask(firefox, 'What is the capital of Peru?');
		await expect.poll(() => answers(firefox), { timeout: 90_000 }).toEqual([expect.stringContaining('Lima')]);

		await lender.page.getByRole('button', { name: 'Stop contributing' }).click();
		await firefox.goto(`${elsewhere.url}#/contribute`);
		await click(firefox, 'Start contributing');
		await expect.poll(() => says(firefox, 'Ready'), { timeout: 60_000 }).toBe(true);
		await old.getByRole('link', { name: 'New chat' }).click();
		await send(old, 'What is the capital of France?', 'The mesh');
		await answered(old);
		await expect(old.getByRole('log')).toContainText('Paris');
		await expect(old.getByRole('log')).toContainText('Another tab of yours');
		expect(firefox.errors).toEqual([]);
	} finally {
		await firefox.close();
		await elsewhere.close();
		await stage.stop();
	}
});

/** Room for all sites together, in KiB: Firefox gives one of them a fifth, and the app with its model takes about 30 MB of that. */
const SMALL = 5 * 48 * 1024;

test('Firefox: storage nearly full is said, with a way to what takes the room, and gone when there is room', async () => {
	test.setTimeout(240_000);
	const small = { 'dom.quotaManager.temporaryStorage.fixedLimit': SMALL };
	const firefox = await startFirefox(findFirefox({ install: false }), small);
	const server = await serve({ root: BUILD, port: 0, relays: () => [] });
	const FULL = 'room for this site';
	const room = () =>
		firefox.evaluate<{ usage: number; quota: number }>(
			'navigator.storage.estimate().then(({ usage, quota }) => ({ usage, quota }))'
		);
	try {
		await firefox.goto(`${server.url}#/network`);
		await expect.poll(() => says(firefox, 'held for offline: ready'), { timeout: 60_000 }).toBe(true);
		expect(await says(firefox, FULL)).toBe(false);
		const { usage, quota } = await room();
		const rest = Math.floor(quota * 0.95 - usage);
		expect(rest).toBeGreaterThan(0);
		// Bytes of chance: Firefox compresses what it keeps.
		const pieces = `Array.from({ length: Math.ceil(${rest} / 65536) }, () => crypto.getRandomValues(new Uint8Array(65536)))`;
		await firefox.evaluate(
			`caches.open('other').then((other) => other.put('/large', new Response(new Blob(${pieces}))))`
		);
		for (const view of ['phone', 'desk'] as const) {
			const { viewport, theme } = VIEWS[view];
			await firefox.evaluate(`localStorage.setItem('fireweed.theme', '${theme}')`);
			await firefox.goto(`${server.url}?${view}`);
			await expect.poll(() => says(firefox, FULL), { timeout: 30_000 }).toBe(true);
			const file = pictureFile('storage-nearly-full', view);
			await mkdir(path.dirname(file), { recursive: true });
			await writeFile(file, await firefox.screenshot(viewport));
		}
		await click(firefox, 'Look at models');
		await expect.poll(() => says(firefox, 'It is nearly full'), { timeout: 10_000 }).toBe(true);
		await firefox.evaluate(`caches.delete('other')`);
		// Firefox counts it for a while yet; a page asks when it is opened.
		let looks = 0;
		const stillFull = async () => {
			await firefox.goto(`${server.url}?look=${(looks += 1)}#/settings/models`);
			await expect.poll(() => says(firefox, 'used of about 50.3 MB'), { timeout: 60_000 }).toBe(true);
			return (await says(firefox, FULL)) || (await says(firefox, 'It is nearly full'));
		};
		await expect.poll(stillFull, { timeout: 60_000 }).toBe(false);
		expect(firefox.errors).toEqual([]);
	} finally {
		await firefox.close();
		await server.close();
	}
});
