/** Where the browser withholds most of what a page may use: on a mirror on plain http, and when it keeps nothing. It is said, and this device still answers. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, expect, test } from 'playwright/test';
import { startGateway } from '../doubles/gateway.ts';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { pictures } from './picture.ts';
import { answered, BUILD, send } from './stage.ts';

/** A name that is not this machine's, although it leads there. */
const MIRROR = 'mirror.example';

test('on plain http the strip says so, and a message is answered all the same', async () => {
	const gateway = await startGateway(BUILD);
	const browser = await chromium.launch({
		executablePath: findChromium({ install: false }),
		args: [...LAUNCH_FLAGS, `--host-resolver-rules=MAP ${MIRROR} 127.0.0.1`]
	});
	const errors: string[] = [];
	try {
		const page = await browser.newPage();
		page.on('pageerror', (error) => errors.push(String(error)));
		await page.goto(gateway.pathUrl.replace('127.0.0.1', MIRROR));
		expect(await page.evaluate(() => isSecureContext)).toBe(false);
		await expect(page.getByRole('region', { name: 'Notice' })).toContainText('not secure');
		await send(page, 'What is Fireweed?', 'This device');
		await answered(page);
		await expect(page.getByRole('log')).toContainText('browser tabs');
		// Its button leads on without loading the app anew: here nothing would be left of the conversation.
		const born = await page.evaluate(() => performance.timeOrigin);
		await page.getByRole('region', { name: 'Notice' }).getByRole('button').first().click();
		await expect(page.getByRole('heading', { name: 'Share this app' })).toBeVisible();
		expect(await page.evaluate(() => performance.timeOrigin)).toBe(born);
		expect(errors).toEqual([]);
	} finally {
		await browser.close();
		await gateway.close();
	}
});

test('where cookies and all storage are blocked the strip says so, and a message is answered all the same', async () => {
	const gateway = await startGateway(BUILD);
	const profile = await mkdtemp(path.join(tmpdir(), 'fireweed-profile-'));
	// What "block all cookies" writes: IndexedDB, caches, locks and service workers are refused with them.
	await mkdir(path.join(profile, 'Default'));
	await writeFile(
		path.join(profile, 'Default/Preferences'),
		JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } })
	);
	const context = await chromium.launchPersistentContext(profile, {
		executablePath: findChromium({ install: false }),
		args: [...LAUNCH_FLAGS]
	});
	const errors: string[] = [];
	try {
		const page = await context.newPage();
		page.on('pageerror', (error) => errors.push(String(error)));
		await page.goto(gateway.subdomainUrl);
		await expect(page.getByRole('region', { name: 'Notice' })).toContainText('This browser keeps nothing here');
		await send(page, 'What is Fireweed?', 'This device');
		await answered(page);
		await expect(page.getByRole('log')).toContainText('browser tabs');
		await pictures(page, 'keeps-nothing');
		expect(errors).toEqual([]);
	} finally {
		await context.close();
		await gateway.close();
		await rm(profile, { recursive: true, force: true });
	}
});
