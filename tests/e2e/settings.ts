/** How a person gets about in the settings. */
import { expect, type Page } from 'playwright/test';
import type { SettingsSection } from '#lib/ui/settings/section.ts';

const list = (page: Page) => page.locator('main nav');

/** Opens a section, as a person does who is anywhere in the app, and at a desk. */
export async function settings(page: Page, section: SettingsSection): Promise<void> {
	const address = `#/settings/${section}`;
	// Gone to once: the way to where one is takes the focus away when it ends, and with it what is typed.
	if (new URL(page.url()).hash === address) return;
	if (!new URL(page.url()).hash.startsWith('#/settings'))
		await page.getByRole('link', { name: 'Settings' }).first().click();
	await list(page).locator(`a[href="${address}"]`).click();
	await expect(page.locator('main section h2')).toBeVisible();
	await expect(page).toHaveURL((url) => url.hash === address);
}

/** Opens one section after the other from the list of them, which must be on the screen, and looks at each. */
export async function everySection(page: Page, look: (address: string) => Promise<void>): Promise<void> {
	const links = list(page).getByRole('link');
	await expect(links.first()).toBeVisible();
	const addresses = await links.evaluateAll((each) => each.map((link) => link.getAttribute('href') ?? ''));
	expect(addresses.length).toBeGreaterThan(10);
	for (const address of addresses) {
		await list(page).locator(`a[href="${address}"]`).click();
		await expect(page).toHaveURL((url) => url.hash === address);
		await expect(page.locator('main section h2')).toBeVisible();
		await look(address);
		// A phone shows either.
		const back = page.locator('main h1 a');
		if (await back.isVisible()) await back.click();
	}
}
