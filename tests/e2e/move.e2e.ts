/** From an old tab to a new one at another address, over a real relay and a direct channel. The long story: tests/full/move.e2e.ts. */
import { expect, test } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { account, giveCode, sayYes, showCode, takeIn } from './moving.ts';
import { answered, BUILD, openStage, send } from './stage.ts';

test('an old tab hands everything to a new one at another address', async ({ browser }) => {
	const stage = await openStage(browser);
	const elsewhere = await serve({ root: BUILD, port: 0, relays: () => stage.relay().addresses() });
	const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
	try {
		const { page: old, errors, strays } = await stage.person();
		await send(old, 'What is Fireweed?', 'This device');
		await answered(old);
		const did = await account(old);
		const fresh = await context.newPage();
		await fresh.goto(`${elsewhere.url}#/settings/move`);
		expect(new URL(fresh.url()).origin).not.toBe(new URL(stage.url).origin);
		await giveCode(old, fresh, await showCode(fresh));
		await sayYes(old, fresh);
		await expect(fresh.getByText('It brings 1 conversation, 2 messages and 0 receipts.')).toBeVisible();
		await takeIn(old, fresh, did);
		await fresh.getByRole('link', { name: 'What is Fireweed?' }).click();
		await expect(fresh.getByRole('log')).toContainText('browser tabs');
		expect([errors, strays]).toEqual([[], []]);
	} finally {
		await context.close();
		await elsewhere.close();
		await stage.stop();
	}
});
