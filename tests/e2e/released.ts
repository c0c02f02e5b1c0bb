/** What the tests of releases look at on a page: which release wrote it, whether it is held, and what the strip at the top says. */
import { expect, type Page } from 'playwright/test';
import { settings } from './settings.ts';

/** Which release wrote the page (tests/doubles/signed-build.ts). */
export const shown = (page: Page) => page.locator('html').getAttribute('data-release');
export const notice = (page: Page) => page.getByRole('region', { name: 'Notice' });

/** Until this release is held whole and has said that it starts. */
export async function settled(page: Page): Promise<void> {
	await expect(page.locator('[data-shell=ready]')).toBeVisible({ timeout: 30_000 });
}

/** Closes notices that are about something else, e.g. the shared origin, until the one wanted is seen. */
export async function noticed(page: Page, text: RegExp, timeout = 20_000): Promise<void> {
	await expect(async () => {
		const said = await notice(page).textContent({ timeout: 1_000 });
		if (said && text.test(said)) return;
		await notice(page).getByRole('button').first().click({ timeout: 1_000 });
		throw new Error(`another notice: ${said}`);
	}).toPass({ timeout });
}

/** Types these gateways into the settings and keeps them. */
export async function nameGateways(page: Page, addresses: readonly string[]): Promise<void> {
	await settings(page, 'sources');
	await page.getByLabel('IPFS gateways to ask as well').fill(addresses.join('\n'));
	await page.getByRole('button', { name: 'Keep this list' }).click();
}
