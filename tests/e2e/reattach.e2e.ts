/** A page that is reloaded or crashes while somebody else answers it, on the built app with real tabs and a real relay. */
import { expect, test, type Page } from 'playwright/test';
import type { AssignedJob, OriginatedJob, ReceiptRecord } from '#lib/ports/store.ts';
import { lastAnswer, log, replays, shownTokens } from './answer.ts';
import { answered, contribute, openStage, send, table, type Stage } from './stage.ts';

/** Several seconds of words, and more than an executor makes for somebody who is away. */
const LONG = '?minTokens=400';

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
});
test.afterEach(async () => {
	await stage.stop();
});

/** What a page tells developers, with the time since `from`. */
function listen(page: Page, from: number): string[] {
	const said: string[] = [];
	page.on('console', (message) => {
		const found = /^fireweed (reattached|not-reattached|handed-over)/.exec(message.text());
		if (found) said.push(`${found[1]} after ${Date.now() - from} ms`);
	});
	return said;
}

for (const way of ['reloaded', 'crashed'] as const) {
	test(`the asking tab is ${way} in mid-answer: the next page reads on, and the answer is whole`, async () => {
		const [asker, executor] = [await stage.person(LONG), await stage.person()];
		await contribute(executor.page);
		await send(asker.page, 'Tell me about the valleys', 'The mesh');
		await expect.poll(() => shownTokens(asker.page), { intervals: [20] }).toBeGreaterThan(45);

		const gone = Date.now();
		let page = asker.page;
		if (way === 'crashed') {
			const session = await asker.context.newCDPSession(page);
			const dead = page.waitForEvent('crash');
			// It never answers: its process is gone.
			void session.send('Page.crash').catch(() => undefined);
			await dead;
			page = await asker.context.newPage();
		}
		const said = listen(page, gone);
		if (way === 'reloaded') await page.reload();
		else {
			await page.goto(stage.url + LONG);
			await page
				.getByRole('link', { name: 'Tell me about the valleys' })
				.or(page.getByRole('button', { name: 'Tell me about the valleys' }))
				.first()
				.click();
		}
		await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible({ timeout: 15_000 });
		// What was kept a second before the end is there at once.
		expect(await shownTokens(page)).toBeGreaterThan(5);
		await answered(page);
		console.log(`${way}: ${said.join(', ')}`);
		expect(said.map((line) => line.split(' ')[0])).toEqual(['reattached']);

		const answer = (await lastAnswer(page))?.answer;
		expect(answer).toMatchObject({ status: 'done', by: 'mesh', seams: [] });
		await replays(page, 400);
		// Computed once, by one executor, for one receipt that both hold.
		const receipts = await table<ReceiptRecord>(page, 'receipts');
		expect(receipts.map(({ kind }) => kind)).toEqual(['sealed']);
		const [job] = await table<OriginatedJob>(page, 'jobs');
		expect(job).toMatchObject({ state: 'finished' });
		expect(job?.unfinished).toBeUndefined();
		await expect
			.poll(async () =>
				(await table<ReceiptRecord>(executor.page, 'receipts')).map(({ counterpart }) => counterpart !== undefined)
			)
			.toEqual([true]);
		expect(await table<AssignedJob>(executor.page, 'assigned')).toMatchObject([
			{ state: 'success', tokens: answer?.tokens.length }
		]);
		await expect(log(page)).toContainText('both signatures fit');
		expect([...asker.errors, ...asker.strays, ...executor.errors, ...executor.strays]).toEqual([]);
	});
}

test('a second tab of the profile does not take the answer, and can stop nothing of it; closed, the first one’s answer goes on there', async () => {
	const [asker, executor] = [await stage.person(LONG), await stage.person()];
	await contribute(executor.page);
	await send(asker.page, 'Tell me about the plains', 'The mesh');
	await expect.poll(() => shownTokens(asker.page), { intervals: [20] }).toBeGreaterThan(30);
	const second = await asker.context.newPage();
	const said = listen(second, Date.now());
	await second.goto(stage.url + LONG);
	await second
		.getByRole('link', { name: 'Tell me about the plains' })
		.or(second.getByRole('button', { name: 'Tell me about the plains' }))
		.first()
		.click();
	await expect(log(second)).toContainText('Another tab is writing this answer…');
	await expect(second.getByRole('button', { name: 'Stop' })).toHaveCount(0);
	expect(said).toEqual([]);
	await asker.page.close({ runBeforeUnload: false });
	await expect(second.getByRole('button', { name: 'Stop' })).toBeVisible({ timeout: 15_000 });
	await answered(second);
	expect((await lastAnswer(second))?.answer).toMatchObject({ status: 'done', by: 'mesh', seams: [] });
	await replays(second, 400);
	expect([...asker.errors, ...asker.strays]).toEqual([]);
});
