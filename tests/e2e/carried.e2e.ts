/** The app as one file, opened from disk in a browser that has nothing else: it answers, hands itself on, and says why when damaged. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'playwright/test';
import { carry } from '../../scripts/carry.ts';
import { opened } from './carried-page.ts';
import { settings } from './settings.ts';
import { answered, BUILD, send } from './stage.ts';

let folder = '';
let file = '';
test.beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-carried-'));
	file = path.join(folder, 'Fireweed.html');
	await writeFile(file, await carry(BUILD));
});
test.afterAll(() => rm(folder, { recursive: true, force: true }));

test('opened from disk: a question is answered, nothing is asked of any server, and the copy hands itself on', async ({
	browser
}) => {
	const { page, asked, errors } = await opened(browser, file);
	await send(page, 'What is Fireweed?', 'This device');
	await answered(page);
	await expect(page.getByRole('log')).toContainText('browser tabs');
	await expect(page.getByRole('region', { name: 'Notice' })).toContainText('runs from a file');

	await settings(page, 'share');
	await page.getByRole('button', { name: 'Make the file' }).click();
	const link = page.getByRole('link', { name: /^Save Fireweed\.html/ });
	await expect(link).toBeVisible({ timeout: 60_000 });
	const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
	expect(await readFile(await download.path())).toEqual(await readFile(file));
	expect([asked, errors]).toEqual([[], []]);
});

test('cut off, or changed by an editor that knows better: it says so instead of opening', async ({ browser }) => {
	const whole = await readFile(file);
	for (const [name, bytes] of [
		[
			'cut',
			Buffer.concat([
				whole.subarray(0, whole.length / 2),
				whole.subarray(whole.lastIndexOf('</script>\n<script type="module"'))
			])
		],
		['recoded', Buffer.from(whole.toString('latin1').replace('charset="windows-1252"', 'charset="utf-8"'), 'latin1')]
	] as const) {
		const at = path.join(folder, `${name}.html`);
		await writeFile(at, bytes);
		const { page } = await opened(browser, at);
		await expect(page.locator('#app')).toContainText('does not open', { timeout: 20_000 });
	}
});

test('a file in it changed on its way, or the release beside it: refused before anything of the app runs', async ({
	browser
}) => {
	const entry = /^_app\/immutable\/entry\/start\./;
	const evil = {
		module: (name: string, bytes: Buffer) =>
			entry.test(name) ? Buffer.concat([Buffer.from('globalThis.evil=1;'), bytes]) : bytes,
		unlisted: (name: string, bytes: Buffer) => (name === 'release/files.cbor' ? bytes.subarray(0, -1) : bytes),
		signature: (name: string, bytes: Buffer) => {
			const copy = Buffer.from(bytes);
			const last = copy.length - 1;
			copy[last] = (copy[last] ?? 0) ^ 1;
			return name === 'release/manifest.cbor' ? copy : bytes;
		}
	};
	for (const [name, change] of Object.entries(evil)) {
		const at = path.join(folder, `${name}.html`);
		await writeFile(at, await carry(BUILD, change));
		const { page } = await opened(browser, at);
		await expect(page.locator('#app')).toContainText('does not open', { timeout: 20_000 });
		expect(await page.evaluate(() => 'evil' in globalThis)).toBe(false);
	}
});
