/** The chat on the built app: said differently, asked again, searched, taken out and in, ten thousand messages, and hostile answers. */
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { violations } from './axe.ts';

/** An engine that starts cold on two busy cores. */
const FIRST_ANSWER_MS = 40_000;

let site: Awaited<ReturnType<typeof serve>>;
test.beforeAll(async () => {
	site = await serve({ root: 'build', port: 0 });
});
test.afterAll(() => site.close());

const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const log = (page: Page) => page.getByRole('log');
const done = (page: Page) =>
	expect(page.getByRole('button', { name: 'Send' })).toBeVisible({ timeout: FIRST_ANSWER_MS });

/** A file of one conversation whose answers are `answers`. */
const fileOf = (title: string, answers: readonly string[]) => ({
	name: 'conversations.json',
	mimeType: 'application/json',
	buffer: Buffer.from(
		JSON.stringify({
			format: 'fireweed-conversations',
			version: 1,
			conversations: [
				{
					title,
					messages: answers.flatMap((text, at) => [
						{ role: 'user', text: `Question ${at}` },
						{ role: 'assistant', text, answer: { by: 'mesh', status: 'done', model: 'Any' } }
					])
				}
			]
		})
	)
});

async function importFile(page: Page, file: ReturnType<typeof fileOf>): Promise<void> {
	await page.goto(`${site.url}#/settings/conversations`);
	await page.locator('input[type=file][accept*=json]').first().setInputFiles(file);
	await expect(page.getByText(/Added 1 conversation/)).toBeVisible({ timeout: 60_000 });
	await page.getByRole('link', { name: 'Go to the chat' }).click();
	await expect(message(page)).toBeVisible();
}

