/** Models of this device on the built app: looked at, loaded, used, lent, deleted; the picker; what does not fit. */
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { repositories } from '../interop/models-repository.ts';
import { startModelServer, type ModelServer } from '../interop/models-server.ts';
import { violations } from './axe.ts';

/** A download, a load and a self-test of a stranger's model on two busy cores. */
const LOAD_MS = 90_000;

let site: Awaited<ReturnType<typeof serve>>;
let models: ModelServer;
test.beforeAll(async () => {
	site = await serve({ root: 'build', port: 0 });
	models = await startModelServer();
	models.put(repositories());
});
test.afterAll(async () => {
	await site.close();
	await models.close();
});

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const sendButton = (page: Page) => page.getByRole('button', { name: 'Send' });
const card = (page: Page, name: string) =>
	page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });
const picker = (page: Page) => page.getByRole('combobox', { name: 'Model' });

test('a model from an address is looked at, loaded, answers here, stays over a reload, and is deleted', async ({
	page
}) => {
	test.setTimeout(4 * LOAD_MS);
	await page.goto(`${site.url}#/settings/models`);
	await page.getByLabel('Address of its folder or file').fill(`${models.origin}/acme/small`);
	await page.getByRole('region', { name: 'Models on this device' }).getByRole('button', { name: 'Look' }).click();
	await expect(page.getByText('It stands in the list.')).toBeVisible({ timeout: LOAD_MS });
	const found = card(page, 'small');
	await expect(found).toContainText('4 bit');
	await found.getByText('More about it').click();
	await expect(found).toContainText('Licence: apache-2.0.');
	await expect(found).toContainText(`From ${new URL(models.origin).host}.`);
	// Nothing large was fetched yet.
	const whole = models.asked().filter(({ method, path, range }) => method === 'GET' && /onnx$/.test(path) && !range);
	expect(whole).toEqual([]);
	expect(await violations(page)).toEqual([]);

	await found.getByRole('button', { name: /^Load / }).click();
	await found.getByRole('button', { name: 'Use it here' }).click({ timeout: LOAD_MS });
	await expect(found).toContainText('answers here');
	await page.getByRole('link', { name: 'Chat', exact: true }).click();
	await expect(picker(page)).toContainText('small');
	await message(page).fill('What is the capital of France?');
	await sendButton(page).click();
	await expect(page.getByRole('log')).toContainText('Paris', { timeout: LOAD_MS });
	await expect(page.getByRole('log')).toContainText(/This device\s*small/);

	await page.reload();
	await expect(page.getByRole('paragraph').filter({ hasText: /^small · / })).toBeVisible({ timeout: LOAD_MS });
	await page.goto(`${site.url}#/settings/models`);
	await page.getByRole('button', { name: 'Delete small' }).click();
	await page.getByRole('button', { name: /^Delete 5/ }).click();
	await expect(card(page, 'small')).toHaveCount(0);
	await expect(card(page, 'Pocket')).toContainText('answers here');
});

test('an address that leads to no model says so, and files can be chosen instead', async ({ page }) => {
	test.setTimeout(2 * LOAD_MS);
	await page.goto(`${site.url}#/settings/models`);
	await page.getByLabel('Address of its folder or file').fill(`${models.origin}/nobody/nothing`);
	await page.getByRole('region', { name: 'Models on this device' }).getByRole('button', { name: 'Look' }).click();
	await expect(page.getByText('could not be loaded').or(page.getByText('cannot run here')).first()).toBeVisible({
		timeout: LOAD_MS
	});
	const files = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model_q4.onnx'];
	await page.getByLabel('Files of a model').setInputFiles(files.map((name) => `models/pocket/${name}`));
	await expect(page.getByText('It stands in the list.')).toBeVisible({ timeout: LOAD_MS });
	await expect(page.getByRole('button', { name: 'Use it here' })).toBeVisible();
});

test('without a graphics card the page says so once, and lists its models with the reason', async ({ page }) => {
	await page.setViewportSize({ width: 390, height: 844 });
	await page.goto(`${site.url}#/settings/models`);
	await expect(page.getByText('This browser offers pages no graphics card')).toBeVisible();
	await page.getByText(/^Does not fit here/).click();
	await expect(page.getByText('It needs a graphics card').first()).toBeVisible();
	expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
	// The page scrolls inside its frame, not behind it as well.
	expect(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight)).toBe(true);
	expect(await violations(page)).toEqual([]);
});
