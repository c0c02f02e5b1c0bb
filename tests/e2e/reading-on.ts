/** Seen from both sides: a page goes in the midst of an answer that somebody else makes, and the next page of the profile reads on. */
import { expect, type Page } from 'playwright/test';
import type { AssignedJob, OriginatedJob, ReceiptRecord } from '#lib/ports/store.ts';
import { THOROUGH } from '../thorough.ts';
import { lastAnswer, log, replays, shownTokens } from './answer.ts';
import { answered, contribute, send, table, type Stage } from './stage.ts';

/** Several seconds of words, and more than an executor makes for somebody who is away. */
export const TOKENS = THOROUGH ? 400 : 250;
export const LONG = `?minTokens=${TOKENS}`;

/** What a page tells developers, with the time since `from`. */
export function listen(page: Page, from: number): string[] {
	const said: string[] = [];
	page.on('console', (message) => {
		const found = /^fireweed (reattached|not-reattached|handed-over)/.exec(message.text());
		if (found) said.push(`${found[1]} after ${Date.now() - from} ms`);
	});
	return said;
}

/** Reloads or crashes the asker's page in mid-answer; the answer is whole, computed once, and both hold its receipt. */
export async function readsOn(stage: Stage, way: 'reloaded' | 'crashed'): Promise<void> {
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
	await replays(page, TOKENS);
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
}
