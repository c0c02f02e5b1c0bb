/** First doors on the built app: the relay and its list are gone, the page is reloaded, and a peer is found from what was remembered; an invitation. */
import path from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, test, type Page } from 'playwright/test';
import { startRelay } from '../../scripts/relay-process.ts';
import { settings } from './settings.ts';
import { answered, contribute, openStage, send, table, type Stage } from './stage.ts';

const open: { stage?: Stage; undo: (() => Promise<unknown>)[] } = { undo: [] };
test.beforeEach(async ({ browser }) => {
	open.stage = await openStage(browser);
});
test.afterEach(async () => {
	for (const one of open.undo.splice(0).reverse()) await one();
	await open.stage?.stop();
});

/** Opens the section and reads what somebody gave. */
async function paste(page: Page, text: string): Promise<void> {
	await settings(page, 'doors');
	await page.getByLabel('An invitation, a relay’s address or a list of relays').fill(text);
	await page.getByRole('button', { name: 'Look', exact: true }).last().click();
}

test('relay dead, list empty, page reloaded: a peer of before answers, found from what was remembered', async () => {
	const stage = open.stage as Stage;
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-doors-'));
	const second = await startRelay({
		port: 0,
		key: path.join(folder, 'key'),
		keepAlive: false,
		env: { FIREWEED_RELAY_HEALTH_PORT: '0' },
		log: () => undefined
	});
	open.undo.push(
		() => rm(folder, { recursive: true, force: true }),
		() => second.stop()
	);
	const [secondAddress = ''] = second.addresses();

	const lender = await stage.person();
	await contribute(lender.page);
	await paste(lender.page, secondAddress);
	await expect(lender.page.getByRole('group', { name: 'What was found' })).toContainText('Nobody signed it');
	await lender.page.getByRole('button', { name: 'Use it' }).click();
	await expect(lender.page.getByText('Done.')).toBeVisible();
	const id = /\/p2p\/([^/]+)$/.exec(secondAddress)?.[1] ?? '';
	await expect
		.poll(async () => (await table<{ id: string }>(lender.page, 'met')).map((one) => one.id), { timeout: 15_000 })
		.toContain(id);

	const asker = await stage.person();
	await send(asker.page, 'Who are you?', 'The mesh');
	await answered(asker.page);
	// The lender said where it is found: over both relays.
	await expect
		.poll(
			async () =>
				(await table<{ role: string; addresses: string[] }>(asker.page, 'met')).some(
					({ role, addresses }) => role === 'tab' && addresses.some((one) => one.includes(id))
				),
			{
				timeout: 30_000
			}
		)
		.toBe(true);
	// What it knows of the second relay itself is taken away: only the peer's own statement shall lead there.
	await asker.page.evaluate(async (relay) => {
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			const request = indexedDB.open('fireweed:/');
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(request.error);
		});
		const change = database.transaction('met', 'readwrite');
		change.objectStore('met').delete(relay);
		await new Promise((resolve) => (change.oncomplete = resolve));
		database.close();
	}, id);

	await stage.killRelay();
	await asker.page.reload();
	await send(asker.page, 'And who are you now?', 'The mesh');
	await answered(asker.page);
	await expect(asker.page.getByRole('log')).not.toContainText('Nobody offered');
	const receipts = await table<{ cid: string }>(asker.page, 'receipts');
	expect(receipts.length).toBe(2);
	expect(asker.errors).toEqual([]);
});

test('an invitation: made, opened by its link, signed and shown before anything is dialled', async () => {
	const stage = open.stage as Stage;
	const host = await stage.person();
	await contribute(host.page);
	await settings(host.page, 'doors');
	await host.page.getByLabel('Your name in it, if you like').fill('Ada');
	await host.page.getByRole('button', { name: 'Make an invitation' }).click();
	await expect(host.page.getByRole('img', { name: 'The invitation as a QR code' })).toBeVisible();
	await host.context.grantPermissions(['clipboard-read', 'clipboard-write']);
	await host.page.getByRole('button', { name: 'Copy the link' }).click();
	const link = await host.page.evaluate(() => navigator.clipboard.readText());
	expect(link).toMatch(/#\/join\/[\w-]+$/);

	const guest = await stage.person(`#${link.split('#')[1] ?? ''}`);
	const card = guest.page.getByRole('group', { name: 'What was found' });
	await expect(card).toContainText('calls themselves “Ada”');
	await expect(card).toContainText('which you have not met before');
	expect((await stage.health())['connections']).toBe(1);
	const born = await guest.page.evaluate(() => performance.timeOrigin);
	await card.getByRole('button', { name: 'Use it' }).click();
	await expect.poll(async () => (await stage.health())['connections'], { timeout: 15_000 }).toBe(2);
	await expect(guest.page).toHaveURL(/#\/$/);
	// Had the page been loaded anew, the connection would be another.
	expect(await guest.page.evaluate(() => performance.timeOrigin)).toBe(born);

	const spoiled = `${link.slice(0, -9)}${link.at(-9) === 'A' ? 'B' : 'A'}${link.slice(-8)}`;
	await guest.page.goto(`${stage.url}#${spoiled.split('#')[1] ?? ''}`);
	await expect(guest.page.getByText('was changed on its way')).toBeVisible();
	expect([...guest.errors, ...host.errors]).toEqual([]);
});
