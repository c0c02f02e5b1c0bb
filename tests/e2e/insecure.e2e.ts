/** A mirror on plain http: the browser withholds service workers, Web Locks and WebCrypto. It is said, and this device still answers. */
import { chromium, expect, test } from 'playwright/test';
import { startGateway } from '../doubles/gateway.ts';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
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
		expect(errors).toEqual([]);
	} finally {
		await browser.close();
		await gateway.close();
	}
});
