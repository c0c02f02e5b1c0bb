/**
 * States that a person may get into, each brought about for real on the built app, and a picture of each: what is said, and that the one
 * thing it offers is there. docs/screens/README.md says how the pictures there are made anew, and which states are missing and why.
 */
import { expect, test, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { startNamedGateway } from '../doubles/named-gateway.ts';
import { signedBuild, type SignedBuildInit } from '../doubles/signed-build.ts';
import { pictures } from '../e2e/picture.ts';
import { answered, BUILD, contribute, openStage, send, type Stage } from '../e2e/stage.ts';
import { repositories } from '../interop/models-repository.ts';
import { startModelServer } from '../interop/models-server.ts';

const notice = (page: Page) => page.getByRole('region', { name: 'Notice' });
const log = (page: Page) => page.getByRole('log');

/** Ends the workers in which models run, as a browser does that is short of memory: from inside, without a word to the page. */
async function endEngines(page: Page): Promise<void> {
	const engines = page.workers().filter((worker) => /\/cpu-|name=fireweed-cpu|cpu\.ts/.test(worker.url()));
	if (engines.length === 0) throw new Error(`no engine among ${page.workers().map((worker) => worker.url())}`);
	await Promise.all(engines.map((engine) => engine.evaluate(() => close()).catch(() => undefined)));
}

test.describe('alone', () => {
	let site: Awaited<ReturnType<typeof serve>>;
	test.beforeAll(async () => {
		site = await serve({ root: BUILD, port: 0 });
	});
	test.afterAll(() => site.close());

	test('a first visit', async ({ page }) => {
		await page.goto(site.url);
		await expect(page.getByRole('textbox', { name: 'Message' })).toBeVisible();
		await pictures(page, 'first-visit');
	});

	test('a model is being loaded: how much, how fast, how long, and a way to stop', async ({ page }) => {
		test.setTimeout(180_000);
		const models = await startModelServer();
		try {
			models.put(repositories());
			await page.goto(`${site.url}#/settings/models`);
			await page.getByLabel('Address of its folder or file').fill(`${models.origin}/acme/small`);
			const section = page.getByRole('region', { name: 'Models on this device' });
			await section.getByRole('button', { name: 'Look' }).click();
			await expect(page.getByText('It stands in the list.')).toBeVisible({ timeout: 90_000 });
			models.tell({ file: '.onnx', kind: 'slow', piece: 256 });
			const card = page
				.getByRole('listitem')
				.filter({ has: page.getByRole('heading', { name: 'small', exact: true }) });
			await card.getByRole('button', { name: /^Load / }).click();
			await expect(card).toContainText(/per second · \d+ seconds? left/, { timeout: 60_000 });
			await card.scrollIntoViewIfNeeded();
			await pictures(page, 'loading-a-model');
			await card.getByRole('button', { name: /^Stop/ }).click();
			await expect(card.getByRole('button', { name: /^(Load|Go on|Continue)/ })).toBeVisible({ timeout: 30_000 });
			await pictures(page, 'loading-stopped');
		} finally {
			await models.close();
		}
	});

	test('no graphics card', async ({ page }) => {
		await page.goto(`${site.url}#/settings/models`);
		await expect(page.getByText('This browser offers pages no graphics card')).toBeVisible();
		await pictures(page, 'no-graphics-card');
	});

	test('the model stops in mid-answer', async ({ page }) => {
		await page.goto(`${site.url}?minTokens=400`);
		await send(page, 'Tell me about the mountains', 'This device');
		await expect(log(page)).toContainText(/(\S+ ){30}/, { timeout: 30_000 });
		await endEngines(page);
		await expect(log(page)).toContainText('The model stopped with an error', { timeout: 30_000 });
		await pictures(page, 'engine-lost');
		await log(page).getByRole('button', { name: 'Retry' }).click();
		await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
		await expect(log(page)).not.toContainText('The model stopped with an error');
		await answered(page);
	});

	test('offline', async ({ page, context }) => {
		await page.goto(site.url);
		await expect(page.locator('[data-shell=ready]')).toBeVisible({ timeout: 60_000 });
		await context.setOffline(true);
		await expect(notice(page)).toContainText('You are offline');
		await page.reload();
		await send(page, 'What is Fireweed?', 'This device');
		await answered(page);
		await pictures(page, 'offline');
	});

	test('two tabs open', async ({ page, context }) => {
		await page.goto(site.url);
		await expect(page.locator('[data-shell=ready]')).toBeVisible({ timeout: 60_000 });
		const second = await context.newPage();
		await second.goto(site.url);
		await expect(notice(second)).toContainText('open in another tab too', { timeout: 20_000 });
		await pictures(second, 'two-tabs');
	});

	test('no service worker', async ({ browser }) => {
		const context = await browser.newContext({ serviceWorkers: 'block' });
		try {
			const page = await context.newPage();
			await page.goto(site.url);
			await expect(notice(page)).toContainText('does not let Fireweed keep itself', { timeout: 30_000 });
			await pictures(page, 'no-service-worker');
		} finally {
			await context.close();
		}
	});
});

test.describe('with others', () => {
	let stage: Stage;
	test.beforeEach(async ({ browser }) => {
		stage = await openStage(browser);
	});
	test.afterEach(() => stage.stop());

	test('nobody there', async () => {
		const { page } = await stage.person();
		await send(page, 'Tell me about rivers', 'The mesh');
		await expect(log(page)).toContainText('Nobody offered to answer.', { timeout: 40_000 });
		await pictures(page, 'nobody-there');
	});

	test('everybody busy', async () => {
		const [asker, other, lender] = [await stage.person(), await stage.person('?minTokens=400'), await stage.person()];
		await contribute(lender.page);
		await send(other.page, 'Tell me about the mountains', 'The mesh');
		await expect(lender.page.getByRole('status').filter({ hasText: 'Working' })).toBeVisible({ timeout: 30_000 });
		await send(asker.page, 'Tell me about rivers', 'The mesh');
		await expect(log(asker.page)).toContainText(/busy|wait|queue|turn/i, { timeout: 30_000 });
		await pictures(asker.page, 'everybody-busy');
		await answered(asker.page);
	});

	test('the computer that answers is lost, and another goes on', async () => {
		const [asker, one, two] = [await stage.person('?minTokens=400'), await stage.person(), await stage.person()];
		await contribute(one.page);
		await send(asker.page, 'Tell me about the mountains', 'The mesh');
		await expect(one.page.getByRole('status').filter({ hasText: 'Working' })).toBeVisible({ timeout: 30_000 });
		await contribute(two.page);
		await one.page.close();
		await answered(asker.page);
		await expect(log(asker.page)).toContainText(/Continued on another computer after \d+ words/);
		await pictures(asker.page, 'executor-replaced');
	});

	test('the model that is lent stops in mid-job: it is loaded again, and another computer goes on', async () => {
		const [asker, one] = [await stage.person('?minTokens=400'), await stage.person()];
		await contribute(one.page);
		await send(asker.page, 'Tell me about the mountains', 'The mesh');
		const status = (page: Page) => page.getByRole('status');
		await expect(status(one.page).filter({ hasText: 'Working' })).toBeVisible({ timeout: 30_000 });
		const { page: other } = await stage.person();
		await contribute(other);
		await endEngines(one.page);
		await expect(status(one.page).filter({ hasText: 'is being loaded again' })).toBeVisible({ timeout: 30_000 });
		await pictures(one.page, 'lent-engine-lost');
		await expect(status(one.page).filter({ hasText: 'Ready' })).toBeVisible({ timeout: 60_000 });
		await answered(asker.page);
		await expect(log(asker.page)).toContainText(/Continued on another computer after \d+ words/);
	});

	test('the clock of this device is wrong', async () => {
		test.setTimeout(180_000);
		const { page, context } = await stage.person();
		await context.addInitScript((ms: number) => {
			const Real = Date;
			let ahead = ms;
			globalThis.Date = class extends Real {
				constructor(given = Real.now() + ahead) {
					super(given);
				}
				static override now = () => Real.now() + ahead;
			} as DateConstructor;
			addEventListener('clock-set-right', () => (ahead = 0));
		}, 86_400_000);
		await page.reload();
		for (let i = 0; i < 3; i++) await contribute((await stage.person()).page);
		await send(page, 'Tell me about rivers', 'The mesh');
		await expect(log(page)).toContainText('Nobody offered to answer.', { timeout: 40_000 });
		await expect(notice(page)).toContainText('about 24 hours ahead of everybody else’s', { timeout: 40_000 });
		await pictures(page, 'clock-wrong');
		await page.evaluate(() => dispatchEvent(new Event('clock-set-right')));
		await expect(notice(page)).toHaveCount(0, { timeout: 10_000 });
		await expect(page.getByText(/3 computers offer/)).toBeVisible({ timeout: 30_000 });
		await send(page, 'And about the sea?', 'The mesh');
		await answered(page);
		await expect(log(page)).toContainText(/Receipt/);
	});

	test('the relay is gone', async () => {
		const { page } = await stage.person();
		await send(page, 'Tell me about rivers', 'The mesh');
		await expect(log(page)).toContainText('Nobody offered to answer.', { timeout: 40_000 });
		await stage.killRelay();
		await expect(notice(page)).toContainText('The relay does not answer', { timeout: 40_000 });
		await pictures(page, 'relay-gone');
	});
});

test.describe('new versions', () => {
	const served = (init: SignedBuildInit) => signedBuild(BUILD, init);

	for (const [name, text, init] of [
		['update-ready', /Version two is ready on this device, signed by/, { name: 'two', manifest: { sequence: 6 } }],
		['update-refused', /Too few of the people/, { name: 'two', manifest: { sequence: 6 }, signers: [2] }]
	] as const) {
		test(name, async ({ page }) => {
			const gateway = await startNamedGateway(await served({ name: 'one', manifest: { sequence: 5 } }));
			try {
				await page.goto(gateway.subdomainUrl);
				await expect(page.locator('[data-shell=ready]')).toBeVisible({ timeout: 30_000 });
				gateway.serve(await served(init));
				await page.reload();
				await expect(notice(page)).toContainText(text, { timeout: 20_000 });
				await pictures(page, name);
			} finally {
				await gateway.close();
			}
		});
	}
});
