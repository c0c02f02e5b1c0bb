/** What a contributor sets, on the built app: a limit ends lending by itself, and all of it outlives a reload. */
import { expect, test } from 'playwright/test';
import type { AssignedJob } from '#lib/ports/store.ts';
import { answered, contribute, openStage, send, table, type Stage } from '../e2e/stage.ts';

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
});
test.afterEach(async () => {
	await stage.stop();
});

test('one job a day: after it nothing is lent, after a reload neither, until the limit is lifted', async () => {
	const [asker, lender] = [await stage.person('?minTokens=20'), await stage.person()];
	const { page } = lender;
	await contribute(page);
	await expect(page).toHaveTitle(/^● Contribute/);
	await page.getByText('Limits', { exact: true }).click();
	await page.getByLabel('Only so many jobs of others a day').check();
	await page.getByLabel('at most').fill('1');
	await page.getByLabel('at most').press('Tab');
	await page.getByLabel('Start by itself whenever Fireweed is opened here').check();

	await send(asker.page, 'What is ash?', 'The mesh');
	await answered(asker.page);
	const paused = page.getByRole('status').filter({ hasText: 'Paused until midnight' });
	await expect(paused).toBeVisible();
	await expect(page).toHaveTitle(/^‖ Contribute/);
	await expect
		.poll(async () => (await table<AssignedJob>(page, 'assigned')).map(({ state }) => state))
		.toEqual(['success']);

	await page.reload();
	await expect(paused).toBeVisible();
	await page.getByText('Earlier visits (1)').click();
	await expect(page.getByText("Someone's prompt · answered")).toBeVisible();

	await page.getByText('Limits', { exact: true }).click();
	await page.getByLabel('Only so many jobs of others a day').uncheck();
	const ready = page.getByRole('status').filter({ hasText: 'Ready. Waiting for jobs.' });
	await expect(ready).toBeVisible();
	await page.getByRole('button', { name: 'Pause' }).click();
	await expect(page.getByRole('status').filter({ hasText: 'Paused by you' })).toBeVisible();
	await page.getByRole('button', { name: 'Go on' }).click();
	await expect(ready).toBeVisible();
	for (const { errors, strays } of [asker, lender]) expect([errors, strays]).toEqual([[], []]);
});
