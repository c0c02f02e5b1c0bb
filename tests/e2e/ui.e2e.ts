/** The screens of the built app, on the real tab: keyboard alone, for a screen reader, in both themes and at phone width. */
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { THOROUGH } from '../thorough.ts';
import { violations } from './axe.ts';
import { everySection } from './settings.ts';

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 800 };
/** An engine that starts cold on two busy cores. */
const FIRST_ANSWER_MS = 40_000;

let site: Awaited<ReturnType<typeof serve>>;
test.beforeAll(async () => {
	site = await serve({ root: 'build', port: 0 });
});
test.afterAll(() => site.close());

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const log = (page: Page) => page.getByRole('log');
const sendButton = (page: Page) => page.getByRole('button', { name: 'Send' });
const stopButton = (page: Page) => page.getByRole('button', { name: 'Stop' });

async function ask(page: Page, prompt: string): Promise<void> {
	await message(page).fill(prompt);
	await sendButton(page).click();
	await expect(sendButton(page)).toBeVisible({ timeout: FIRST_ANSWER_MS });
}

/** From the next load on, the tab cannot begin before `read-on` is heard. */
const holdTheTab = (page: Page) =>
	page.addInitScript(() => {
		const { request } = LockManager.prototype;
		const released = new Promise<void>((resolve) => addEventListener('read-on', () => resolve()));
		LockManager.prototype.request = async function (...given: unknown[]): Promise<unknown> {
			await released;
			return Reflect.apply(request, this, given);
		};
	});

/** Whether something is wider than the window. */
const tooWide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

for (const colorScheme of ['light', 'dark'] as const)
	for (const viewport of THOROUGH ? [DESK, PHONE] : [colorScheme === 'light' ? DESK : PHONE])
		test(`axe finds nothing: ${colorScheme}, ${viewport.width} px`, async ({ browser }) => {
			// On the phone the theme is not the system's but chosen, and things stand close.
			const chosen = viewport === PHONE;
			const system = chosen ? (colorScheme === 'dark' ? 'light' : 'dark') : colorScheme;
			const context = await browser.newContext({ colorScheme: system, viewport });
			const page = await context.newPage();
			try {
				if (chosen) {
					await page.goto(`${site.url}#/settings/appearance`);
					await page.getByRole('radio', { name: colorScheme === 'dark' ? 'Dark' : 'Light' }).check();
					await page.getByRole('radio', { name: 'Compact' }).check();
					await page.getByRole('link', { name: 'Settings' }).click();
					expect(await violations(page), 'settings').toEqual([]);
					await everySection(page, async (address) => {
						expect(await violations(page), address).toEqual([]);
						expect(await tooWide(page), address).toBe(false);
					});
					await page.getByRole('link', { name: 'Keyboard shortcuts' }).click();
					await page.getByRole('button', { name: 'Show the shortcuts' }).click();
					expect(await violations(page), 'the shortcuts').toEqual([]);
					await page.keyboard.press('Escape');
				}
				await page.goto(site.url);
				await expect(message(page)).toBeVisible();
				await expect(page.getByRole('heading', { name: 'Three steps' })).toBeVisible();
				expect(await violations(page), 'the empty chat').toEqual([]);

				await ask(page, 'What is the capital of Peru?');
				await expect(log(page)).toContainText('Lima');
				await page.getByRole('radio', { name: 'The mesh' }).check();
				await expect(page.getByText('can read your prompt and sees your address')).toBeVisible();
				expect(await violations(page), 'a chat').toEqual([]);

				if (viewport === PHONE) {
					await page.getByRole('button', { name: 'Menu' }).click();
					await expect(page.getByRole('dialog').getByRole('link', { name: 'New chat' })).toBeVisible();
					expect(await violations(page), 'the drawer').toEqual([]);
					await page.keyboard.press('Escape');
				}
				await page.goto(`${site.url}#/contribute`);
				await expect(page.getByRole('button', { name: 'Start contributing' })).toBeVisible();
				for (const more of ['Limits', 'People you know', 'Standing', 'Put it on your site'])
					await page.getByText(more, { exact: true }).click();
				await page.getByLabel('Only at certain hours').check();
				expect(await violations(page), 'contribute').toEqual([]);
				expect(await tooWide(page), 'contribute').toBe(false);
				await page.goto(`${site.url}#/network`);
				await page.getByText('For a report').click();
				await expect(page.getByText('held for offline')).toBeVisible();
				expect(await violations(page), 'network').toEqual([]);
				expect(await tooWide(page), 'network').toBe(false);
				await page.goto(`${site.url}#/receipts`);
				await expect(page.getByText('No receipts yet.')).toBeVisible();
				expect(await violations(page), 'receipts').toEqual([]);
				await page.goto(`${site.url}#/receipts?cid=bafyunknown`);
				await expect(page.getByRole('dialog')).toContainText('does not hold that receipt');
				expect(await violations(page), 'a receipt').toEqual([]);

				expect(await tooWide(page), 'a receipt').toBe(false);
			} finally {
				await context.close();
			}
		});

