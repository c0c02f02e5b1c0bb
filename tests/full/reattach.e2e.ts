/** A page that crashes while somebody else answers it, and a second tab beside it; one that is reloaded: tests/e2e/reattach.e2e.ts. */
import { expect, test } from 'playwright/test';
import { lastAnswer, log, replays, shownTokens } from '../e2e/answer.ts';
import { listen, LONG, readsOn, TOKENS } from '../e2e/reading-on.ts';
import { answered, contribute, openStage, send, type Stage } from '../e2e/stage.ts';

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	test.setTimeout(120_000);
	stage = await openStage(browser);
});
test.afterEach(async () => {
	await stage.stop();
});

test('the asking tab is crashed in mid-answer: the next page reads on, and the answer is whole', () =>
	readsOn(stage, 'crashed'));

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
	await replays(second, TOKENS);
	expect([...asker.errors, ...asker.strays]).toEqual([]);
});
