/** Who else would answer: which bids are kept and for how long, when the job is announced again, and how long anybody is waited for. */
import { describe, expect, it, vi } from 'vitest';
import type { Wish } from '#lib/node/app.ts';
import { Spares } from '#lib/node/spares.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { jobAnnouncement, promptBucket } from '#lib/protocol/announcement.ts';
import { read, seal, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { jobInterest } from '#lib/protocol/bid.ts';
import { priceOf, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { mostPromptTokens } from '#lib/node/announce.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { MODEL, Scene, tokens, type Player } from '../doubles/played.ts';

const never = new AbortController().signal;
/** A bid of 20 s is none in its last second. */
const HOLDS_MS = 19_000;

interface Set {
	readonly policy?: Partial<ExecutionPolicy>;
	readonly wish?: Partial<Wish>;
	/** What those who were not chosen bid. */
	readonly bids?: readonly Partial<JobBid>[];
	readonly accounts?: readonly string[];
	readonly tried?: readonly number[];
	/** Nobody has the job. */
	readonly free?: boolean;
}

async function stage({ policy = {}, wish = {}, bids = [{}], accounts = [], tried = [], free = false }: Set = {}) {
	const scene = await Scene.set('spares', { policy, wish });
	const leader = await scene.player({ account: 'leader' });
	const others: Player[] = [];
	for (const [i, bid] of bids.entries()) others.push(await scene.player({ bid, account: accounts[i] ?? `other${i}` }));
	const named = others as [Player, Player, Player];
	const hired = await leader.hire({ epoch: 3 });
	const choices = [leader, ...others].map((player) => ({ heard: player.bid, reason: 'before' }));
	const ranked = { job: scene.job, choices, announcements: [scene.job.announcement] };
	const had = new Set(tried.map((i) => named[i]?.bid.executor ?? ''));
	const spares = new Spares({ ranked, tried: had }, scene.wish, scene.ports);
	if (!free) spares.hired(hired);
	const { clock } = scene;
	const { gossip } = scene.world.network;
	const outside = scene.world.network.join('outside');
	return {
		...{ scene, clock, leader, hired, others: named, spares, outside },
		/** The job as it was announced again. */
		announced: () =>
			gossip
				.filter(({ topic }) => topic === 'fireweed/1/announcements')
				.map(({ bytes }) => read(jobAnnouncement, bytes)),
		/** Who would go on, and how long it took to say. */
		next: async (shown: readonly number[] = [], signal = never) => {
			const began = clock.monotonic();
			const found = await clock.until(spares.next(shown, [], signal));
			return { who: found.map(({ heard }) => heard.executor), ms: clock.monotonic() - began };
		},
		beside: async (promised = 0, running = [hired], signal = never) => {
			const began = clock.monotonic();
			const found = await clock.until(spares.beside(running, [], [], promised, signal));
			return { who: found.map(({ heard }) => heard.executor), ms: clock.monotonic() - began };
		},
		/** A new bid of one that is there, on an announcement. */
		bids: async (player: Player, on: Signed<never> | undefined = undefined, change: Partial<JobBid> = {}) => {
			const signed = await scene.bidOf(player.identity, player.nonce, change, on);
			await outside.publish('fireweed/1/bids', signed.bytes);
		}
	};
}
const ids = (...players: readonly Player[]) => players.map(({ bid }) => bid.executor);

describe('bids that were not chosen', () => {
	it('are at hand at once while they hold, and then the job is announced again', async () => {
		const { next, others, clock, announced } = await stage();
		expect(await next()).toEqual({ who: ids(others[0]), ms: 0 });
		await clock.pass(HOLDS_MS);
		expect(await next()).toEqual({ who: ids(others[0]), ms: 0 });
		expect(announced()).toEqual([]);
		await clock.pass(1);
		expect(await next()).toEqual({ who: [], ms: 800 });
		expect(announced()).toHaveLength(1);
	});

	it('come without the way they came over, which is closed by now', async () => {
		const { scene, others, hired } = await stage();
		const heard = { ...others[0].bid, line: { channel: others[0].channel, inbox: hired.inbox } };
		const ranked = { job: scene.job, choices: [{ heard, reason: '' }], announcements: [] };
		const spares = new Spares({ ranked, tried: new Set() }, scene.wish, scene.ports);
		spares.hired(hired);
		expect((await spares.next([], [], never))[0]?.heard).toStrictEqual(others[0].bid);
	});

	it('are of no use before anybody has the job', async () => {
		const { next } = await stage({ free: true });
		expect(await next()).toEqual({ who: [], ms: 800 });
	});

	it('of who had its try, has the job, took it, refused it or lost it are none', async () => {
		const three = [{ pricePer1k: 1 }, { pricePer1k: 2 }, { pricePer1k: 3 }];
		const { next, others, spares, hired } = await stage({ bids: three, tried: [0] });
		expect((await next()).who).toEqual(ids(others[1], others[2]));
		spares.refused(others[1].bid.executor);
		expect((await next()).who).toEqual(ids(others[2]));
		spares.tried(others[2].bid.executor);
		expect((await next()).who).toEqual([]);
		spares.lost(hired);
		expect((await next()).who).toEqual([]);
	});

	it('of the account that was lost come last', async () => {
		const bids = [{ pricePer1k: 1 }, { pricePer1k: 2 }];
		const { next, others, spares, hired } = await stage({ bids, accounts: ['leader'] });
		expect((await next()).who).toEqual(ids(others[0], others[1]));
		spares.lost(hired);
		expect((await next()).who).toEqual(ids(others[1], others[0]));
	});

	it('as old as one that was not open any more stand no more either', async () => {
		const { next, others, spares, scene, clock, bids } = await stage();
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
			const { spares, clock } = await stage({ policy: { maxPrice } });
			expect(await clock.until(spares.next([], parts, never))).toHaveLength(found);
		}
		// Without a receipt a part costs the prompt, at its longest, and what was acknowledged.
		const owed = priceOf(
			1_000,
			mostPromptTokens({ turns: [{ role: 'user', content: 'how does fireweed grow back' }], continueFrom: [] }) + 5
		);
		const { spares, clock } = await stage({ policy: { maxPrice: priceOf(100_000, 164) + owed } });
		const part = { pricePer1k: 1_000, startPosition: 0, answerTokens: 5, price: undefined };
		expect(await clock.until(spares.next([], [part], never))).toHaveLength(1);
		expect(await clock.until(spares.next([], [{ ...part, pricePer1k: 2_000 }], never))).toHaveLength(0);
	});
});

describe('epochs', () => {
	it('rise after that of whoever has the job, however late it is told', async () => {
		const { spares, leader } = await stage();
		expect([spares.nextEpoch(), spares.nextEpoch()]).toEqual([4, 5]);
		spares.hired(await leader.hire({ epoch: 2 }));
		expect(spares.nextEpoch()).toBe(6);
		spares.hired(await leader.hire({ epoch: 9 }));
		expect(spares.nextEpoch()).toBe(10);
	});
	it('leave room for those a page that is gone may have given', async () => {
		const { spares, leader, hired } = await stage();
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
		const { spares, clock, announced } = await stage();
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
		const { spares, clock, announced, scene } = await stage({ bids: [], wish: { model: undefined } });
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
		const { spares, clock, announced } = await stage({ bids: [], wish: { model: undefined }, free: true });
		spares.warm([]);
		await clock.pass(0);
		expect(announced()[0]?.body.model).toBeUndefined();
	});
});

describe('when nobody is at hand', () => {
	it('the first bid is waited for, and a moment longer for a better one', async () => {
		const { scene, next, bids, clock, announced } = await stage({ bids: [] });
		const dear = await scene.player();
		const cheap = await scene.player();
		const late = await scene.player();
		clock.at(100, () => void bids(dear, announced()[0] as never, { pricePer1k: 500_000 }));
		clock.at(140, () => void bids(cheap));
		clock.at(400, () => void bids(late, undefined, { pricePer1k: 1 }));
		const { who, ms } = await next();
		expect(who).toEqual(ids(cheap, dear));
		// There and back takes 20 to 30 ms here.
		expect(ms).toBeGreaterThanOrEqual(180);
		expect(ms).toBeLessThanOrEqual(190);
	});

	it('nobody is there after 800 ms, or 300 when they could have come already', async () => {
		const { next, clock, announced } = await stage({ bids: [] });
		await clock.pass(1_000);
		expect(await next()).toEqual({ who: [], ms: 800 });
		await clock.pass(9_199);
		expect(await next()).toEqual({ who: [], ms: 300 });
		expect(announced()).toHaveLength(2);
		await clock.pass(10_000 - 300);
		expect(await next()).toEqual({ who: [], ms: 800 });
	});

	it('an end of the job ends the search, and nothing of it is left', async () => {
		const { next, clock, scene, bids } = await stage({ bids: [] });
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
		const { scene, next, clock, outside, bids, spares } = await stage({ bids: [] });
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
		const elsewhere = other.job.announcement as Signed<never>;
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
		const { scene, next } = await stage({ bids: [] });
		scene.asker.mesh.publish = () => Promise.reject(new Refusal('relay-unavailable'));
		expect(await next()).toEqual({ who: [], ms: 800 });
		expect(scene.logged('not-announced')).toStrictEqual([{ code: 'relay-unavailable' }]);
	});

	it('bids are heard once, and not at all after the end', async () => {
		const { scene, next, spares, clock, bids } = await stage({ bids: [] });
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
		const { beside, others, scene } = await stage({ bids });
		expect(await beside()).toEqual({ who: ids(others[2]), ms: 0 });
		const second = await others[2].hire({ epoch: 4 });
		expect((await beside(0, [await (await scene.player()).hire(), second])).who).toEqual([]);
	});

	it('stands rather somebody of another account', async () => {
		const bids = [{ pricePer1k: 1 }, { pricePer1k: 2 }];
		const { beside, others } = await stage({ bids, accounts: ['leader'] });
		expect((await beside()).who).toEqual(ids(others[1], others[0]));
	});

	it('stands who fits the price beside what is promised to them', async () => {
		const policy = { maxPrice: priceOf(100_000, 164) + 50 };
		const { beside, others } = await stage({ policy });
		expect((await beside(50)).who).toEqual(ids(others[0]));
		expect((await beside(51)).who).toEqual([]);
	});

	it('nobody stands where nobody has it', async () => {
		const { beside, announced } = await stage();
		expect(await beside(0, [])).toEqual({ who: [], ms: 0 });
		expect(announced()).toEqual([]);
	});

	it('somebody is looked for by a new announcement, unless there was one lately', async () => {
		const { beside, announced, scene, clock, bids } = await stage({ bids: [] });
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
