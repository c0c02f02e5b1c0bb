/** What a person does in the settings to save and restore a backup, and to move. */
import { expect, type Page } from 'playwright/test';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { settings } from './settings.ts';

const PASSPHRASE = 'four unrelated quiet words';

/** The account of a place, as its settings show it. */
export async function account(page: Page): Promise<string | null> {
	await settings(page, 'backup');
	return page.locator('section.backup code').getAttribute('title');
}

export async function saveBackup(page: Page, folder: string): Promise<string> {
	await settings(page, 'backup');
	await page.getByLabel('Passphrase', { exact: true }).fill(PASSPHRASE);
	await page.getByLabel('Passphrase again').fill(PASSPHRASE);
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		page.getByRole('button', { name: 'Save a backup' }).click()
	]);
	expect(download.suggestedFilename()).toMatch(/^fireweed-backup-\d{4}-\d\d-\d\d\.fireweed$/);
	await expect(page.getByText('Saved with your downloads.')).toBeVisible();
	const file = path.join(await mkdtemp(path.join(folder, 'saved-')), 'saved.fireweed');
	await download.saveAs(file);
	return file;
}

export async function lookInside(page: Page, file: string, passphrase = PASSPHRASE): Promise<void> {
	await settings(page, 'backup');
	await page.getByLabel('Backup file').setInputFiles(file);
	await page.getByLabel('Its passphrase').fill(passphrase);
	await page.getByRole('button', { name: 'Look inside' }).click();
}

/** The new place shows a code; resolves to it, copied as a person would. */
export async function showCode(fresh: Page): Promise<string> {
	await settings(fresh, 'move');
	await fresh.getByRole('button', { name: 'Show a code' }).click();
	await fresh.getByRole('button', { name: 'Copy the code' }).click();
	return fresh.evaluate(() => navigator.clipboard.readText());
}

/** The old place is given the code; resolves once both ask. */
export async function giveCode(old: Page, fresh: Page, code: string): Promise<void> {
	await settings(old, 'move');
	await old.getByLabel('Code of the new one').fill(code);
	await old.getByRole('button', { name: 'Connect' }).click();
	await expect(old.getByRole('dialog')).toContainText('Hand over your whole account?', { timeout: 30_000 });
	await expect(fresh.getByRole('dialog')).toContainText('Do both screens show this number?');
}

/** Both people compare and say yes; resolves once the new place says what would come. */
export async function sayYes(old: Page, fresh: Page): Promise<void> {
	const number = (page: Page) => page.getByRole('dialog').locator('[dir=ltr]').textContent();
	expect(await number(old)).toMatch(/^\d{3} \d{3}$/);
	expect(await number(fresh)).toBe(await number(old));
	await old.getByRole('button', { name: 'hand everything over' }).click();
	await fresh.getByRole('button', { name: 'Yes, the same number' }).click();
	await expect(fresh.getByText('What this backup would bring')).toBeVisible({ timeout: 30_000 });
}

/** The new place takes it in and starts again under the account. */
export async function takeIn(old: Page, fresh: Page, did: string | null): Promise<void> {
	await fresh.getByRole('button', { name: 'Restore', exact: true }).click();
	await expect(old.getByText('Everything has arrived and is kept there.')).toBeVisible({ timeout: 20_000 });
	await expect.poll(() => account(fresh).catch(() => undefined), { timeout: 20_000 }).toBe(did);
}