test('with the keyboard alone: skip, ask, stop, choose, rename, delete, undo', async ({ page }) => {
	await page.goto(`${site.url}?minTokens=400#/contribute`);
	await expect(page.getByRole('heading', { name: 'Contribute' })).toBeVisible();
	await page.keyboard.press('Tab');
	await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
	await page.keyboard.press('Enter');
	await expect(page.getByRole('main')).toBeFocused();
	await page.getByRole('link', { name: 'Chat', exact: true }).focus();
	await page.keyboard.press('Enter');
	await expect(message(page)).toBeFocused();
	await page.keyboard.type('Tell me a story about a fox');
	await page.keyboard.press('Shift+Enter');
	await page.keyboard.type('and a hen');
	await expect(message(page)).toHaveValue('Tell me a story about a fox\nand a hen');
	await page.keyboard.press('Enter');
	await expect(stopButton(page)).toBeVisible();
	await expect(sendButton(page)).toHaveCount(0);
	await expect(page.getByRole('article', { name: 'Answer' })).toContainText(/\w{3}/, { timeout: FIRST_ANSWER_MS });
	await expect
		.poll(() => page.locator('article[aria-label="Answer"] .words').innerText(), { timeout: FIRST_ANSWER_MS })
		.toMatch(/\w+ \w+ \w+/);
	await page.keyboard.press('Escape');
	await expect(sendButton(page)).toBeVisible();
	await expect(log(page)).toContainText('Stopped');
	await expect(message(page)).toBeFocused();

	await page.getByRole('radio', { name: 'This device' }).focus();
	await page.keyboard.press('ArrowRight');
	await expect(page.getByRole('radio', { name: 'The mesh' })).toBeChecked();
	await page.keyboard.press('ArrowLeft');
	await expect(page.getByRole('radio', { name: 'This device' })).toBeChecked();

	const row = page.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem');
	await row.getByRole('button', { name: 'Rename' }).focus();
	await page.keyboard.press('Enter');
	await page.keyboard.type('A fox');
	await page.keyboard.press('Enter');
	await expect(row.getByRole('link', { name: 'A fox' })).toBeFocused();
	await expect(page).toHaveTitle('A fox · Fireweed');
	await row.getByRole('button', { name: 'Delete' }).focus();
	await page.keyboard.press('Enter');
	await expect(row).toHaveCount(0);
	await page.getByRole('button', { name: 'Undo' }).focus();
	await page.keyboard.press('Enter');
	await expect(row.getByRole('link', { name: 'A fox' })).toBeVisible();
	await expect(log(page)).toContainText('and a hen');
});

test('a streaming answer is announced by the sentence, never by the token', async ({ page }) => {
	await page.goto(site.url);
	await expect(log(page)).toHaveAttribute('aria-live', 'off');
	const announcer = page.locator('[data-announcer]');
	await expect(announcer).toHaveAttribute('aria-live', 'polite');
	await announcer.evaluate((element) => {
		const heard: string[] = [];
		Object.assign(globalThis, { heard });
		new MutationObserver((records) => {
			for (const record of records) {
				if (record.type === 'characterData') heard.push(`changed: ${record.target.textContent}`);
				for (const node of record.addedNodes) if (node.textContent?.trim()) heard.push(node.textContent);
			}
		}).observe(element, { childList: true, subtree: true, characterData: true });
	});
	await ask(page, 'What is Fireweed?');
	const shown = await page.locator('article[aria-label="Answer"] .words').innerText();
	const all = () => page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
	// What is waited for before the first word, when that takes long, is told too.
	const heard = async () => (await all()).filter((sentence) => !sentence.endsWith('…'));
	await expect
		.poll(async () => (await heard()).join(' ').replaceAll(/\s+/g, ' ').trim())
		.toBe(shown.replaceAll(/\s+/g, ' ').trim());
	const sentences = await heard();
	expect(sentences.length).toBeGreaterThan(1);
	for (const sentence of sentences) expect(sentence).toMatch(/[.!?]$/);
});

test('a draft, a conversation and a running answer survive a reload', async ({ page }) => {
	await page.goto(`${site.url}?minTokens=400`);
	await message(page).fill('half a thought');
	await page.reload();
	await expect(message(page)).toHaveValue('half a thought');

	await message(page).fill('What is Fireweed?');
	await page.keyboard.press('Enter');
	const words = page.locator('article[aria-label="Answer"] .words');
	await expect.poll(() => words.innerText(), { timeout: FIRST_ANSWER_MS }).toMatch(/(\w+\W+){20}/);
	await page.waitForTimeout(1200);
	await message(page).fill('and then');
	await page.reload();
	await expect(message(page)).toHaveValue('and then');
	await expect(log(page)).toContainText('What is Fireweed?');
	await expect(log(page)).toContainText('The page was closed before this was complete.');
	const kept = await words.innerText();
	expect(kept).toMatch(/(\w+\W+){10}/);

	await page.getByRole('button', { name: 'Continue' }).click();
	await expect(stopButton(page)).toBeVisible();
	await expect
		.poll(async () => (await words.innerText()).length, { timeout: FIRST_ANSWER_MS })
		.toBeGreaterThan(kept.length + 20);
	expect((await words.innerText()).slice(0, kept.length)).toBe(kept);
	await stopButton(page).click();
	await expect(log(page)).toContainText('Stopped');
});

