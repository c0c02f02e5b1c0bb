/** The app from gateways nobody has to trust: its address lies or dies in mid-load, a gateway lies in every block, another dies in the middle of one. */
import { expect, test } from 'playwright/test';
import { blocksOf, startBlockGateway, type BlockGateway } from '../doubles/block-gateway.ts';
import { startNamedGateway, type NamedGateway } from '../doubles/named-gateway.ts';
import { signedBuild, type Files } from '../doubles/signed-build.ts';
import { formsOr } from './forms.ts';
import { nameGateways, notice, noticed, settled, shown } from './released.ts';

let one: Files;
let two: Files;
let blocks: ReadonlyMap<string, Uint8Array>;
let lying: BlockGateway;
let dying: BlockGateway;
let good: BlockGateway;

test.beforeAll(async () => {
	one = await signedBuild('build', { name: 'one', manifest: { sequence: 5 } });
	two = await signedBuild('build', { name: 'two', manifest: { sequence: 6 } });
	blocks = await blocksOf(one, two);
});
test.beforeEach(async () => {
	lying = await startBlockGateway(blocks, 'lying');
	dying = await startBlockGateway(blocks, 'dying');
	good = await startBlockGateway(blocks);
});
test.afterEach(async () => {
	await Promise.all([lying, dying, good].map((each) => each.close()));
});

/** The app's address, until the test ends. */
async function atAddress(work: (address: NamedGateway) => Promise<void>): Promise<void> {
	const address = await startNamedGateway(one);
	try {
		await work(address);
	} finally {
		await address.close();
	}
}

const BY = { pathUrl: 'byPath', subdomainUrl: 'bySubdomain' } as const;
for (const which of formsOr('subdomainUrl')) {
	const by = BY[which];
	test(`${which}: an address that lies and dies in mid-load; gateways of which one lies and one dies give the rest`, async ({
		context
	}) => {
		await atAddress(async (address) => {
			address.behave((name) => (name.endsWith('.wasm') ? 'lying' : name.endsWith('.onnx') ? 'dying' : 'good'));
			const page = await context.newPage();
			await page.goto(address[which]);
			await noticed(page, /Not all of Fireweed came from this address/);
			await nameGateways(page, [lying[by], dying[by], good[by]]);
			await settled(page);
			await expect(page.getByText('This version is on this device, whole and checked.')).toBeVisible();
			expect(lying.asked.length, 'four blocks are asked for at a time; each may have been under way').toBeLessThan(9);
			expect(dying.given()).toBe(5);
			expect(good.given()).toBeGreaterThan(5);

			await address.close();
			const given = good.given();
			await page.reload();
			expect(await shown(page)).toBe('one');
			await page.getByRole('link', { name: 'New chat' }).first().click();
			await page.getByRole('textbox', { name: 'Message' }).fill('What is Fireweed?');
			await page.getByRole('button', { name: 'Send' }).click();
			await expect(page.getByRole('button', { name: 'Copy' }).first()).toBeVisible({ timeout: 45_000 });
			expect(good.given(), 'what is held is asked of nobody').toBe(given);
		});
	});
}

test('an update whose files the address no longer gives right comes from gateways, and starts when asked', async ({
	context
}) => {
	await atAddress(async (address) => {
		const page = await context.newPage();
		await page.goto(address.subdomainUrl);
		await settled(page);
		await nameGateways(page, [lying.bySubdomain, good.byPath]);
		await expect(page.getByText('Kept.')).toBeVisible();
		expect(good.asked, 'nobody is asked while the address is good').toEqual([]);
		address.serve(two);
		address.behave((name) => (name.startsWith('release/') || name === 'service-worker.js' ? 'good' : 'lying'));
		await page.reload();
		await noticed(page, /Version two is ready on this device, signed by Key 1 and Key 2/);
		expect(good.given()).toBeGreaterThan(0);
		await notice(page).getByRole('button', { name: 'Start it' }).click();
		await expect.poll(() => shown(page)).toBe('two');
		await settled(page);
	});
});

test('address gone, page half evicted: a gateway brings back what the browser removed, and without one the loader says what is possible', async ({
	context
}) => {
	await atAddress(async (address) => {
		const page = await context.newPage();
		await page.goto(address.subdomainUrl);
		await settled(page);
		await nameGateways(page, [good.byPath]);
		await expect(page.getByText('Kept.')).toBeVisible();
		const evict = () =>
			page.evaluate(async () => {
				let gone = 0;
				for (const name of await caches.keys()) {
					if (!name.startsWith('fireweed-shell')) continue;
					const cache = await caches.open(name);
					for (const request of await cache.keys())
						if (/(?:\/|\.css|\.js)$/.test(request.url) && (await cache.delete(request))) gone += 1;
				}
				return gone;
			});
		expect(await evict()).toBeGreaterThan(10);
		await address.close();
		await page.reload();
		expect(await shown(page)).toBe('one');
		await settled(page);
		expect(good.given()).toBeGreaterThan(5);

		await nameGateways(page, []);
		await expect(page.getByText('No gateway is asked.')).toBeVisible();
		expect(await evict()).toBeGreaterThan(10);
		await page.reload();
		await expect(page.getByRole('heading', { name: 'Fireweed needs your word' })).toBeVisible();
		await expect(page.getByText('no server answers to fetch it again')).toBeVisible();
	});
});
