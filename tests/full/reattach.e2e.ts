/** A page that crashes while somebody else answers it; one that is reloaded: tests/e2e/reattach.e2e.ts. */
import { test } from 'playwright/test';
import { readsOn } from '../e2e/reading-on.ts';
import { openStage, type Stage } from '../e2e/stage.ts';

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