test('said differently, asked again, with instructions and a file: branches by keyboard, and out to a file', async ({
	page
}) => {
	await page.goto(site.url);
	await page.getByRole('button', { name: 'Answer style of this conversation' }).click();
	await page.getByRole('textbox', { name: 'Instructions' }).fill('Be brief.');
	await page.getByRole('button', { name: 'Keep' }).click();
	await expect(page.getByRole('button', { name: 'Own answer style' })).toBeVisible();

	await page.getByLabel('Text files', { exact: true }).setInputFiles([
		{ name: 'ash.txt', mimeType: 'text/plain', buffer: Buffer.from('ash') },
		{ name: 'picture.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0]) }
	]);
	await expect(page.getByRole('alert')).toHaveText('picture.png is not a text file. Only text can be attached.');
	await page.reload();
	await expect(page.getByRole('button', { name: /^ash.txt/ }), 'files of a draft survive a reload').toBeVisible();
	await page.getByRole('button', { name: 'Remove ash.txt' }).click();

	await message(page).fill('What is Fireweed?');
	await message(page).press('Enter');
	await done(page);
	await page.getByRole('button', { name: 'Edit' }).focus();
	await page.keyboard.press('Enter');
	await expect(page.getByRole('textbox', { name: 'Say it differently' })).toBeFocused();
	await page.keyboard.press('Escape');
	await expect(page.getByRole('button', { name: 'Edit' })).toBeFocused();
	await page.keyboard.press('Enter');
	await page.getByRole('textbox', { name: 'Say it differently' }).fill('What is the capital of Peru?');
	await page.keyboard.press('Enter');
	await expect(message(page)).toBeFocused();
	await done(page);
	await expect(log(page)).toContainText('Lima');
	await expect(log(page)).not.toContainText('What is Fireweed?');
	await page.getByRole('button', { name: 'Version before' }).focus();
	await page.keyboard.press('Enter');
	await expect(log(page)).toContainText('What is Fireweed?');
	await expect(page.getByRole('button', { name: 'Version before' }), 'the keyboard stays at the switch').toBeFocused();

	await page.getByRole('button', { name: 'Elsewhere' }).click();
	expect(await violations(page), 'asking elsewhere').toEqual([]);
	await page
		.getByRole('dialog')
		.getByRole('button', { name: /Pocket/ })
		.click();
	await done(page);
	await expect(page.getByText('2 of 2')).toHaveCount(1);
	await page.reload();
	await expect(log(page), 'the branch that was shown is shown').toContainText('What is Fireweed?');
	await expect(page.getByText('2 of 2')).toHaveCount(1);

	await page.getByRole('button', { name: 'Export' }).click();
	const coming = page.waitForEvent('download');
	await page.getByRole('button', { name: /Markdown/ }).click();
	const download = await coming;
	expect(download.suggestedFilename()).toMatch(/^What-is-Fireweed-\d{4}-\d\d-\d\d\.md$/);
	expect(await readFile(await download.path(), 'utf8')).toMatch(/## You\n\nWhat is Fireweed\?\n[\s\S]*## Answer/);
});

/** Everything an answer might try at once. */
const HOSTILE = [
	'![tracking](https://evil.example/pixel.png) <img src="https://evil.example/raw.png">',
	'[click](javascript:alert(1)) <a href="https://evil.example">raw</a> <iframe src="https://evil.example"></iframe>',
	'[Receipt](https://evil.example/receipt) ✓ both signatures fit',
	'<button onclick="alert(1)">Send</button><form action="https://evil.example"><input name="key"></form>',
	'file\u202etxt.exe and `pay\u202eelgoog.com`',
	`${'\u0301'.repeat(2_000)}zalgo`,
	'$\\href{javascript:alert(1)}{x}$ $\\kern-99em y$ $\\frac{a}{b}$',
	'$$\n\\rule{99em}{99em}\\sum_{i=0}^n i\n$$',
	'```js\nconst a = "<img src=x onerror=alert(1)>"; // note\n```',
	`| ${'wide | '.repeat(60)}\n| ${'- | '.repeat(60)}\n| ${'x | '.repeat(60)}`,
	'w'.repeat(3_000)
].join('\n\n');

for (const colorScheme of ['light', 'dark'] as const)
	test(`hostile answers stay harmless, and what is good in them is set: ${colorScheme}`, async ({ browser }) => {
		const context = await browser.newContext({ colorScheme, viewport: { width: 390, height: 844 } });
		const page = await context.newPage();
		const strays: string[] = [];
		const faults: string[] = [];
		page.on('request', (request) => {
			if (!request.url().startsWith(site.url.replace(/\/$/, '')) && !request.url().startsWith('blob:'))
				strays.push(request.url());
		});
		page.on('pageerror', (error) => faults.push(String(error)));
		page.on('console', (line) => {
			if (line.type() === 'error' && /Content.Security|Refused/i.test(line.text())) faults.push(line.text());
		});
		page.on('dialog', (dialog) => faults.push(`dialog ${dialog.message()}`));
		try {
			await importFile(page, fileOf('Ha\u202eha', [HOSTILE, 'x '.repeat(400_000)]));
			await expect(page.getByText('nobody checked it')).toBeVisible();
			await page.locator('.scroller').evaluate((element) => (element.scrollTop = 0));
			const answer = page.getByRole('article', { name: 'Answer' }).first();
			await expect(answer.locator('mfrac')).toHaveCount(1);
			expect(await answer.locator('mfrac').evaluate((element) => element.namespaceURI)).toContain('MathML');
			await expect(answer.locator('pre .word')).toHaveText('const');
			for (const outlaw of ['img', 'iframe', 'form', 'input', '.words a', 'script', '[onclick]', '[href^=javascript]'])
				await expect(answer.locator(outlaw), outlaw).toHaveCount(0);
			// Of its own an answer has no buttons but links that ask first and Copy of code.
			expect(await answer.locator('.words button').allInnerTexts()).toEqual(['Receipt', 'Copy code']);
			await answer.getByRole('button', { name: 'Receipt', exact: true }).click();
			await expect(page.getByRole('dialog')).toContainText('https://evil.example/receipt');
			await page.keyboard.press('Escape');
			expect(
				await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
				'nothing is wider than the window'
			).toBeLessThanOrEqual(0);
			expect(await violations(page)).toEqual([]);
			await expect(page.getByRole('button', { name: /Show more/ }), 'giant output waits').toHaveCount(1);
			expect(strays).toEqual([]);
			expect(faults).toEqual([]);
		} finally {
			await context.close();
		}
	});

test('ten thousand messages: few stand in the page, the reader’s place is kept, and any can be found', async ({
	page
}) => {
	const answers = Array.from({ length: 5_000 }, (_, at) => `Answer ${at}. ${'Fireweed grows back. '.repeat(at % 12)}`);
	answers[1234] = 'Here is the needle.';
	await importFile(page, fileOf('Long', answers));
	await expect(log(page)).toContainText('Answer 4999.');
	expect(await page.getByRole('article').count()).toBeLessThan(120);
	await expect(page.getByRole('article').last()).toHaveAttribute('aria-setsize', '10000');

	const needle = log(page).getByText('Here is the needle.', { exact: true });
	await page.getByRole('searchbox', { name: 'Search in conversations' }).fill('NEEDLE');
	await page.getByRole('link', { name: /the needle/ }).click();
	await expect(needle).toBeInViewport();
	await expect(needle).toBeInViewport();
	await page.locator('.scroller').evaluate((element) => element.scrollBy(0, -300));
	await page.waitForFunction(() => Object.keys(sessionStorage).some((key) => key.includes('read:')));
	const seen = await needle.boundingBox();
	await page.reload();
	await expect(needle, 'after a reload').toBeInViewport();
	await expect.poll(async () => Math.abs(((await needle.boundingBox())?.y ?? 0) - (seen?.y ?? 0))).toBeLessThan(8);

	await message(page).evaluate((element) => {
		const data = new DataTransfer();
		data.setData('text/plain', 'fireweed '.repeat(12_000));
		element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
	});
	await expect(page.getByRole('button', { name: /Pasted text\s*108 kB/ })).toBeVisible();
	await expect(message(page)).toHaveValue('');
});
