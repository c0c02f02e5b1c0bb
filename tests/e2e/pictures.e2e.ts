/** A backup and an invitation through the camera: one browser shows, another, with a camera that sees a film of it, reads. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import decodeQR from 'qr/decode.js';
import { chromium, expect, test, type Browser, type Page } from 'playwright/test';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { serve, type Serving } from '../../scripts/serve.ts';
import { pictureOf, writeFilm } from '../doubles/film.ts';
import { account, settings } from './moving.ts';
import { answered, BUILD, send } from './stage.ts';

const PASSPHRASE = 'four unrelated quiet words';
const RELAY = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWQMvjzHi7MgHx1m9yZsUbmU8LT1vyo7K6hA6CRcEJN8TK';

let folder = '';
let here: Serving;
let there: Serving;
test.beforeEach(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-film-'));
	[here, there] = [await serve({ root: BUILD, port: 0 }), await serve({ root: BUILD, port: 0 })];
});
test.afterEach(async () => {
	await here.close();
	await there.close();
	await rm(folder, { recursive: true, force: true });
});

/** A browser whose camera sees these codes, one after the other. */
async function withCamera(texts: readonly string[], work: (page: Page) => Promise<void>): Promise<void> {
	const film = path.join(folder, 'film.y4m');
	await writeFilm(film, texts.map(pictureOf), 5);
	const camera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
	const browser: Browser = await chromium.launch({
		executablePath: findChromium({ install: false }),
		args: [...LAUNCH_FLAGS, ...camera, `--use-file-for-fake-video-capture=${film}`]
	});
	try {
		const page = await browser.newPage();
		await page.goto(there.url);
		await work(page);
	} finally {
		await browser.close();
	}
}

test('a backup shown as pictures is read by another browser’s camera, whole, and restored there', async ({ page }) => {
	test.setTimeout(120_000);
	await page.goto(here.url);
	await send(page, 'What is Fireweed?', 'This device');
	await answered(page);
	await settings(page);
	const did = await account(page);
	await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE);
	await page.getByLabel('Passphrase again').fill(PASSPHRASE);
	await page.getByRole('button', { name: 'Show it to another device’s camera' }).click();
	const shown = page.getByRole('group', { name: 'The backup as pictures' });
	await expect(shown.getByText(/Picture \d+ of \d+/).first()).toBeVisible();
	await shown.getByRole('button', { name: 'Hold still' }).click();
	const count = Number(/of (\d+)/.exec((await shown.getByRole('img').getAttribute('aria-label')) ?? '')?.[1]);
	expect(count).toBeGreaterThan(20);
	// What is on the screen, code by code, read back from its drawing.
	const drawn = new Map<string, string>();
	for (let n = 0; n < count; n++) {
		const picture = shown.getByRole('img');
		drawn.set(
			(await picture.getAttribute('aria-label')) ?? '',
			(await picture.locator('path').getAttribute('d')) ?? ''
		);
		await shown.getByRole('button', { name: 'Next' }).click();
	}
	expect(drawn.size).toBe(count);
	const texts = [...drawn.values()].map(read);
	expect(texts.every((text) => text.startsWith('FW1:'))).toBe(true);

	await withCamera(texts, async (other) => {
		await settings(other);
		expect(await account(other)).not.toBe(did);
		await other.getByRole('button', { name: 'Read it with the camera' }).click();
		await expect(other.getByText(/\d+ of \d+ pictures read/)).toBeVisible({ timeout: 20_000 });
		await expect(other.getByText(`A backup read by the camera, ${count} pictures`)).toBeVisible({ timeout: 60_000 });
		await other.getByLabel('Its passphrase').fill(PASSPHRASE);
		await other.getByRole('button', { name: 'Look inside' }).click();
		await expect(other.getByText('It brings 1 conversation, 2 messages')).toBeVisible();
		await other.getByRole('button', { name: 'Restore', exact: true }).click();
		await expect.poll(() => account(other), { timeout: 20_000 }).toBe(did);
		await expect(other.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem')).toHaveCount(1);
	});
});

test('what a camera sees of an invitation is shown with who signed it, and dialled only when asked', async () => {
	await withCamera([RELAY], async (page) => {
		await settings(page);
		await page.getByRole('button', { name: 'Scan a QR code' }).click();
		const card = page.getByRole('group', { name: 'What was found' });
		await expect(card).toContainText('The address of a relay.', { timeout: 20_000 });
		await expect(card).toContainText('Nobody signed it');
		await expect(page.getByLabel('What the camera sees')).toHaveCount(0);
	});
});

test('without a camera it says so, and what to do', async ({ page }) => {
	await page.goto(here.url);
	await settings(page);
	await page.getByRole('button', { name: 'Scan a QR code' }).click();
	await expect(page.getByText(/Use a file instead|or use a file/)).toBeVisible();
	await page.getByRole('button', { name: 'Close the camera' }).click();
	await expect(page.getByText(/Use a file instead|or use a file/)).toHaveCount(0);
});

/** The text of a code as it is drawn (QrCode.svelte): one square a module, four modules of margin. */
function read(d: string): string {
	const dots = [...d.matchAll(/M(\d+) (\d+)h/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
	const side = Math.max(...dots.flat()) + 5;
	const scale = 4;
	const data = new Uint8Array(side * side * scale * scale * 4).fill(255);
	for (const [x, y] of dots)
		for (let row = 0; row < scale; row++) {
			const from = ((y * scale + row) * side * scale + x * scale) * 4;
			for (let at = from; at < from + scale * 4; at += 4) data.fill(0, at, at + 3);
		}
	return decodeQR({ width: side * scale, height: side * scale, data }, { timeLimit: 2_000 });
}
