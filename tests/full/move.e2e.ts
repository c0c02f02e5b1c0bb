/** A move with everything a person has, a no, and a code that was used: over a real relay and a direct channel, from one address to another. */
import { expect, test, type Page } from 'playwright/test';
import { parseDid } from '#lib/protocol/did.ts';
import { readMoveCode } from '#lib/protocol/move-code.ts';
import { serve } from '../../scripts/serve.ts';
import { account, giveCode, sayYes, showCode, takeIn } from '../e2e/moving.ts';
import { answered, BUILD, contribute, openStage, send, table } from '../e2e/stage.ts';

/** Puts a long conversation that does not pack into the page's store: many pieces, under way at once. */
const LONG = 8_000_000;
const fillUp = (page: Page) =>
	page.evaluate(async (length) => {
		const noise = new Uint8Array((length / 4) * 3);
		for (let at = 0; at < noise.length; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
		let text = '';
		for (let at = 0; at < noise.length; at += 3_000)
			text += btoa(String.fromCharCode(...noise.subarray(at, at + 3_000)));
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			const request = indexedDB.open('fireweed:/');
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(request.error);
		});
		const work = database.transaction(['conversations', 'messages'], 'readwrite');
		work.objectStore('conversations').put({ id: 'long', title: 'Long', createdAt: 1, updatedAt: 2 });
		const message = { id: 'long-0', conversation: 'long', role: 'user', text, createdAt: 1, order: 0 };
		work.objectStore('messages').put(message);
		await new Promise((resolve, reject) => {
			work.oncomplete = resolve;
			work.onerror = () => reject(work.error);
		});
		database.close();
		return text;
	}, LONG);

test('a no ends it on both sides, a code is good once, and then everything comes: account, conversation, receipt', async ({
	browser
}) => {
	test.setTimeout(180_000);
	const stage = await openStage(browser);
	const elsewhere = await serve({ root: BUILD, port: 0, relays: () => stage.relay().addresses() });
	const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
	try {
		const [{ page: old, errors, strays }, lender] = [await stage.person(), await stage.person()];
		await contribute(lender.page);
		await send(old, 'What is the capital of Peru?', 'The mesh');
		await answered(old);
		const did = await account(old);
		const fresh = await context.newPage();
		await fresh.goto(`${elsewhere.url}#/settings/move`);
		await expect.poll(() => account(fresh)).not.toBeNull();
		const before = await account(fresh);
		expect(before).not.toBe(did);

		const first = await showCode(fresh);
		await giveCode(old, fresh, first);
		await old.getByRole('button', { name: 'No, stop' }).click();
		for (const page of [old, fresh]) {
			await expect(page.getByText('one of the two sides said no')).toBeVisible();
			await expect(page.getByRole('dialog')).toHaveCount(0);
		}
		await old.getByRole('button', { name: 'Connect' }).click();
		await expect(old.getByText('The other side closed the connection.')).toBeVisible({ timeout: 30_000 });

		const second = await showCode(fresh);
		expect(second).not.toBe(first);
		await giveCode(old, fresh, second);
		await sayYes(old, fresh);
		await expect(fresh.getByText('It brings 1 conversation, 2 messages and 1 receipt.')).toBeVisible();
		// Left where it is: the old place hears of that too, and nothing has changed.
		await fresh.getByRole('button', { name: 'Leave it' }).click();
		await expect(old.getByText('one of the two sides said no')).toBeVisible();
		await expect(old.getByText('Some or all of it may have arrived at the other side.')).toBeVisible();
		expect(await account(fresh)).toBe(before);

		const text = await fillUp(old);
		expect(text).toHaveLength(LONG);
		const third = await showCode(fresh);
		await giveCode(old, fresh, third);
		await sayYes(old, fresh);
		await takeIn(old, fresh, did);
		const messages = await table<{ readonly id: string; readonly text: string }>(fresh, 'messages');
		expect(messages.find(({ id }) => id === 'long-0')?.text === text).toBe(true);
		const titled = { name: 'What is the capital of Peru?' };
		await fresh.getByRole('navigation', { name: 'Conversations' }).getByRole('link', titled).click();
		await expect(fresh.getByRole('log')).toContainText('Lima');
		await fresh.getByRole('link', { name: 'Receipt', exact: true }).click();
		await expect(fresh.getByRole('dialog')).toContainText('The one who answered signed; the signature fits.');
		await expect(fresh.getByRole('dialog')).toContainText('The one who asked signed; the signature fits.');

		// At the old place all of it is still there.
		expect(await account(old)).toBe(did);
		await expect(old.getByRole('navigation', { name: 'Conversations' }).getByRole('link', titled)).toBeVisible();
		// What could be read on the way (docs/privacy.md): nothing.
		const heard = Buffer.concat(await stage.relayed());
		for (const secret of [parseDid(did ?? ''), readMoveCode(third).secret, Buffer.from('Lima')])
			expect(heard.includes(Buffer.from(secret))).toBe(false);
		expect([errors, strays]).toEqual([[], []]);
	} finally {
		await context.close();
		await elsewhere.close();
		await stage.stop();
	}
});
