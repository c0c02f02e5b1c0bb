/** Who else would answer: which bids are kept and for how long, and when the job is announced again. */
import { describe, expect, it } from 'vitest';
import { mostPromptTokens } from '#lib/node/announce.ts';
import { Spares } from '#lib/node/spares.ts';
import { promptBucket } from '#lib/protocol/announcement.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { priceOf } from '#lib/protocol/policy.ts';
import { bidders, ids, never } from '../doubles/bidders.ts';
import { MODEL, tokens } from '../doubles/played.ts';

/** A bid of 20 s is none in its last second. */
const HOLDS_MS = 19_000;

describe('bids that were not chosen', () => {
	it('are at hand at once while they hold, and then the job is announced again', async () => {
		const { next, others, clock, announced } = await bidders();
		expect(await next()).toEqual({ who: ids(others[0]), ms: 0 });
		await clock.pass(HOLDS_MS);
		expect(await next()).toEqual({ who: ids(others[0]), ms: 0 });
		expect(announced()).toEqual([]);
		await clock.pass(1);
		expect(await next()).toEqual({ who: [], ms: 800 });
		expect(announced()).toHaveLength(1);
	});

	it('come without the way they came over, which is closed by now', async () => {
		const { scene, others, hired } = await bidders();
		const heard = { ...others[0].bid, line: { channel: others[0].channel, inbox: hired.inbox } };
		const ranked = { job: scene.job, choices: [{ heard, reason: '' }], announcements: [] };
		const spares = new Spares({ ranked, tried: new Set() }, scene.wish, scene.ports);
		spares.hired(hired);
		expect((await spares.next([], [], never))[0]?.heard).toStrictEqual(others[0].bid);
	});

	it('are of no use before anybody has the job', async () => {
		const { next } = await bidders({ free: true });
		expect(await next()).toEqual({ who: [], ms: 800 });
	});

	it('of who had its try, has the job, took it, refused it or lost it are none', async () => {
		const three = [{ pricePer1k: 1 }, { pricePer1k: 2 }, { pricePer1k: 3 }];
		const { next, others, spares, hired, leader, bids, clock } = await bidders({ bids: three, tried: [0] });
		expect((await next()).who).toEqual(ids(others[1], others[2]));
		spares.refused(others[1].bid.executor);
		expect((await next()).who).toEqual(ids(others[2]));
		spares.tried(others[2].bid.executor);
		expect((await next()).who).toEqual([]);
		spares.lost(hired);
		// All of them bid again: a bid is taken once, but who was only taken may bid anew.
		clock.at(clock.monotonic() + 10, () => [leader, ...others].forEach((player) => void bids(player)));
		expect((await next()).who).toEqual(ids(others[2]));
	});

	it('of the account that was lost come last', async () => {
		const bids = [{ pricePer1k: 1 }, { pricePer1k: 2 }];
		const { next, others, spares, hired } = await bidders({ bids, accounts: ['leader'] });
		expect((await next()).who).toEqual(ids(others[0], others[1]));
		spares.lost(hired);
		expect((await next()).who).toEqual(ids(others[1], others[0]));
	});

	it('as old as one that was not open any more stand no more either', async () => {
		const { next, others, spares, scene, clock, bids } = await bidders();
		await clock.pass(1_000);
		const later = await scene.player();
		spares.warm([]);
		spares.tried(others[0].bid.executor);
		spares.warm([]);
		const asked = spares.next([], [], never);
		await clock.pass(1);
		await bids(later);
		const [found] = await clock.until(asked);
		expect(found?.heard.executor).toBe(later.bid.executor);
		spares.outdated((found?.heard.heardAt ?? 0) - 1);
		expect((await next()).who).toEqual(ids(later));
		spares.outdated(found?.heard.heardAt ?? 0);
		expect((await next()).who).toEqual([]);
	});

	it('fit the price that is left after what the parts before can claim', async () => {
		const parts = [{ pricePer1k: 0, startPosition: 0, answerTokens: 5, price: 7 }];
		for (const [maxPrice, found] of [
			[priceOf(100_000, 164) + 7, 1],
			[priceOf(100_000, 164) + 6, 0]
		] as const) {
			const { spares, clock } = await bidders({ policy: { maxPrice } });
			expect(await clock.until(spares.next([], parts, never))).toHaveLength(found);
		}
		// Without a receipt a part costs the prompt, at its longest, and what was acknowledged.
		const owed = priceOf(
			1_000,
			mostPromptTokens({ turns: [{ role: 'user', content: 'how does fireweed grow back' }], continueFrom: [] }) + 5
		);
		const { spares, clock } = await bidders({ policy: { maxPrice: priceOf(100_000, 164) + owed } });
		const part = { pricePer1k: 1_000, startPosition: 0, answerTokens: 5, price: undefined };
		expect(await clock.until(spares.next([], [part], never))).toHaveLength(1);
		expect(await clock.until(spares.next([], [{ ...part, pricePer1k: 2_000 }], never))).toHaveLength(0);
	});
});