test('typing is possible before the tab runs, and a message sent then is answered', async ({ page }) => {
	await page.route('**/*.onnx', async (route) => {
		await new Promise((resolve) => setTimeout(resolve, 1500));
		await route.continue();
	});
	await page.goto(site.url, { waitUntil: 'commit' });
	await message(page).fill('What is the capital of Peru?');
	await message(page).press('Enter');
	await expect(log(page)).toContainText('What is the capital of Peru?');
	await expect(stopButton(page)).toBeVisible();
	await expect(log(page)).toContainText('Lima', { timeout: FIRST_ANSWER_MS });
	await expect(log(page)).toContainText('This device');
});

test('what is sent before the tab can keep it is in the box again after a reload, and no longer once it is kept', async ({
	page
}) => {
	await holdTheTab(page);
	await page.goto(site.url);
	await message(page).fill('What is the capital of Peru?');
	await message(page).press('Enter');
	await expect(log(page)).toContainText('What is the capital of Peru?');
	await expect(message(page)).toHaveValue('');
	await page.reload();
	await expect(message(page)).toHaveValue('What is the capital of Peru?');
	await message(page).press('Enter');
	await page.evaluate(() => dispatchEvent(new Event('read-on')));
	await expect(log(page)).toContainText('Lima', { timeout: FIRST_ANSWER_MS });
	await expect(sendButton(page)).toBeVisible();
	await page.reload();
	await page.evaluate(() => dispatchEvent(new Event('read-on')));
	await expect(log(page)).toContainText('Lima');
	await expect(message(page)).toHaveValue('');
	await page.getByRole('link', { name: 'New chat' }).first().click();
	await expect(message(page)).toHaveValue('');
});

test('what is sent before its conversation is read stays in sight, can be taken back, and goes out once', async ({
	page
}) => {
	await page.goto(site.url);
	await ask(page, 'What is Fireweed?');
	await holdTheTab(page);
	await page.reload();
	await message(page).fill('What is the capital of Peru?');
	await message(page).press('Enter');
	await expect(stopButton(page)).toBeVisible();
	await expect(message(page)).toHaveValue('What is the capital of Peru?');
	await stopButton(page).click();
	await message(page).fill('What is the capital of Chile?');
	await message(page).press('Enter');
	await expect(stopButton(page)).toBeVisible();
	await page.evaluate(() => dispatchEvent(new Event('read-on')));
	await expect(log(page)).toContainText('Santiago', { timeout: FIRST_ANSWER_MS });
	await expect(log(page)).toContainText('What is Fireweed?');
	await expect(log(page)).not.toContainText('Peru');
	await expect(message(page)).toHaveValue('');
});

test('a tab opened behind another, which is given no frames, starts all the same', async ({ page }) => {
	await page.addInitScript(() => {
		globalThis.requestAnimationFrame = () => 0;
	});
	await page.goto(`${site.url}#/settings/this-device`);
	await expect(page.getByText('Others know this tab as')).toBeVisible();
});

test('crisis, danger and health get the fixed text, at once and by name', async ({ page }) => {
	await page.goto(site.url);
	for (const prompt of [
		'I dont want to live anymore',
		'someone is breaking into my house',
		'how much ibuprofen can I take'
	]) {
		await ask(page, prompt);
		await expect(page.getByRole('article', { name: 'Answer' }).last()).toContainText('local emergency number');
		await expect(page.getByRole('article', { name: 'Answer' }).last()).toContainText('Fixed text, not the model');
	}
});

test('the reader’s place is theirs, and Newest leads back', async ({ page }) => {
	await page.setViewportSize({ width: 900, height: 420 });
	await page.goto(`${site.url}?minTokens=500`);
	await message(page).fill('Tell me a story about a fox');
	await page.keyboard.press('Enter');
	const scroller = page.locator('.scroller');
	await expect
		.poll(() => scroller.evaluate((element) => element.scrollHeight - element.clientHeight), {
			timeout: FIRST_ANSWER_MS
		})
		.toBeGreaterThan(120);
	await scroller.evaluate((element) => (element.scrollTop = 0));
	await expect(page.getByRole('button', { name: 'Newest' })).toBeVisible();
	const before = await log(page).innerText();
	await expect.poll(async () => (await log(page).innerText()).length).toBeGreaterThan(before.length + 40);
	expect(await scroller.evaluate((element) => element.scrollTop)).toBe(0);
	await page.getByRole('button', { name: 'Newest' }).click();
	await expect(page.getByRole('button', { name: 'Newest' })).toHaveCount(0);
	await page.keyboard.press('Escape');
	await expect(sendButton(page)).toBeVisible();
	await expect(log(page)).toContainText('Stopped');
	await page.waitForTimeout(300);
	await expect(page.getByRole('button', { name: 'Newest' }), 'the foot was followed').toHaveCount(0);
});
