/** A whole backup through the camera: one browser shows it as codes, another, with a camera that sees a film of them, reads it. */
import decodeQR from 'qr/decode.js';
import { expect, test } from 'playwright/test';
import { serve, type Serving } from '../../scripts/serve.ts';
import { withCamera } from '../e2e/camera.ts';
import { account } from '../e2e/moving.ts';
import { answered, BUILD, send } from '../e2e/stage.ts';

const PASSPHRASE = 'four unrelated quiet words';

let here: Serving;
let there: Serving;
test.beforeEach(async () => {
	[here, there] = [await serve({ root: BUILD, port: 0 }), await serve({ root: BUILD, port: 0 })];
});
test.afterEach(async () => {
	await here.close();
	await there.close();
});

test('a backup shown as pictures is read by another browser’s camera, whole, and restored there', async ({ page }) => {
	test.setTimeout(120_000);
	await page.goto(here.url);
	await send(page, 'What is Fireweed?', 'This device');
	await answered(page);
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

	await withCamera(texts, there.url, async (other) => {
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
