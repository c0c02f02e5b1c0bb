/**
 * "Ask, read, stop, open the receipt" by keyboard alone, as a screen reader gets it. With FIREWEED_TRANSCRIPT=docs/screen-reader.md the
 * transcript is kept; without, it is only checked.
 */
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { expect, test } from 'playwright/test';
import { contribute, openStage } from '../e2e/stage.ts';
import { Heard } from './heard.ts';

const QUESTION = 'Tell me about the mountains';
/** A way that is longer than this is none that anybody goes. */
const MOST_STOPS = 40;

test('ask, read, stop, open the receipt: heard, not seen', async ({ browser }) => {
	test.setTimeout(180_000);
	const stage = await openStage(browser);
	try {
		const { page } = await stage.person('?minTokens=400');
		const heard = await Heard.of(page);
		const told: string[] = [];
		const step = (what: string) => told.push('', `**${what}**`, '');
		const hear = async () => {
			const all = await heard.announcements();
			for (const text of all) told.push(`- _announced:_ ${text}`);
			return all;
		};
		const stops: string[] = [];
		const press = async (key: string) => {
			await page.keyboard.press(key);
			const at = await heard.focused();
			if (stops.at(-1) !== at) told.push(`- \`${key}\` → ${at}`);
			stops.push(at);
			await hear();
			return at;
		};
		/** Presses the key until the focus is on what is sought. */
		const goTo = async (sought: RegExp, key = 'Tab') => {
			for (let i = 0; i < MOST_STOPS; i++) if (sought.test(await press(key))) return;
			throw new Error(`${sought} not reached: ${stops.slice(-MOST_STOPS).join(' | ')}`);
		};

		step('The page is opened');
		await page.reload();
		await expect(page.getByRole('textbox', { name: 'Message' })).toBeVisible();
		told.push(`- page: ${await page.title()}`, `- the focus is on: ${await heard.focused()}`);
		await expect(page.locator('[data-shell=ready]')).toBeVisible({ timeout: 60_000 });
		await hear();

		step('To the place where answers come from, and to the mesh');
		await page.locator('body').press('Home');
		await goTo(/^This device, radio|^The mesh, radio/);
		if (!stops.at(-1)?.startsWith('The mesh')) await goTo(/^The mesh, radio/, 'ArrowRight');
		await hear();

		step('To the message, and a question that nobody is there to answer');
		await goTo(/^Message, edit/, 'Shift+Tab');
		await page.keyboard.type(QUESTION);
		told.push(`- types: ${QUESTION}`);
		await press('Enter');
		const wait: string[] = [];
		await expect
			.poll(async () => (wait.push(...(await hear())), wait.join(' ')), { timeout: 40_000 })
			.toContain('Nobody offered to answer');

		step('Somebody has begun to lend: the same question again');
		await contribute((await stage.person()).page);
		await page.bringToFront();
		await expect(page.getByText(/computer offers/)).toBeVisible({ timeout: 30_000 });
		await hear();
		await page.keyboard.type(QUESTION);
		told.push(`- types: ${QUESTION}`);
		await press('Enter');

		step('The answer comes');
		const answer: string[] = [];
		await expect
			.poll(
				async () => {
					answer.push(...(await hear()));
					return answer.filter((text) => /[.!?]$/.test(text)).length;
				},
				{ timeout: 60_000 }
			)
			.toBeGreaterThan(4);

		step('To Stop');
		await goTo(/^Stop, button/);
		await press('Enter');
		await expect(page.getByRole('button', { name: 'Send' })).toBeVisible({ timeout: 30_000 });
		const afterStop: string[] = [];
		await expect
			.poll(async () => (afterStop.push(...(await hear())), afterStop.join(' ')), { timeout: 10_000 })
			.toMatch(/stopped/i);
		told.push(`- the focus is on: ${await heard.focused()}`);

		step('The conversation, read from its beginning');
		const log = await heard.read('[role=log]');
		told.push(...log.map((line) => `- ${line}`));

		step('To the receipt');
		await goTo(/^Receipt, link/, 'Shift+Tab');
		await press('Enter');
		await expect(page.getByRole('dialog')).toBeVisible();
		await expect(page.getByRole('dialog')).not.toContainText('Checking both signatures', { timeout: 20_000 });
		await hear();
		told.push(`- the focus is on: ${await heard.focused()}`);
		const sheet = await heard.read('dialog[open]');
		told.push(...sheet.map((line) => `- ${line}`));

		step('Back');
		await press('Escape');
		const back = await heard.focused();

		const { FIREWEED_TRANSCRIPT: kept } = process.env;
		if (kept !== undefined) await writeFile(kept, `${HEAD}${told.join('\n')}\n`);

		// Everything on the way has a name, and nothing is a mere sign.
		expect([...stops, ...log, ...sheet].filter((line) => /\(no name\)|^[^\p{L}\p{N}]*$/u.test(line))).toEqual([]);
		// Nothing is said to be wrong that only has not begun yet.
		expect(told.join('\n')).not.toContain('The relay does not answer');
		// Who waits is told for what, before it is told that it was in vain.
		expect(wait[0]).toMatch(/^Asking who can answer/);
		// Who said what is said.
		expect(log).toEqual(expect.arrayContaining(['You, article', 'Answer, article']));
		// An answer is read by the sentence, once.
		const sentences = answer.filter((text) => /[.!?]$/.test(text));
		expect(new Set(sentences).size).toBe(sentences.length);
		expect(log.join(' ')).toContain(sentences[0] ?? '?');
		expect(sheet[0]).toMatch(/^Receipt, dialog/);
		expect(sheet.join(' ')).toMatch(/signature/i);
		expect(back).toMatch(/^Receipt, link/);
	} finally {
		await stage.stop();
	}
});

const HEAD = `# What a screen reader says

"Ask, read, stop, open the receipt", by keyboard alone, in English. Taken from Chromium's accessibility tree and live regions by \`tests/full/transcript.e2e.ts\`, which checks on each run that everything has a name, that an answer is announced by the sentence and once, and that the focus comes back. Made anew by

\`\`\`
FIREWEED_TRANSCRIPT=docs/screen-reader.md node_modules/.bin/playwright test -c tests/full/playwright.config.ts transcript --project=screens
\`\`\`

It is not a recording of a screen reader, and nobody who depends on one has tried the app yet. A line \`key → …\` is what has the focus after the key; _announced_ is what live regions said meanwhile. What could be better: units are read as they are written (\`tok/s\`), and the two Copy buttons are told apart only by the article they stand in.
`;
