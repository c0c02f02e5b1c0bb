/** The badge in a page of another site: it lends by the visitor's own press, and only while it is seen. Nothing else of the app stands in a frame. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'playwright/test';
import { answered, openStage, send, type Stage } from './stage.ts';

let stage: Stage;
let site: Server;
/** Another host name is another site to the browser. */
let address = '';
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
	site = createServer((request, response) => {
		const where = new URL(request.url ?? '/', 'http://site').searchParams.get('frame') ?? '';
		response.setHeader('content-type', 'text/html');
		response.end(
			`<!doctype html><title>A site</title><iframe src="${stage.url}${where}" title="Lend" width="360" height="190"></iframe>`
		);
	});
	await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
	address = `http://localhost:${(site.address() as AddressInfo).port}/`;
});
test.afterEach(async () => {
	await new Promise((resolve) => site.close(resolve));
	await stage.stop();
});

test('a visitor lends from a site’s page, not under a cover, and the rest of the app stays out of frames', async ({
	browser
}) => {
	const asker = await stage.person('?minTokens=20');
	const context = await browser.newContext();
	const page = await context.newPage();
	const frame = page.frameLocator('iframe');
	try {
		await page.goto(`${address}?frame=${encodeURIComponent('#/')}`);
		await expect(frame.getByRole('link', { name: 'Open it in a tab of its own' })).toBeVisible();
		await expect(frame.getByRole('textbox')).toHaveCount(0);

		await page.goto(`${address}?frame=${encodeURIComponent('#/badge')}`);
		const lend = frame.getByRole('button', { name: 'Lend' });
		await expect(lend).toHaveAttribute('aria-disabled', 'false');
		await page.evaluate(() => {
			const cover = document.createElement('div');
			cover.id = 'cover';
			cover.style.cssText = 'position:fixed;inset:0;background:white;pointer-events:none';
			document.body.append(cover);
		});
		await expect(lend).toHaveAttribute('aria-disabled', 'true');
		await lend.click({ force: true });
		await page.evaluate(() => document.getElementById('cover')?.remove());
		await expect(lend).toHaveAttribute('aria-disabled', 'false');
		await lend.click();
		await expect(frame.getByText('Ready. 0 prompts answered here so far.')).toBeVisible({ timeout: 30_000 });

		await send(asker.page, 'What is ash?', 'The mesh');
		await answered(asker.page);
		await expect(frame.getByText('Ready. 1 prompt answered here so far.')).toBeVisible();
		await frame.getByRole('button', { name: 'Stop' }).click();
		await expect(lend).toBeVisible();
	} finally {
		await context.close();
	}
});