describe('epochs', () => {
	it('rise after that of whoever has the job, however late it is told', async () => {
		const { spares, leader } = await bidders();
		expect([spares.nextEpoch(), spares.nextEpoch()]).toEqual([4, 5]);
		spares.hired(await leader.hire({ epoch: 2 }));
		expect(spares.nextEpoch()).toBe(6);
		spares.hired(await leader.hire({ epoch: 9 }));
		expect(spares.nextEpoch()).toBe(10);
	});
	it('leave room for those a page that is gone may have given', async () => {
		const { spares, leader, hired } = await bidders();
		const transcript = {
			...{ job: hired.job.id, epoch: 3, assignment: hired.assignment.cid, start: 0, maxTokens: 100 },
			...{
				sequence: 0,
				position: 0,
				checked: 0,
				lastCheckpoint: undefined,
				chain: chainStart(hired.assignment.bodyBytes)
			}
		};
		const resumed = { transcript, tokens: [], text: '', shown: { tokens: [], text: '' }, attempt: 1 };
		spares.hired(await leader.hire({ epoch: 3, resumed }));
		expect(spares.nextEpoch()).toBe(20);
	});
});

describe('while the executor is late', () => {
	it('the job is announced again when nobody else would answer in six seconds, and not oftener than every ten', async () => {
		const { spares, clock, announced } = await bidders();
		const at = async (ms: number) => {
			await clock.pass(ms - clock.monotonic());
			spares.warm([]);
			await clock.pass(0);
			return announced().length;
		};
		expect(await at(HOLDS_MS - 6_000)).toBe(0);
		expect(await at(HOLDS_MS - 6_000 + 1)).toBe(1);
		expect(await at(HOLDS_MS + 4_000)).toBe(1);
		expect(await at(HOLDS_MS + 4_001)).toBe(2);
	});

	it('its job, key and model are named again, the prompt as long as it has become, under a new stamp', async () => {
		const { spares, clock, announced, scene } = await bidders({ bids: [], wish: { model: undefined } });
		await clock.pass(5_000);
		const shown = tokens(0, 300);
		spares.warm(shown);
		await clock.pass(0);
		const [again] = announced();
		expect(again?.signer).toEqual(scene.job.key.publicKey);
		const { turns } = scene.wish;
		expect(again?.body).toStrictEqual({
			...scene.job.announcement.body,
			model: MODEL.id,
			promptTokens: promptBucket(mostPromptTokens({ turns, continueFrom: shown })),
			issuedAt: clock.now()
		});
	});

	it('and nobody has it yet no model is named', async () => {
		const { spares, clock, announced } = await bidders({ bids: [], wish: { model: undefined }, free: true });
		spares.warm([]);
		await clock.pass(0);
		expect(announced()[0]?.body.model).toBeUndefined();
	});
});
