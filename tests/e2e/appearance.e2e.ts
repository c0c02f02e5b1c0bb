/** What a person chooses once: the look, there before the app runs; shortcuts; the introduction, put away and brought back. */
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';

const DARK_GROUND = 'rgb(27, 23, 25)';

let site: Awaited<ReturnType<typeof serve>>;
test.beforeAll(async () => {
	site = await serve({ root: 'build', port: 0 });
});
test.afterAll(() => site.close());

/** What the page wears when it is parsed, from its next load on. */
async function watched(page: Page): Promise<() => Promise<unknown>> {
	await page.addInitScript(() => {
		document.addEventListener('DOMContentLoaded', () => {
			const { dataset } = document.documentElement;
			Object.assign(globalThis, {
				worn: {
					...dataset,
					ground: getComputedStyle(document.body).backgroundColor,
					app: Boolean(document.querySelector('main'))
				}
			});
		});
	});
	return () => page.evaluate(() => (globalThis as { worn?: unknown }).worn);
}

test('dark is kept over a reload and painted first, and the system’s is what there is without a choice', async ({
	page
}) => {
	await page.emulateMedia({ colorScheme: 'light' });
	const worn = await watched(page);
	const scheme = () =>
		page.evaluate(() =>
			[...document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')]
				.filter(({ media }) => matchMedia(media).matches)
				.map(({ content }) => content)
		);
	await page.goto(`${site.url}#/settings/appearance`);
	expect(await worn()).toEqual({ ground: 'rgb(250, 248, 249)', app: false });
	await page.getByRole('radio', { name: 'Dark' }).check();
	await page.getByRole('radio', { name: 'Compact' }).check();
	await expect(page.locator('body')).toHaveCSS('background-color', DARK_GROUND);
	await page.reload();
	expect(await worn()).toEqual({ theme: 'dark', density: 'compact', ground: DARK_GROUND, app: false });
	expect(await scheme()).toEqual(['#1b1719']);
	await expect(page.getByRole('radio', { name: 'Dark' })).toBeChecked();
	await page.getByRole('radio', { name: 'As the system does' }).check();
	await expect(page.locator('html')).not.toHaveAttribute('data-theme');
	expect(await scheme()).toEqual(['#faf8f9']);
});

test('? lists the shortcuts where nothing is typed, and the introduction stays away until it is wanted', async ({
	page
}) => {
	const message = page.getByRole('textbox', { name: 'Message' });
	const steps = page.getByRole('heading', { name: 'Three steps' });
	const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
	await page.goto(site.url);
	await expect(steps).toBeVisible();
	await expect(message).toBeFocused();
	await page.keyboard.type('What is n?');
	await expect(message).toHaveValue('What is n?');
	await expect(list).toHaveCount(0);
	await page.keyboard.press('Control+/');
	await expect(list).toContainText('Copy the last answer');
	await page.keyboard.press('Escape');
	await expect(message).toBeFocused();

	await page.getByRole('button', { name: 'Hide' }).click();
	await expect(steps).toHaveCount(0);
	await expect(message).toBeFocused();
	await page.reload();
	await expect(message).toHaveValue('What is n?');
	await expect(steps).toHaveCount(0);

	await page.getByRole('radio', { name: 'This device' }).focus();
	await page.keyboard.press('?');
	await expect(list).toBeVisible();
	await page.keyboard.press('Escape');
	await page.keyboard.press('Alt+,');
	const sections = page.getByRole('navigation', { name: 'Settings' });
	await sections.getByRole('link', { name: 'Keyboard shortcuts' }).click();
	await page.getByRole('radio', { name: 'no single letters' }).check();
	await page.keyboard.press('?');
	await expect(list).toHaveCount(0);
	await sections.getByRole('link', { name: 'Introduction' }).click();
	await page.getByRole('link', { name: 'Show it again' }).click();
	await expect(steps).toBeVisible();
	// Who asks knows how.
	await message.fill('What is Fireweed?');
	await page.keyboard.press('Enter');
	await expect(page.getByRole('log')).toContainText('What is Fireweed?');
	await page.keyboard.press('Escape');
	await page.keyboard.press('Alt+n');
	await expect(message).toBeFocused();
	await expect(page.getByRole('log')).not.toContainText('What is Fireweed?');
	await expect(page.getByText('There is nothing to sign up for.')).toBeVisible();
	await expect(steps).toHaveCount(0);
});

test('on a phone the settings are a list, a section opens at its top, and the way back leads to where one was', async ({
	page
}) => {
	await page.setViewportSize({ width: 390, height: 480 });
	await page.goto(`${site.url}#/settings`);
	const main = page.locator('main');
	const scrolled = () => main.evaluate((element) => element.scrollTop);
	await page.getByRole('link', { name: 'Who sees what' }).click();
	await expect(page.getByRole('heading', { name: 'Who sees what', level: 2 })).toBeInViewport();
	await expect(page).toHaveTitle(/Who sees what/);
	await expect(page.getByRole('navigation', { name: 'Settings' })).toHaveCount(0);
	await main.evaluate((element) => (element.scrollTop = 200));
	await page.getByRole('link', { name: 'Settings' }).click();
	await expect(page.getByRole('link', { name: 'Appearance' })).toBeInViewport();
	expect(await scrolled()).toBe(0);

	await main.evaluate((element) => (element.scrollTop = element.scrollHeight));
	const place = await scrolled();
	expect(place).toBeGreaterThan(100);
	await page.getByRole('link', { name: 'Delete everything' }).click();
	await expect(page.getByRole('button', { name: /^Delete everything/ })).toBeVisible();
	expect(await scrolled()).toBe(0);
	await page.goBack();
	await expect(page.getByRole('link', { name: 'Delete everything' })).toBeInViewport();
	await expect.poll(scrolled).toBe(place);

	// What names no section is the list.
	await page.goto(`${site.url}#/settings/nothing`);
	await expect(page.getByRole('link', { name: 'Appearance' })).toBeVisible();
	await page.setViewportSize({ width: 1280, height: 800 });
	await expect(page.getByRole('radio', { name: 'Compact' })).toBeVisible();
});
