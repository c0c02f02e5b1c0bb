/** A page that is reloaded while somebody else answers it, on the built app with real tabs and a real relay; one that crashes, and a second tab: tests/full/reattach.e2e.ts. */
import { test } from 'playwright/test';
import { readsOn } from './reading-on.ts';
import { openStage, type Stage } from './stage.ts';

let stage: Stage;
test.beforeEach(async ({ browser }) => {
	test.setTimeout(120_000);
	stage = await openStage(browser);
});
test.afterEach(async () => {
	await stage.stop();
});

test('the asking tab is reloaded in mid-answer: the next page reads on, and the answer is whole', () =>
	readsOn(stage, 'reloaded'));
