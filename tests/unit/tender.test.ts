/** How a lender answers a wish: with a bid that binds it, with when it could, or not at all; and no more often than it can afford. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { Desk } from '#lib/node/desk.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import { OpenBids } from '#lib/node/open-bids.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import { BID_VALID_MS, Tender, type Answer } from '#lib/node/tender.ts';
import type { Engine } from '#lib/ports/engine.ts';
import { commitNonce, jobBid, jobInterest } from '#lib/protocol/bid.ts';
import { openCertificate } from '#lib/protocol/certificate.ts';
import { open } from '#lib/protocol/envelope.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import { MODEL, square, type Square } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
beforeEach(async () => {
	at = await square();
	job = await at.job();
});

/** A lender on the square; what it has and does may be changed while it lends. */
function lending(terms: { region?: string; pricePer1k?: number } = {}) {
	const state = {
		engine: 'ready' as Engine['state'],
		queue: { waitMs: 0 } as { waitMs: number } | { retryMs: number },
		lot: undefined as number | undefined,
		lots: 0,
		revived: 0,
		asked: [] as unknown[]
	};
	const events: ContributeEvent[] = [];
	const bids = new OpenBids(() => at.clock.monotonic());
	const random = {
		bytes: (length: number) => {
			if (length !== 2) return at.ports.random.bytes(length);
			state.lots++;
			const lot = state.lot ?? 0;
			return Uint8Array.of(lot >> 8, lot & 255);
		}
	};
	const outlook: Desk['outlook'] = (wish) => {
		state.asked.push(wish);
		return state.queue;
	};
	const engine = Object.defineProperty({}, 'state', { get: () => state.engine }) as Engine;
	const ports: ExecutorPorts = { ...at.ports, random, engine };
	const full = { pricePer1k: terms.pricePer1k ?? 100_000, region: terms.region };
	const tell = (event: ContributeEvent) => events.push(event);
	const tender = new Tender(ports, full, { outlook } as Desk, bids, tell, () => state.revived++);
	const offering = { model: MODEL, tokensPerSecond: 20.000_6, loadMs: 8_000.2 };
	return {
		...{ state, events, bids, tender, offering },
		gossip: (wish = job) => tender.overGossip(wish.announcement, offering),
		ask: (peer = 'peer', wish = job) => tender.directly(wish.announcement, peer, offering)
	};
}
const bodyOf = async (answer: Answer | undefined) => (await open(jobBid, answer!.bytes, at.seals)).body;
const interestOf = async (answer: Answer | undefined) => (await open(jobInterest, answer!.bytes, at.seals)).body;
const common = () => ({
	...{ job: job.id, announcement: job.announcement.cid, issuedAt: at.clock.now(), extensions: {} }
});
/** How many of these tries are answered. */
async function answered(tries: number, ask: () => Promise<Answer | undefined>): Promise<number> {
	let count = 0;
	for (let i = 0; i < tries; i++) if ((await ask()) !== undefined) count++;
	return count;
}

describe('a bid', () => {
	it('says what it costs and how soon and how fast, and is out from then on', async () => {
		const lender = lending();
		await at.clock.pass(1_234);
		const answer = await lender.ask();
		const body = await bodyOf(answer);
		const nonce = answer?.open?.nonce as Uint8Array;
		expect(nonce).toHaveLength(32);
		expect(body).toStrictEqual({
			...common(),
			...{ model: MODEL, pricePer1k: 100_000, firstTokenMs: 800, milliTokensPerSecond: 20_001 },
			...{ addresses: ['/memory/here'], nonceCommitment: commitNonce(nonce), validMs: BID_VALID_MS }
		});
		expect(answer?.open).toMatchObject({ announcement: job.announcement, model: MODEL, madeAt: 1_234 });
		expect(lender.bids.take(job.hex, answer!.open!.bid.cid)).toBe(answer?.open);
		const signed = await open(jobBid, answer!.bytes, at.seals);
		const { account } = await openCertificate(signed, at.seals, at.clock.now());
		expect([signed.signer, account]).toEqual([at.ports.identity.node.publicKey, at.ports.identity.accountKey]);
		expect(lender.state.asked).toEqual([job.announcement.body]);
		expect(lender.events).toEqual([{ type: 'considered', job: job.hex, verdict: 'bid' }]);
		expect((await lender.ask())?.open?.nonce).not.toEqual(nonce);
	});

	it('says how long others come first, where it is; and eight addresses at most', async () => {
		const lender = lending({ region: 'Porto' });
		lender.state.queue = { waitMs: 1 };
		at.ways.own = Array.from({ length: 9 }, (_, i) => `/memory/${i}`);
		expect(await bodyOf(await lender.ask())).toMatchObject({
			...{ waitMs: 1, firstTokenMs: 801, region: 'Porto', addresses: at.ways.own.slice(0, 8) }
		});
	});

	it('is made while the engine works on something else, too', async () => {
		const lender = lending();
		lender.state.engine = 'busy';
		expect([(await lender.ask())?.open, lender.state.revived]).toEqual([expect.anything(), 0]);
	});
});

