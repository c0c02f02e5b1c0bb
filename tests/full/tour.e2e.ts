/** What a newcomer meets, in order, at a desk and on a phone, with a picture of every step: `npm run screens` keeps them in docs/screens. */
import { expect, test, type Page } from 'playwright/test';
import { picture, seenAs, VIEWS, type View } from '../e2e/picture.ts';
import { answered, contribute, openStage, send, type Stage } from '../e2e/stage.ts';

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
});
test.afterEach(() => stage.stop());

/** Follows a link of the side bar, which a phone keeps in its drawer. */
async function go(page: Page, view: View, name: string): Promise<void> {
	if (view === 'phone') await page.getByRole('button', { name: 'Menu' }).click();
	const path = name === 'Chat' ? '' : name.toLowerCase();
	await page.locator(`a[href$="#/${path}"]:visible`).last().click();
	await expect(page.locator('main')).toBeVisible();
	await expect(page).toHaveTitle(new RegExp(name === 'Chat' ? '' : name));
}

for (const view of Object.keys(VIEWS) as View[]) {
	test(`first visit to wipe: ${view}`, async () => {
		test.setTimeout(180_000);
		const { page, context, errors, strays } = await stage.person();
		await seenAs(page, view);
		let step = 0;
		const taken = (name: string) => picture(page, `tour-${++step}-${name}`, view);

		await expect(page.getByRole('textbox', { name: 'Message' })).toBeVisible();
		await taken('first-visit');
		await send(page, 'What is Fireweed?', 'This device');
		await answered(page);
		await taken('chat');

		await go(page, view, 'Contribute');
		await taken('contribute');
		await page.getByRole('button', { name: 'Start contributing' }).click();
		await expect(page.getByRole('status').filter({ hasText: 'Ready' })).toBeVisible({ timeout: 30_000 });
		await taken('contributing');

		const lender = await stage.person();
		await contribute(lender.page);
		await go(page, view, 'Network');
		await taken('network');
		await go(page, view, 'Chat');
		await send(page, 'Tell me about rivers', 'The mesh');
		await answered(page);
		await taken('mesh');

		await page.getByRole('log').getByRole('link', { name: 'Receipt', exact: true }).last().click();
		await expect(page.getByRole('dialog')).toBeVisible();
		await taken('receipt');
		await page.keyboard.press('Escape');
		await go(page, view, 'Receipts');
		await taken('receipts');

		await context.setOffline(true);
		await expect(page.getByRole('region', { name: 'Notice' })).toContainText('You are offline');
		await taken('offline');
		await context.setOffline(false);

		await go(page, view, 'Settings');
		await taken('settings');
		await page.getByRole('link', { name: 'Delete everything' }).click();
		await page.getByRole('button', { name: /^Delete everything/ }).click();
		await taken('wipe');
		expect(errors).toEqual([]);
		expect(strays).toEqual([]);
	});
}
