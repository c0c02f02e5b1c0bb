/** A carried copy in the world: it joins by what was pasted, is made by an app from a server, and opens in Firefox. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'playwright/test';
import { carry } from '../../scripts/carry.ts';
import { findFirefox } from '../../scripts/firefox.mjs';
import { startFirefox } from '../doubles/firefox.ts';
import { opened } from '../e2e/carried-page.ts';
import { settings } from '../e2e/settings.ts';
import { answered, BUILD, contribute, openStage, send } from '../e2e/stage.ts';

let folder = '';
let file = '';
test.beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-carried-'));
	file = path.join(folder, 'Fireweed.html');
	await writeFile(file, await carry(BUILD));
});
test.afterAll(() => rm(folder, { recursive: true, force: true }));

test('joins the mesh by a pasted address, and a computer there answers', async ({ browser }) => {
	const stage = await openStage(browser);
	try {
		const lender = await stage.person();
		await contribute(lender.page);
		const { page, errors } = await opened(browser, file);
		await settings(page, 'doors');
		await page
			.getByLabel('An invitation, a relay’s address or a list of relays')
			.fill(stage.relay().addresses()[0] ?? '');
		await page.getByRole('button', { name: 'Look', exact: true }).last().click();
		await page.getByRole('button', { name: 'Use it' }).click();
		await expect(page.getByText('Done.')).toBeVisible();
		await page.getByRole('link', { name: 'New chat' }).click();
		await send(page, 'Who are you?', 'The mesh');
		await answered(page);
		await expect(
			page
				.getByRole('button', { name: /^Receipt/ })
				.or(page.getByRole('link', { name: /^Receipt/ }))
				.first()
		).toBeVisible();
		expect(errors).toEqual([]);
	} finally {
		await stage.stop();
	}
});

test('made by an app that came from a server: it opens where there is none', async ({ browser }) => {
	const stage = await openStage(browser);
	try {
		const { page } = await stage.person('#/settings/share');
		await page.getByRole('button', { name: 'Make the file' }).click();
		const link = page.getByRole('link', { name: /^Save Fireweed\.html/ });
		await expect(link).toBeVisible({ timeout: 60_000 });
		const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
		const made = path.join(folder, 'made.html');
		await download.saveAs(made);
		const { page: second, asked } = await opened(browser, made);
		await send(second, 'What is Fireweed?', 'This device');
		await answered(second);
		await settings(second, 'share');
		await expect(second.getByRole('region', { name: 'Share this app' })).toContainText('runs from a file');
		expect(asked).toEqual([]);
	} finally {
		await stage.stop();
	}
});

test('Firefox: the carried copy opens and answers', async () => {
	const firefox = await startFirefox(findFirefox({ install: false }));
	try {
		await firefox.goto(pathToFileURL(file).href);
		const says = (what: string) =>
			firefox.evaluate<boolean>(`document.body.innerText.includes(${JSON.stringify(what)})`);
		await expect.poll(() => says('Ask, and this device answers.'), { timeout: 60_000 }).toBe(true);
		await firefox.evaluate(
			`(() => { const box = document.querySelector('textarea'); box.value = 'What is Fireweed?'; box.dispatchEvent(new Event('input', { bubbles: true })); box.closest('form').requestSubmit(); })()`
		);
		await expect.poll(() => says('browser tabs'), { timeout: 120_000 }).toBe(true);
		expect(firefox.errors).toEqual([]);
	} finally {
		await firefox.close();
	}
});
