/** Lending to people one knows, in real tabs: a stranger finds nobody, a friend that shows its account is answered, and one that does not is not. */
import { expect, test, type Page } from 'playwright/test';
import { pictures } from '../e2e/picture.ts';
import { answered, contribute, openStage, send } from '../e2e/stage.ts';

/** Opens a folded part of the Contribute page. */
async function unfold(page: Page, name: string): Promise<void> {
	await page.getByRole('link', { name: 'Contribute' }).click();
	await page.getByText(name, { exact: true }).click();
}

async function accountOf(page: Page): Promise<string> {
	await unfold(page, 'People you know');
	return (await page.locator('.own code').textContent()) ?? '';
}

async function know(page: Page, account: string, name: string): Promise<void> {
	await page.getByLabel('Their account').fill(account);
	await page.getByLabel('A name for them').fill(name);
	await page.getByRole('button', { name: 'Add', exact: true }).click();
	await expect(page.getByRole('button', { name: `Remove ${name}` })).toBeVisible();
}

async function ask(page: Page): Promise<void> {
	await page.getByRole('link', { name: 'Chat', exact: true }).click();
	await send(page, 'Tell me about rivers', 'The mesh');
}

test('a lender that lends to people it knows answers them and nobody else', async ({ browser }) => {
	test.setTimeout(180_000);
	const stage = await openStage(browser);
	try {
		const [friend, lender] = [(await stage.person()).page, (await stage.person()).page];
		const [friendAccount, lenderAccount] = [await accountOf(friend), await accountOf(lender)];

		await lender.getByLabel('Their account').fill('did:key:nobody');
		await lender.getByLabel('A name for them').fill('Ada');
		await lender.getByRole('button', { name: 'Add', exact: true }).click();
		await expect(lender.getByText('That is no account.')).toBeVisible();
		await know(lender, friendAccount, 'Ada');
		await lender.getByText('Limits', { exact: true }).click();
		await lender.getByLabel('Only people you know').check();
		await expect(lender.getByText('(on the list: 1)')).toBeVisible();
		await contribute(lender);
		await pictures(lender, 'lending-to-people');

		// Not marked: for this asker too there is nobody.
		await know(friend, lenderAccount, 'Grace');
		await ask(friend);
		await expect(friend.getByRole('log')).toContainText('Nobody offered to answer.', { timeout: 40_000 });

		await unfold(friend, 'People you know');
		await friend.getByLabel('Show them my account when I ask').check();
		await pictures(friend, 'people-you-know');
		await friend.getByRole('link', { name: 'Chat', exact: true }).click();
		await expect(friend.getByText(/computer offers/)).toBeVisible({ timeout: 30_000 });
		await ask(friend);
		await answered(friend);
		await expect(friend.getByRole('log')).toContainText('both signatures fit', { timeout: 20_000 });

		// The list outlives the page.
		await friend.reload();
		await unfold(friend, 'People you know');
		await expect(friend.getByLabel('Show them my account when I ask')).toBeChecked();
	} finally {
		await stage.stop();
	}
});