describe('a wish that cannot be answered with a bid', () => {
	it('hears when the model will be loaded; what computes and has died is brought back', async () => {
		for (const state of ['loading', 'idle', 'dead'] as unknown as readonly Engine['state'][]) {
			const lender = lending();
			lender.state.engine = state;
			const said = await interestOf(await lender.ask());
			expect(said).toStrictEqual({ ...common(), model: 'small', readyInMs: 8_001 });
			expect(lender.events).toEqual([{ type: 'considered', job: job.hex, verdict: 'interest' }]);
			expect([lender.state.revived, lender.bids.size]).toEqual([1, 0]);
		}
	});

	it('hears that there is no room, and when there may be', async () => {
		const lender = lending();
		lender.state.queue = { retryMs: 4_000 };
		const answer = await lender.ask();
		expect(await interestOf(answer)).toStrictEqual({ ...common(), model: 'small', readyInMs: 4_000, why: 'busy' });
		const signed = await open(jobInterest, answer!.bytes, at.seals);
		expect(await openCertificate(signed, at.seals, at.clock.now())).toBeDefined();
	});

	it('hears no longer time than a message can say, however long the model took to load', async () => {
		const lender = lending();
		lender.state.engine = 'loading';
		const asleep = { ...lender.offering, loadMs: 8 * 3_600_000 };
		const answer = await lender.tender.directly(job.announcement, 'peer', asleep);
		expect((await interestOf(answer)).readyInMs).toBe(3_600_000);
	});

	it('hears nothing when this lender would not take it, which is told at home', async () => {
		const lender = lending({ pricePer1k: 10_000_001 });
		expect([await lender.ask(), await lender.gossip()]).toEqual([undefined, undefined]);
		const considered = { type: 'considered', job: job.hex, verdict: 'decline' };
		expect(lender.events).toEqual([considered, considered]);
	});

	it('hears nothing when it is too old or out of the future, and nothing is told of it', async () => {
		const lender = lending();
		await at.clock.pass(CLOCK_SKEW_MS);
		expect(await lender.ask()).toBeDefined();
		await at.clock.pass(1);
		expect([await lender.ask(), await lender.gossip()]).toEqual([undefined, undefined]);
		const { announcement } = job;
		const ahead = (ms: number) => {
			const body = { ...announcement.body, issuedAt: at.clock.now() + ms };
			return { ...job, announcement: { ...announcement, body } };
		};
		expect(await lender.ask('peer', ahead(CLOCK_SKEW_MS))).toBeDefined();
		expect(await lender.ask('peer', ahead(CLOCK_SKEW_MS + 1))).toBeUndefined();
		expect(lender.events).toHaveLength(2);
	});
});

