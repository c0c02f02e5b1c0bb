/** What a person does on the settings page to save and restore a backup. */
import { expect, type Page } from 'playwright/test';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';

const PASSPHRASE = 'four unrelated quiet words';

export const settings = async (page: Page) => {
	await page.getByRole('link', { name: 'Settings' }).first().click();
	await expect(page.getByRole('heading', { name: 'Account and backup' })).toBeVisible();
};
export const account = (page: Page) => page.locator('section.backup code').getAttribute('title');

export async function saveBackup(page: Page, folder: string): Promise<string> {
	await settings(page);
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
	await page.getByLabel('Backup file').setInputFiles(file);
	await page.getByLabel('Its passphrase').fill(passphrase);
	await page.getByRole('button', { name: 'Look inside' }).click();
}
