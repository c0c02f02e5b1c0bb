/** The address is gone and a newer release exists: a peer gives word of it, a gateway nobody has to trust gives the files, the person gives the yes. */
import { expect, test } from 'playwright/test';
import { blocksOf, startBlockGateway } from '../doubles/block-gateway.ts';
import { startNamedGateway } from '../doubles/named-gateway.ts';
import { signedBuild } from '../doubles/signed-build.ts';
import { nameGateways, notice, noticed, settled, shown } from '../e2e/released.ts';
import { openStage } from '../e2e/stage.ts';

test('word from a peer, blocks from a gateway beside one that lies', async ({ browser }) => {
	test.setTimeout(180_000);
	const one = await signedBuild('build', { name: 'one', manifest: { sequence: 5 } });
	const two = await signedBuild('build', { name: 'two', manifest: { sequence: 6 } });
	const blocks = await blocksOf(one, two);
	const stage = await openStage(browser);
	const [address, theirs] = [await startNamedGateway(one), await startNamedGateway(two)];
	const [lying, good] = [await startBlockGateway(blocks, 'lying'), await startBlockGateway(blocks)];
	const contexts = [await browser.newContext(), await browser.newContext()];
	try {
		const relay = encodeURIComponent(stage.relay().addresses()[0] ?? '');
		const [page, peer] = await Promise.all(contexts.map((context) => context.newPage()));
		if (!page || !peer) throw new Error('no page');
		await page.goto(`${address.subdomainUrl}?relay=${relay}`);
		await settled(page);
		await nameGateways(page, [lying.byPath, good.bySubdomain]);
		await expect(page.getByText('Kept.')).toBeVisible();
		await address.close();
		await page.getByRole('link', { name: 'New chat' }).first().click();
		await page.getByRole('radio', { name: 'The mesh' }).check();
		await peer.goto(`${theirs.subdomainUrl}?relay=${relay}`);
		await settled(peer);
		await peer.getByRole('radio', { name: 'The mesh' }).check();

		// A peer speaks 10 to 30 s after it joined.
		await page.bringToFront();
		await noticed(page, /Version two is ready on this device, signed by Key 1 and Key 2/, 90_000);
		expect(lying.asked.length).toBeLessThan(9);
		await notice(page).getByRole('button', { name: 'Start it' }).click();
		await expect.poll(() => shown(page)).toBe('two');
		await settled(page);
	} finally {
		for (const context of contexts) await context.close();
		await Promise.all([address, theirs, lying, good].map((each) => each.close()));
		await stage.stop();
	}
});
