/** The loader itself: its bytes stay, and when they must change after all, a release that is signed as it must be brings the new one, and nothing else can. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from 'playwright/test';
import { startNamedGateway } from '../doubles/named-gateway.ts';
import { signedBuild, type Files, type SignedBuildInit } from '../doubles/signed-build.ts';
import { notice, noticed, settled, shown } from './released.ts';
import pinned from '../fixtures/loader.json' with { type: 'json' };
import { formsOr } from './forms.ts';

test('the bytes of the loader are the pinned ones', async () => {
	const script = await readFile('build/service-worker.js', 'utf8');
	// A line of one's own bakes in its own first keys: docs/runbook.md.
	const root = /[A-Za-z0-9+/=]{400,}/.exec(script)?.[0] ?? '';
	expect(Buffer.from(root, 'base64').length).toBeGreaterThan(300);
	const sha256 = createHash('sha256').update(script.replace(root, '')).digest('hex');
	expect(
		sha256,
		'The loader changed. Every device that has it must take another one, which is a moment an attacker waits for: read "The loader must change" in docs/runbook.md, then write this hash into tests/fixtures/loader.json.'
	).toBe(pinned.sha256);
});

/** The loader with a sign of its own, as far as a page can see it. It says besides whether a page told it to take over. */
const marked = (files: Map<string, Uint8Array>, mark: string) => {
	const script = Buffer.from(files.get('service-worker.js') ?? []).toString('utf8');
	const sign = `
{
	let told = false;
	self.addEventListener('message', ({ data, ports }) => {
		if (data?.fireweed === 'activate') told = true;
		if (data === 'which') ports[0].postMessage('${mark}');
		if (data === 'told') ports[0].postMessage(told ? 'told' : 'untold');
	});
}`;
	files.set('service-worker.js', new Uint8Array(Buffer.from(script + sign)));
};
const build = (name: string, sequence: number, mark: string, more: Partial<SignedBuildInit> = {}) =>
	signedBuild('build', { name, manifest: { sequence }, change: (files) => marked(files, mark), ...more });

/** What a loader answers: the one that has this page, or the one that waits behind it. `nobody` where there is none, or it is leaving. */
const answerOf = (page: Page, whom: 'controller' | 'waiting', question: 'which' | 'told') =>
	page.evaluate(
		async ([whom, question]) => {
			const { serviceWorker } = navigator;
			const worker =
				whom === 'controller' ? serviceWorker.controller : (await serviceWorker.getRegistration())?.waiting;
			if (!worker) return 'nobody';
			return new Promise<string>((resolve) => {
				setTimeout(() => resolve('nobody'), 2_000);
				const { port1, port2 } = new MessageChannel();
				port1.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
				worker.postMessage(question, [port2]);
			});
		},
		[whom, question] as const
	);
/** The sign of the loader at work. */
const atWork = (page: Page) => answerOf(page, 'controller', 'which');
/**
 * The browser looks by itself at each start of a page and once a day; here it is asked to. What comes of it is watched, not awaited. It joins
 * a look that began before the server changed, and may find nothing then: so it is asked again until there is something to see.
 */
const findsAnother = (page: Page) =>
	page.evaluate(() => void navigator.serviceWorker.getRegistration().then((found) => found?.update()));

/**
 * Looks for another loader; resolves with the sign of the one at work. Where a debugger watches the one before, as here, Chromium (156) stops
 * it even with something left to do, and then forgets, once in forty, that another waits for its end: for five minutes. So one that waits
 * although the pages told it to take over is given the debugger's own word. One that no page told is not helped.
 */
async function looksAgain(page: Page): Promise<string> {
	await findsAnother(page);
	const before = await atWork(page);
	if ((await answerOf(page, 'waiting', 'told')) === 'told') {
		const debug = await page.context().newCDPSession(page);
		await debug.send('ServiceWorker.enable');
		await debug.send('ServiceWorker.skipWaiting', { scopeURL: new URL('./', page.url()).href });
		await debug.detach();
	}
	return before;
}

let one: Files;
test.beforeAll(async () => {
	one = await build('one', 5, 'old');
});

for (const which of formsOr('subdomainUrl')) {
	test(`${which}: another loader comes with a signed release, takes over at once, keeps what runs, and then starts the new release`, async ({
		context
	}) => {
		const gateway = await startNamedGateway(one);
		try {
			const page = await context.newPage();
			await page.goto(gateway[which]);
			await settled(page);
			const older = await context.newPage();
			await older.goto(gateway[which]);
			await settled(older);
			expect(await atWork(page)).toBe('old');

			gateway.serve(await build('two', 6, 'new'));
			await expect.poll(() => looksAgain(page), { timeout: 30_000, intervals: [1_000] }).toBe('new');
			await page.bringToFront();
			expect(await shown(page), 'the new loader runs the same release').toBe('one');
			await page.reload();
			expect(await shown(page)).toBe('one');
			await noticed(page, /Version two is ready on this device, signed by Key 1 and Key 2/);
			await notice(page).getByRole('button', { name: 'Start it' }).click();
			await expect.poll(() => shown(page)).toBe('two');
			await settled(page);
			// The tab that was there before goes on, under the new loader, and nobody cries wolf.
			await older.bringToFront();
			await older.getByRole('link', { name: 'Receipts' }).first().click();
			await expect(older.getByRole('heading', { name: 'Receipts' })).toBeVisible();
			expect(await shown(older)).toBe('one');
			await expect(older.getByText('Your keys are locked')).toHaveCount(0);

			await gateway.close();
			await page.bringToFront();
			await page.reload();
			expect([await shown(page), await atWork(page)]).toEqual(['two', 'new']);
		} finally {
			await gateway.close();
		}
	});
}

test('another loader that comes with a release signed by too few does not take over, and the keys are locked', async ({
	context
}) => {
	const gateway = await startNamedGateway(one);
	try {
		const page = await context.newPage();
		await page.goto(gateway.subdomainUrl);
		await settled(page);
		gateway.serve(await build('two', 6, 'evil', { signers: [2] }));
		await findsAnother(page);
		await noticed(page, /put something else in the place of what keeps Fireweed on this device. Your keys are locked/);
		expect(await atWork(page), 'it waits, and is not asked to take over').toBe('old');
		expect(await shown(page)).toBe('one');
	} finally {
		await gateway.close();
	}
});
