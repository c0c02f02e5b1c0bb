/** A smoke run of the shell in Debian's Firefox: it opens from a server, answers by its own engine, and does both again with the server gone. */
import { expect, test } from 'playwright/test';
import { findFirefox } from '../../scripts/firefox.mjs';
import { serve } from '../../scripts/serve.ts';
import { startFirefox, type Firefox } from '../doubles/firefox.ts';
import { BUILD } from '../e2e/stage.ts';

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
