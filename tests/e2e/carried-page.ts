/** A carried copy in a browser of its own. */
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright/test';

/** A new person with nothing but the file: no server runs, and every request to one is a failure. */
export async function opened(browser: Browser, at: string): Promise<{ page: Page; asked: string[]; errors: string[] }> {
	const context = await browser.newContext({ acceptDownloads: true });
	const page = await context.newPage();
	const asked: string[] = [];
	const errors: string[] = [];
	page.on('request', (request) => {
		if (/^https?:/.test(request.url()) && !request.url().startsWith('https://carried.invalid/'))
			asked.push(request.url());
	});
	page.on('pageerror', (error) => errors.push(String(error)));
	await page.goto(pathToFileURL(at).href);
	return { page, asked, errors };
}