describe('over gossip', () => {
	it('sixty-four are answered at once, and then one in forty milliseconds', async () => {
		const lender = lending();
		expect(await answered(70, () => lender.gossip())).toBe(64);
		await at.clock.pass(39);
		expect(await answered(3, () => lender.gossip())).toBe(0);
		await at.clock.pass(1);
		expect(await answered(3, () => lender.gossip())).toBe(1);
		await at.clock.pass(120);
		expect(await answered(9, () => lender.gossip())).toBe(3);
	});

	it('what is not answered costs nothing of that', async () => {
		const dear = lending({ pricePer1k: 10_000_001 });
		await answered(80, () => dear.gossip());
		expect(dear.events).toHaveLength(80);
		const lender = lending();
		at.stated.all = Array.from({ length: 99 }, (_, i) => `p${i}`);
		lender.state.lot = 65_535;
		expect(await answered(80, () => lender.gossip())).toBe(0);
		expect(lender.bids.size).toBe(0);
		lender.state.lot = 0;
		expect(await answered(70, () => lender.gossip())).toBe(64);
	});

	it('a bid is made by about sixteen of all, drawn by lot', async () => {
		const lender = lending();
		at.stated.all = Array.from({ length: 15 }, (_, i) => `p${i}`);
		lender.state.lot = 65_535;
		expect([await lender.gossip(), lender.state.lots]).toEqual([expect.anything(), 0]);
		at.stated.all = [...at.stated.all, 'one more'];
		// 16 of 17 of 65,536 are 61,680.9.
		lender.state.lot = 61_680;
		expect(await lender.gossip()).toBeDefined();
		lender.state.lot = 61_681;
		expect(await lender.gossip()).toBeUndefined();
		at.stated.all = Array.from({ length: 31 }, (_, i) => `p${i}`);
		lender.state.lot = 32_767;
		expect(await lender.gossip()).toBeDefined();
		lender.state.lot = 32_768;
		expect(await lender.gossip()).toBeUndefined();
		expect(lender.state.lots).toBe(4);
	});

	it('that there is no room is said by about four of all', async () => {
		const lender = lending();
		lender.state.queue = { retryMs: 4_000 };
		lender.state.lot = 65_535;
		at.stated.all = ['a', 'b', 'c'];
		expect(await lender.gossip()).toBeDefined();
		at.stated.all = ['a', 'b', 'c', 'd'];
		lender.state.lot = 52_428;
		expect(await lender.gossip()).toBeDefined();
		lender.state.lot = 52_429;
		expect(await lender.gossip()).toBeUndefined();
	});

	it('all are those that offer the model; while it is not known who does, everybody answers', async () => {
		const lender = lending();
		lender.state.lot = 65_535;
		const named = await at.job({ model: 'small' });
		expect(await lender.gossip(named)).toBeDefined();
		expect(await lender.gossip()).toBeDefined();
		expect(at.stated.askedOf).toEqual(['small', undefined]);
		expect(lender.state.lots).toBe(0);
	});
});

describe('directly', () => {
	/** Wishes of these that were weighed, at this moment. */
	async function weighed(lender: ReturnType<typeof lending>, peer: string, tries: number): Promise<number> {
		const before = lender.events.length;
		for (let i = 0; i < tries; i++) await lender.ask(peer);
		return lender.events.length - before;
	}

	/** So many others ask, one after the other, as often as all together may. */
	async function others(lender: ReturnType<typeof lending>, count: number): Promise<void> {
		for (let i = 0; i < count; i++) {
			await at.clock.pass(40);
			await lender.ask(`other ${i}`);
		}
	}

	it('one node is answered eight times at once and then every two seconds, without a lot', async () => {
		const lender = lending();
		at.stated.all = Array.from({ length: 999 }, (_, i) => `p${i}`);
		lender.state.lot = 65_535;
		expect(await answered(10, () => lender.ask('one'))).toBe(8);
		expect(await answered(10, () => lender.ask('two'))).toBe(8);
		await at.clock.pass(1_999);
		expect(await answered(3, () => lender.ask('one'))).toBe(0);
		await at.clock.pass(1);
		expect(await answered(3, () => lender.ask('one'))).toBe(1);
		expect(lender.state.lots).toBe(0);
	});

	it('all of them are answered sixty-four times at once, and a flood over gossip takes none of that', async () => {
		const lender = lending();
		expect(await answered(70, () => lender.gossip())).toBe(64);
		let next = 0;
		const anybody = () => lender.ask(`peer ${next++}`);
		expect(await answered(70, anybody)).toBe(64);
		await at.clock.pass(39);
		expect(await answered(2, anybody)).toBe(0);
		await at.clock.pass(1);
		expect(await answered(2, anybody)).toBe(1);
	});

	it('what is declined counts too, or asking would cost nothing', async () => {
		const lender = lending({ pricePer1k: 10_000_001 });
		expect(await weighed(lender, 'one', 10)).toBe(8);
		for (let i = 0; i < 56; i++) await lender.ask(`other ${i}`);
		expect(await weighed(lender, 'new', 1)).toBe(0);
	});

	it('two hundred and fifty-six are remembered, and of one more the one that asked least lately is forgotten', async () => {
		for (const [count, again] of [
			[255, 5],
			[256, 8]
		] as const) {
			const lender = lending({ pricePer1k: 10_000_001 });
			expect(await weighed(lender, 'first', 8)).toBe(8);
			await others(lender, count);
			// Five came back in ten seconds; one who is not remembered has all.
			expect(await weighed(lender, 'first', 9)).toBe(again);
			job = await at.job();
		}
		const lender = lending({ pricePer1k: 10_000_001 });
		await weighed(lender, 'first', 7);
		await weighed(lender, 'second', 8);
		expect(await weighed(lender, 'first', 1)).toBe(1);
		await others(lender, 255);
		// The second asked before the first did for the last time.
		expect(await weighed(lender, 'first', 9)).toBe(5);
		expect(await weighed(lender, 'second', 9)).toBe(8);
	});
});
