/** The screens of the built app in another language: right to left in full, changed without a reload, and there without a server. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { THOROUGH } from '../thorough.ts';
import { violations } from './axe.ts';
import { everySection } from './settings.ts';

const WIDTHS = [
	{ width: 1280, height: 800 },
	{ width: 390, height: 844 }
] as const;
const PAGES = ['', 'contribute', 'network', 'receipts', 'settings'] as const;

/** The words of a language as its file has them. */
const words = (code: string) =>
	JSON.parse(
		readFileSync(path.resolve(import.meta.dirname, `../../src/lib/ui/language/messages/${code}.json`), 'utf8')
	) as Record<string, string>;
const persian = words('fa');
const word = (key: string): string => persian[key] ?? `(${key})`;

let site: Awaited<ReturnType<typeof serve>>;
test.beforeAll(async () => {
	site = await serve({ root: 'build', port: 0 });
});
test.afterAll(() => site.close());

/** Files of languages that were asked of the server. */
function languagesAsked(page: Page): Set<string> {
	const asked = new Set<string>();
	page.on('request', (request) => {
		const [, code] = /\/language-([a-z]+)-/.exec(request.url()) ?? [];
		if (code) asked.add(code);
	});
	return asked;
}

for (const viewport of THOROUGH ? WIDTHS : WIDTHS.slice(-1))
	test(`in Persian every page runs from right to left, and axe finds nothing: ${viewport.width} px`, async ({
		browser
	}) => {
		const context = await browser.newContext({ locale: 'fa-IR', viewport });
		const page = await context.newPage();
		const asked = languagesAsked(page);
		try {
			const look = async (name: string) => {
				await expect(page.locator('main h1, main h2').first()).toBeVisible();
				await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
				await expect(page.locator('html')).toHaveAttribute('lang', 'fa');
				expect(await violations(page), name).toEqual([]);
				expect(
					await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth),
					`${name} is too wide`
				).toBe(false);
				if (process.env['FIREWEED_SHOTS'])
					await page.screenshot({
						path: `${process.env['FIREWEED_SHOTS']}/fa-${name.replace(/\W+/g, '-') || 'chat'}-${viewport.width}.png`
					});
			};
			for (const name of PAGES) {
				await page.goto(`${site.url}#/${name}`);
				await look(name);
			}
			await everySection(page, look);
			expect([...asked]).toEqual(['fa']);
			await page.goto(`${site.url}#/`);
			const [start, end] = [page.locator('#message'), page.getByRole('button', { name: word('chat.send') })];
			const [field, button] = [await start.boundingBox(), await end.boundingBox()];
			expect((button?.x ?? 0) < (field?.x ?? 0) + (field?.width ?? 0) / 2, 'Send stands at the left').toBe(true);
		} finally {
			await context.close();
		}
	});

test('the language changes there and back without a reload, and is kept', async ({ page }) => {
	const asked = languagesAsked(page);
	await page.goto(`${site.url}#/settings/language`);
	await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible();
	expect([...asked]).toEqual([]);
	await page.evaluate(() => ((globalThis as { mark?: boolean }).mark = true));
	await page.getByRole('combobox', { name: 'Language', exact: true }).selectOption('fa');
	await expect(page.getByRole('heading', { name: word('all.settings'), level: 1 })).toBeVisible();
	await expect(page.getByRole('link', { name: word('shell.chat'), exact: true })).toBeVisible();
	await expect(page.locator('html')).toHaveAttribute('dir', 'rtl');
	await page.goto(`${site.url}#/`);
	await expect(page.getByRole('textbox', { name: word('chat.message') })).toBeVisible();
	await page.reload();
	await expect(page.getByRole('textbox', { name: word('chat.message') })).toBeVisible();
	await page.goto(`${site.url}#/settings/language`);
	await page.getByRole('combobox', { name: word('settings.language'), exact: true }).selectOption('en');
	await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible();
	await expect(page.locator('html')).toHaveAttribute('dir', 'ltr');
	expect([...asked]).toEqual(['fa']);
});

test('a fixed answer stands in English, with its translation below', async ({ browser }) => {
	const context = await browser.newContext({ locale: 'fa-IR' });
	const page = await context.newPage();
	try {
		await page.goto(site.url);
		await page.getByRole('textbox', { name: word('chat.message') }).fill('I have chest pain');
		await page.keyboard.press('Enter');
		const log = page.getByRole('log');
		await expect(log.getByText('This is a fixed text: a small model knows nothing about health')).toBeVisible({
			timeout: 40_000
		});
		await expect(log.getByText(word('fixed.machine-made'))).toBeVisible();
	} finally {
		await context.close();
	}
});

test('on a first visit the language is held: without a server the app opens in it', async ({ browser }) => {
	const own = await serve({ root: 'build', port: 0 });
	const context = await browser.newContext({ locale: 'fa-IR' });
	const page = await context.newPage();
	try {
		await page.goto(own.url);
		await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
		await expect
			.poll(() =>
				page.evaluate(async () => {
					const caches = await Promise.all(
						(await globalThis.caches.keys()).map((name) => globalThis.caches.open(name))
					);
					const kept = (await Promise.all(caches.map((cache) => cache.keys()))).flat();
					return kept.flatMap(({ url }) => /\/language-([a-z]+)-/.exec(url)?.[1] ?? []);
				})
			)
			.toEqual(['fa']);
		await own.close();
		await page.reload();
		await expect(page.getByRole('textbox', { name: word('chat.message') })).toBeVisible();
		// Another language is not here; it says so, and this one stays.
		await page.goto(`${own.url}#/settings/language`);
		await page.getByRole('combobox', { name: word('settings.language'), exact: true }).selectOption('ru');
		await expect(page.getByText(word('settings.language-not-here'))).toBeVisible();
		await expect(page.locator('html')).toHaveAttribute('lang', 'fa');
	} finally {
		await context.close();
		await own.close();
	}
});
