/** An invitation through the camera; a whole backup through it is in tests/full/pictures.e2e.ts. */
import { expect, test, type Page } from 'playwright/test';
import { serve, type Serving } from '../../scripts/serve.ts';
import { withCamera } from './camera.ts';
import { settings } from './settings.ts';
import { BUILD } from './stage.ts';

const RELAY = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWQMvjzHi7MgHx1m9yZsUbmU8LT1vyo7K6hA6CRcEJN8TK';

let here: Serving;
test.beforeEach(async () => {
	here = await serve({ root: BUILD, port: 0 });
});
test.afterEach(() => here.close());

const scan = (page: Page) => page.getByRole('button', { name: 'Scan a QR code' });

test('what a camera sees of an invitation is shown with who signed it, and dialled only when asked', async () => {
	await withCamera([RELAY], here.url, async (page) => {
		await settings(page, 'doors');
		await scan(page).click();
		const card = page.getByRole('group', { name: 'What was found' });
		await expect(card).toContainText('The address of a relay.', { timeout: 20_000 });
		await expect(card).toContainText('Nobody signed it');
		await expect(page.getByLabel('What the camera sees')).toHaveCount(0);
	});
});

test('without a camera it says so, and what to do', async ({ page }) => {
	await page.goto(here.url);
	await settings(page, 'doors');
	await scan(page).click();
	await expect(page.getByText(/Use a file instead|or use a file/)).toBeVisible();
	await page.getByRole('button', { name: 'Close the camera' }).click();
	await expect(page.getByText(/Use a file instead|or use a file/)).toHaveCount(0);
});
