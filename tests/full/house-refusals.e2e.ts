/** Restoring on the built app, refused in every way there is: nothing is lost, and the same page restores at last. */
import { expect, test, type Page } from 'playwright/test';
import { encode } from '@ipld/dag-cbor';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { account, lookInside, saveBackup } from '../e2e/moving.ts';
import { answered, openStage, send, table, type Stage } from '../e2e/stage.ts';

let stage: Stage;
let folder: string;
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-house-'));
});
test.afterEach(async () => {
	await stage.stop();
	await rm(folder, { recursive: true, force: true });
});

/** Makes the last message as long as a year of talk. */
const lengthen = (page: Page, length: number) =>
	page.evaluate(
		(wanted) =>
			new Promise<void>((resolve, reject) => {
				const opening = indexedDB.open(`fireweed:${location.pathname}`);
				opening.onerror = () => reject(opening.error);
				opening.onsuccess = () => {
					const transaction = opening.result.transaction('messages', 'readwrite');
					const messages = transaction.objectStore('messages');
					const all = messages.getAll();
					all.onsuccess = () => {
						const last = (all.result as { order: number }[]).sort((a, b) => a.order - b.order).at(-1);
						messages.put({ ...last, text: 'fireweed '.repeat(wanted / 9) });
					};
					transaction.oncomplete = () => {
						opening.result.close();
						resolve();
					};
				};
			}),
		length
	);

test('a wrong passphrase, a damaged file, a newer format, a full disk and a change of mind lose nothing', async ({
	browser
}) => {
	test.setTimeout(120_000);
	const old = await stage.person();
	await send(old.page, 'What is Fireweed?', 'This device');
	await answered(old.page);
	await lengthen(old.page, 6_000_000);
	const file = await saveBackup(old.page, folder);
	const context = await browser.newContext();
	const page = await context.newPage();
	// Before the first write: Chromium remembers for a while how much room there was.
	const devtools = await context.newCDPSession(page);
	const { origin } = new URL(stage.url);
	await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2_000_000 });
	await page.goto(stage.url);
	await send(page, 'What is the capital of Peru?', 'This device');
	await answered(page);
	const own = await account(page);
	const holds = async () => [
		await account(page),
		(await table<{ id: string }>(page, 'conversations')).length,
		(await table<{ id: string }>(page, 'messages')).length
	];
	const before = await holds();
	const bytes = await readFile(file);
	const tried = async (content: Uint8Array) => {
		// Each under a name of its own: a browser does not read a file that was changed after it was chosen.
		const changed = await mkdtemp(path.join(folder, 'changed-'));
		await writeFile(path.join(changed, 'backup'), content);
		await lookInside(page, path.join(changed, 'backup'));
	};
	const refused = async (words: string) => {
		await expect(page.locator('.fault')).toContainText(words);
		await expect(page.locator('.fault')).toContainText('Nothing on this device changed.');
		expect(await holds()).toEqual(before);
	};

	await lookInside(page, file, 'another passphrase');
	await refused('The passphrase does not open this backup');
	await tried(Uint8Array.from(bytes).with(700, (bytes[700] ?? 0) ^ 1));
	await refused('the file is damaged');
	await tried(bytes.subarray(0, bytes.length / 2));
	await refused('only a piece of one');
	const head = { salt: new Uint8Array(16), nonce: new Uint8Array(12), box: new Uint8Array(17_000) };
	await tried(encode({ type: 'fireweed-backup', version: 2, ...head }));
	await refused('A newer version of Fireweed made this backup.');

	await lookInside(page, file);
	await page.getByRole('button', { name: 'Leave it' }).click();
	await expect(page.getByRole('button', { name: 'Look inside' })).toBeVisible();
	expect(await holds()).toEqual(before);

	await lookInside(page, file);
	await page.getByRole('button', { name: 'Restore', exact: true }).click();
	await refused('There is no room left');
	await devtools.send('Storage.overrideQuotaForOrigin', { origin });

	await lookInside(page, file);
	await page.getByRole('button', { name: 'Restore', exact: true }).click();
	await expect(page.getByText('Restored. Everything the backup held is here.')).toBeVisible({ timeout: 20_000 });
	await expect.poll(() => account(page)).not.toBe(own);
	expect((await table<{ id: string }>(page, 'conversations')).length).toBe(2);
	expect([old.errors, old.strays]).toEqual([[], []]);
	// Once more: nothing of it is new, and nothing is doubled.
	await lookInside(page, file);
	await expect(page.getByText('Everything in it is here already.')).toBeVisible();
	await context.close();
});
