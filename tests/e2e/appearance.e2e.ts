/** The chosen look over a reload: there when the document is parsed, before the app runs. */
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
	await page.goto(`${site.url}#/settings`);
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
