/** From an old tab to a new one at another address, over a real relay and a direct channel: everything comes, whole, and nothing is lost behind. */
import { expect, test, type Page } from 'playwright/test';
import { parseDid } from '#lib/protocol/did.ts';
import { readMoveCode } from '#lib/protocol/move-code.ts';
import { serve, type Serving } from '../../scripts/serve.ts';
import { account, settings } from './moving.ts';
import { answered, BUILD, contribute, openStage, send, type Stage } from './stage.ts';

let stage: Stage;
let elsewhere: Serving;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
	elsewhere = await serve({ root: BUILD, port: 0, relays: () => stage.relay().addresses() });
});
test.afterEach(async () => {
	await stage.stop();
	await elsewhere.close();
});

const number = async (page: Page) => (await page.getByRole('dialog').locator('[dir=ltr]').textContent()) ?? '';

test('an old tab hands everything to a new one at another address', async ({ browser }) => {
	test.setTimeout(120_000);
	const [old, lender] = [await stage.person(), await stage.person()];
	await contribute(lender.page);
	await send(old.page, 'What is the capital of Peru?', 'The mesh');
	await answered(old.page);
	await settings(old.page);
	const did = await account(old.page);

	const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
	const fresh = await context.newPage();
	const errors: string[] = [];
	fresh.on('pageerror', (error) => errors.push(String(error)));
	try {
		await fresh.goto(elsewhere.url);
		expect(new URL(fresh.url()).origin).not.toBe(new URL(stage.url).origin);
		await settings(fresh);
		expect(await account(fresh)).not.toBe(did);

		// Somebody stands between, or the person is not sure: no on one side ends it on both, and nothing has left.
		const code = async () => {
			await fresh.getByRole('button', { name: 'Show a code' }).click();
			await fresh.getByRole('button', { name: 'Copy the code' }).click();
			return fresh.evaluate(() => navigator.clipboard.readText());
		};
		const first = await code();
		await old.page.getByLabel('Code of the new one').fill(first);
		await old.page.getByRole('button', { name: 'Connect' }).click();
		await expect(old.page.getByRole('dialog')).toContainText('Hand over your whole account?', { timeout: 30_000 });
		await expect(fresh.getByRole('dialog')).toBeVisible();
		await old.page.getByRole('button', { name: 'No, stop' }).click();
		for (const page of [old.page, fresh]) {
			await expect(page.getByText('one of the two sides said no')).toBeVisible();
			await expect(page.getByRole('dialog')).toHaveCount(0);
		}

		// The code is spent; the next one is used.
		await old.page.getByRole('button', { name: 'Connect' }).click();
		await expect(old.page.getByText('The other side closed the connection.')).toBeVisible({ timeout: 30_000 });
		const second = await code();
		expect(second).not.toBe(first);
		await old.page.getByLabel('Code of the new one').fill(second);
		await old.page.getByRole('button', { name: 'Connect' }).click();
		await expect(old.page.getByRole('dialog')).toBeVisible({ timeout: 30_000 });
		await expect(fresh.getByRole('dialog')).toBeVisible();
		expect(await number(old.page)).toMatch(/^\d{3} \d{3}$/);
		expect(await number(fresh)).toBe(await number(old.page));
		await old.page.getByRole('button', { name: 'hand everything over' }).click();
		await fresh.getByRole('button', { name: 'Yes, the same number' }).click();
		await expect(fresh.getByText('It brings 1 conversation, 2 messages and 1 receipt.')).toBeVisible({
			timeout: 30_000
		});
		await fresh.getByRole('button', { name: 'Restore', exact: true }).click();
		await expect(old.page.getByText('Everything has arrived and is kept there.')).toBeVisible({ timeout: 20_000 });
		await expect.poll(() => account(fresh).catch(() => undefined), { timeout: 20_000 }).toBe(did);

		const list = fresh.getByRole('navigation', { name: 'Conversations' });
		await list.getByRole('link', { name: 'What is the capital of Peru?' }).click();
		await expect(fresh.getByRole('log')).toContainText('Lima');
		await fresh.getByRole('link', { name: 'Receipt', exact: true }).click();
		await expect(fresh.getByRole('dialog')).toContainText('The one who asked signed; the signature fits.');

		// At the old place all of it is still there, under its own node key: both can be online at once.
		expect(await account(old.page)).toBe(did);
		await expect(
			old.page
				.getByRole('navigation', { name: 'Conversations' })
				.getByRole('link', { name: 'What is the capital of Peru?' })
		).toBeVisible();
		// What could be read on the way (docs/privacy.md): nothing.
		const heard = Buffer.concat(await stage.relayed());
		for (const secret of [parseDid(did ?? ''), readMoveCode(second).secret, Buffer.from('Lima')].map((bytes) =>
			Buffer.from(bytes)
		))
			expect(heard.includes(secret)).toBe(false);
		expect([errors, old.errors, old.strays]).toEqual([[], [], []]);
	} finally {
		await context.close();
	}
});
