/** Looking for somebody who would answer: how long anybody is waited for, what counts as a bid, and who may stand beside those who have it. */
import { describe, expect, it, vi } from 'vitest';
import { jobInterest } from '#lib/protocol/bid.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { priceOf } from '#lib/protocol/policy.ts';
import { bidders, ids, never } from '../doubles/bidders.ts';
import { MODEL, Scene } from '../doubles/played.ts';

describe('when nobody is at hand', () => {
	it('the first bid is waited for, and a moment longer for a better one', async () => {
		const { scene, next, bids, clock, announced } = await bidders({ bids: [] });
		const dear = await scene.player();
		const cheap = await scene.player();
		const late = await scene.player();
		clock.at(100, () => void bids(dear, announced()[0], { pricePer1k: 500_000 }));
		clock.at(140, () => void bids(cheap));
		clock.at(400, () => void bids(late, undefined, { pricePer1k: 1 }));
		const { who, ms } = await next();
		expect(who).toEqual(ids(cheap, dear));
		// There and back takes 20 to 30 ms here.
		expect(ms).toBeGreaterThanOrEqual(180);
		expect(ms).toBeLessThanOrEqual(190);
	});

	it('nobody is there after 800 ms, or 300 when they could have come already', async () => {
		const { next, clock, announced } = await bidders({ bids: [] });
		await clock.pass(1_000);
		expect(await next()).toEqual({ who: [], ms: 800 });
		await clock.pass(9_199);
		expect(await next()).toEqual({ who: [], ms: 300 });
		expect(announced()).toHaveLength(2);
		await clock.pass(10_000 - 300);
		expect(await next()).toEqual({ who: [], ms: 800 });
	});

	it('an end of the job ends the search, and nothing of it is left', async () => {
		const { next, clock, scene, bids } = await bidders({ bids: [] });
		const ending = new AbortController();
		const left = vi.spyOn(ending.signal, 'removeEventListener');
		clock.at(250, () => ending.abort());
		expect(await next([], ending.signal)).toEqual({ who: [], ms: 250 });
		expect(left.mock.calls.map(([type]) => type)).toContain('abort');
		expect(await next([], ending.signal)).toEqual({ who: [], ms: 0 });
		// Who had come by then is told all the same.
		const player = await scene.player();
		const again = new AbortController();
		const began = clock.monotonic();
		clock.at(began + 10, () => void bids(player));
		clock.at(began + 50, () => again.abort());
		expect(await next([], again.signal)).toEqual({ who: ids(player), ms: 50 });
	});

	it('the newest bid of one counts; what is no bid on this job counts for nothing', async () => {
		const { scene, next, clock, outside, bids, spares } = await bidders({ bids: [] });
		const player = await scene.player();
		const other = await Scene.set('another job');
		const stranger = await other.player();
		const { node, certificate } = player.identity;
		const full = {
			...{ job: scene.job.id, announcement: scene.job.announcement.cid, model: MODEL.id },
			...{ readyInMs: 500, why: 'busy' as const, issuedAt: clock.now(), extensions: {} }
		};
		const said = [
			stranger.bid.signed.bytes,
			(await seal(jobInterest, full, node, certificate)).bytes,
			Uint8Array.of(1)
		];
		clock.at(50, () => said.forEach((bytes) => void outside.publish('fireweed/1/bids', bytes)));
		expect(await next()).toEqual({ who: [], ms: 800 });
		// On an announcement that nobody made.
		const elsewhere = other.job.announcement;
		clock.at(1_000, () => void bids(player, elsewhere));
		expect((await next()).who).toEqual([]);
		clock.at(2_000, () => void bids(player, undefined, { pricePer1k: 9 }));
		await clock.pass(1_500);
		clock.at(clock.monotonic() + 5, () => void bids(player, undefined, { pricePer1k: 8 }));
		await clock.pass(100);
		const found = await spares.next([], [], never);
		expect(found.map(({ heard }) => heard.bid.pricePer1k)).toEqual([8]);
	});

	it('and the job cannot be announced, that is written down and nobody is there', async () => {
		const { scene, next } = await bidders({ bids: [] });
		scene.asker.mesh.publish = () => Promise.reject(new Refusal('relay-unavailable'));
		expect(await next()).toEqual({ who: [], ms: 800 });
		expect(scene.logged('not-announced')).toStrictEqual([{ code: 'relay-unavailable' }]);
	});

	it('bids are heard once, and not at all after the end', async () => {
		const { scene, next, spares, clock, bids } = await bidders({ bids: [] });
		spares.close();
		await next();
		await next();
		expect(scene.asker.mesh.held.subscriptions).toBe(1);
		spares.close();
		expect(scene.asker.mesh.held.subscriptions).toBe(0);
		await bids(await scene.player());
		await clock.pass(100);
		spares.close();
	});
});

describe('beside those who have it', () => {
	it('stands who draws the same words, has it not, and does not wait in a queue', async () => {
		const bids = [{ model: { ...MODEL, engineHash: new Uint8Array(32) } }, { waitMs: 1 }, { waitMs: 0 }];
		const { beside, others, scene } = await bidders({ bids });
		expect(await beside()).toEqual({ who: ids(others[2]), ms: 0 });
		const second = await others[2].hire({ epoch: 4 });
		expect((await beside(0, [await (await scene.player()).hire(), second])).who).toEqual([]);
	});

	it('stands rather somebody of another account', async () => {
		const bids = [{ pricePer1k: 1 }, { pricePer1k: 2 }];
		const { beside, others } = await bidders({ bids, accounts: ['leader'] });
		expect((await beside()).who).toEqual(ids(others[1], others[0]));
	});

	it('stands who fits the price beside what is promised to them', async () => {
		const policy = { maxPrice: priceOf(100_000, 164) + 50 };
		const { beside, others } = await bidders({ policy });
		expect((await beside(50)).who).toEqual(ids(others[0]));
		expect((await beside(51)).who).toEqual([]);
	});

	it('nobody stands where nobody has it', async () => {
		const { beside, announced } = await bidders();
		expect(await beside(0, [])).toEqual({ who: [], ms: 0 });
		expect(announced()).toEqual([]);
	});

	it('somebody is looked for by a new announcement, unless there was one lately', async () => {
		const { beside, announced, scene, clock, bids } = await bidders({ bids: [] });
		expect(await beside()).toEqual({ who: [], ms: 800 });
		expect(await beside()).toEqual({ who: [], ms: 0 });
		expect(announced()).toHaveLength(1);
		await clock.pass(10_000);
		const player = await scene.player();
		clock.at(clock.monotonic() + 100, () => void bids(player));
		const { who, ms } = await beside();
		expect(who).toEqual(ids(player));
		expect(ms).toBeLessThanOrEqual(190);
		expect(await beside()).toEqual({ who: ids(player), ms: 0 });
	});
});
