/** A newer release on the same address: taken when the person says so, refused when it is not signed as it must be, gone back from when it does not start. */
import { expect, test } from 'playwright/test';
import { startNamedGateway, type NamedGateway } from '../doubles/named-gateway.ts';
import { signedBuild, type Files, type SignedBuildInit } from '../doubles/signed-build.ts';
import { formsOr } from './forms.ts';
import { noticed, notice, settled, shown } from './released.ts';

const BUILD = 'build';
const build = (init: SignedBuildInit) => signedBuild(BUILD, init);

let one: Files;
let two: Files;

test.beforeAll(async () => {
	one = await build({ name: 'one', manifest: { sequence: 5 } });
	two = await build({ name: 'two', manifest: { sequence: 6 } });
});

async function onGateway(
	which: 'pathUrl' | 'subdomainUrl',
	work: (url: string, gateway: NamedGateway) => Promise<void>
) {
	const gateway = await startNamedGateway(one);
	try {
		await work(gateway[which], gateway);
	} finally {
		await gateway.close();
	}
}

for (const which of formsOr('pathUrl')) {
	test(`${which}: a newer release is offered with who signed it, starts when asked, and an older tab goes on`, async ({
		context
	}) => {
		await onGateway(which, async (url, gateway) => {
			const page = await context.newPage();
			await page.goto(url);
			await settled(page);
			const older = await context.newPage();
			await older.goto(url);
			await settled(older);

			gateway.serve(two);
			// A tab behind another may be given no frames, and then no button in it ever stands still.
			await page.bringToFront();
			await page.reload();
			expect(await shown(page)).toBe('one');
			await noticed(page, /Version two is ready on this device, signed by Key 1 and Key 2/);
			expect(await shown(page)).toBe('one');
			await notice(page).getByRole('button', { name: 'Start it' }).click();
			await expect.poll(() => shown(page)).toBe('two');
			await settled(page);

			expect(await shown(older)).toBe('one');
			await older.bringToFront();
			await older.getByRole('link', { name: 'Receipts' }).first().click();
			await expect(older.getByRole('heading', { name: 'Receipts' })).toBeVisible();

			await gateway.close();
			await page.bringToFront();
			await page.reload();
			expect(await shown(page)).toBe('two');
			await expect(page.getByRole('link', { name: 'Contribute' }).first()).toBeVisible();
		});
	});
}

const BAD: [string, RegExp, () => Promise<Files>][] = [
	[
		'signed by too few',
		/Too few of the people who must sign/,
		() => build({ name: 'two', manifest: { sequence: 6 }, signers: [2] })
	],
	[
		'signed by the wrong role',
		/signed by someone who may not/,
		() => build({ name: 'two', manifest: { sequence: 6 }, signers: [11, 12] })
	],
	['rolled back', /older than the one you have/, () => build({ name: 'two', manifest: { sequence: 4 } })],
	[
		'half from another release',
		/parts of a new version do not belong together/,
		async () => {
			const page = two.get('index.html') as Uint8Array;
			const other = await build({ name: 'three', manifest: { sequence: 7 } });
			return new Map([...other, ['index.html', page]]);
		}
	]
];
for (const [what, words, files] of BAD) {
	test(`${what}: refused in plain words, and what runs goes on`, async ({ context }) => {
		await onGateway('subdomainUrl', async (url, gateway) => {
			const page = await context.newPage();
			await page.goto(url);
			await settled(page);
			gateway.serve(await files());
			await page.reload();
			await noticed(page, words);
			expect(await shown(page)).toBe('one');
			await gateway.close();
			await page.reload();
			expect(await shown(page)).toBe('one');
		});
	});
}

test('a release that does not start is gone back from, and this is said', async ({ context }) => {
	await onGateway('subdomainUrl', async (url, gateway) => {
		const page = await context.newPage();
		await page.goto(url);
		await settled(page);
		const broken = await build({
			name: 'broken',
			manifest: { sequence: 6 },
			change: (files) => {
				const entry = [...files.keys()].find((name) => name.includes('/entry/app'));
				if (!entry) throw new Error('the build has no entry');
				files.set(entry, new TextEncoder().encode('throw new Error("this release is broken");'));
			}
		});
		gateway.serve(broken);
		await page.reload();
		await noticed(page, /Version broken is ready/);
		await notice(page).getByRole('button', { name: 'Start it' }).click();
		await expect.poll(() => shown(page)).toBe('broken');
		for (let i = 0; i < 3; i++) await page.reload();
		expect(await shown(page)).toBe('one');
		await noticed(page, /did not start on this device, so version one is back/);
	});
});

test('a hostile loader at the address is noticed by the open page, and the keys are locked', async ({ context }) => {
	await onGateway('subdomainUrl', async (url, gateway) => {
		const page = await context.newPage();
		await page.goto(url);
		await settled(page);
		const evil = `
			self.addEventListener('install', () => self.skipWaiting());
			self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
			self.addEventListener('fetch', (event) => event.respondWith(new Response('owned')));`;
		gateway.serve(new Map([...one, ['service-worker.js', new TextEncoder().encode(evil)]]));
		await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update());
		await noticed(page, /put something else in the place of what keeps Fireweed on this device. Your keys are locked/);
		await page.getByRole('radio', { name: 'The mesh' }).check();
		await page.getByRole('textbox', { name: 'Message' }).fill('Is anybody there?');
		await page.getByRole('button', { name: 'Send' }).click();
		await expect(page.getByText(/keys in this tab are locked/).first()).toBeVisible();
	});
});

test('what an address serves unsigned is not kept, and this is said', async ({ context }) => {
	const unsigned = await build({ name: 'one', signers: [1] });
	const gateway = await startNamedGateway(unsigned);
	try {
		const page = await context.newPage();
		await page.goto(gateway.subdomainUrl);
		await noticed(page, /is not a signed Fireweed, so it is not kept here/);
		expect(
			await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active ?? null)
		).toBeNull();
	} finally {
		await gateway.close();
	}
});
