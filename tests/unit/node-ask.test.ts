/** A wish that is said to a few, each over a channel of its own: who is asked and what is shown to whom, when it is enough, and that no way stays open for nothing. */
import { beforeEach, describe, expect, it } from 'vitest';
import { askKnown, type Asked } from '#lib/node/ask.ts';
import type { AnnouncedJob } from '#lib/node/announce.ts';
import type { SignedBid } from '#lib/node/bidding.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { follow, OWN, square, type Lender, type Square, type Told, type Wire } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
let [a, b, c] = [] as unknown as [Lender, Lender, Lender];
beforeEach(async () => {
	at = await square();
	job = await at.job();
	[a, b, c] = await Promise.all([at.lender(1), at.lender(2), at.lender(3)]);
});
const never = new AbortController().signal;
const ask = (signal = never, ports: NodePorts = at.ports): Promise<Told<Asked>> =>
	follow(at.clock, askKnown(job, ports, signal));
/** These did well here and state that they offer. */
function known(...lenders: readonly Lender[]): void {
	for (const lender of lenders) lender.didWell();
	at.stated.offers = lenders.map((lender) => lender.states());
}
/** Once it has heard the wish, this happens at that time. */
function then({ peer }: Lender, ms: number, what: (wire: Wire) => void): void {
	at.ways.to.set(peer, (wire) => {
		wire.far = (message) => {
			if (message === job.announcement.bytes) at.clock.at(ms, () => what(wire));
		};
	});
}
async function bids(lender: Lender, ms: number, change?: Partial<JobBid>): Promise<void> {
	const { bytes } = await lender.bid(job, change);
	then(lender, ms, (wire) => wire.say(bytes));
}
const who = (told: Told<Asked>) => told.value?.offers.map(({ executor }) => executor);
const bidOf = ({ peer }: Lender) => ({ type: 'bid', executor: peer, pricePer1k: 100_000 });
const closed = (...lenders: readonly Lender[]) => lenders.map(({ peer }) => at.ways.wire(peer).aborted > 0);
const codes = () => at.log.map(({ event, facts }) => [event, (facts as { code: string }).code]);

describe('who is asked', () => {
	it('is nobody where nobody is known', async () => {
		at.stated.offers = [a.states()];
		expect(await ask()).toMatchObject({ events: [], ms: 0, value: { offers: [], enough: false } });
		expect(at.ways.opened).toEqual([]);
	});

	it('did well here, is shown the wish and nothing else, and answers over the same way, which stays open', async () => {
		known(a);
		await bids(a, 40);
		const told = await ask();
		expect(told.events).toEqual([
			[0, { type: 'asked', job: job.hex, executors: 1 }],
			[40, bidOf(a)]
		]);
		expect(told.ms).toBe(40);
		expect(at.ways.opened).toMatchObject([{ peer: a.peer, addresses: ['/stated/1'] }]);
		const wire = at.ways.wire(a.peer);
		expect(wire.sent).toEqual([job.announcement.bytes]);
		expect(told.value).toMatchObject({ enough: true, laterMs: undefined });
		expect(told.value?.offers).toMatchObject([{ executor: a.peer, heardAt: 40 }]);
		const { line } = told.value?.offers[0] as SignedBid;
		expect([line?.channel, line?.inbox.idle, wire.aborted, at.log.length]).toEqual([wire, true, 0, 0]);
		// What comes over it is the next page of the same talk.
		wire.say(Uint8Array.of(9));
		await at.clock.pass(0);
		expect(line?.inbox.poll()).toEqual({ type: 'message', bytes: Uint8Array.of(9) });
	});

	it('has not had its try in this job', async () => {
		known(a, b);
		await bids(b, 10);
		const told = await follow(at.clock, askKnown(job, at.ports, never, new Set([a.peer])));
		expect(who(told)).toEqual([b.peer]);
		expect(at.ways.opened.map(({ peer }) => peer)).toEqual([b.peer]);
	});

	it('and answers only people it knows is shown first who asks; nobody else is', async () => {
		const kin = await at.lender(4, OWN);
		at.stated.offers = [a.states({ circle: true }), kin.states({ free: true })];
		await Promise.all([bids(a, 10), bids(kin, 10)]);
		expect(who(await ask())).toHaveLength(2);
		expect(at.ways.wire(a.peer).sent).toEqual([at.ports.identity.certificate, job.announcement.bytes]);
		expect(at.ways.wire(kin.peer).sent).toEqual([job.announcement.bytes]);
	});
});

describe('it is enough', () => {
	/** How long somebody else, who says nothing, is waited for after this bid at 100 ms. */
	async function after(lender: Lender, change?: Partial<JobBid>): Promise<readonly [number, boolean | undefined]> {
		await bids(lender, 100, change);
		then(c, 9_999, () => undefined);
		const { ms, value } = await ask();
		return [ms, value?.enough];
	}

	it('when one of them did well here and begins within three seconds', async () => {
		known(a, c);
		expect(await after(a, { waitMs: 3_000, firstTokenMs: 3_500 })).toEqual([250, true]);
		at = await square();
		job = await at.job();
		[a, c] = await Promise.all([at.lender(1), at.lender(3)]);
		known(a, c);
		expect(await after(a, { waitMs: 3_001, firstTokenMs: 3_500 })).toEqual([1_500, false]);
	});

	it('when it is one’s own, or of people one knows', async () => {
		const kin = await at.lender(4, OWN);
		c.didWell();
		at.stated.offers = [kin.states({ free: true }), c.states()];
		expect(await after(kin)).toEqual([250, true]);
		at = await square();
		job = await at.job();
		[a, c] = await Promise.all([at.lender(1), at.lender(3)]);
		at.stated.offers = [a.states({ circle: true }), c.states({ circle: true })];
		expect(await after(a)).toEqual([250, true]);
	});

	it('and not when it only said that it was one’s own', async () => {
		c.didWell();
		at.stated.offers = [a.states({ free: true }), c.states()];
		expect(await after(a)).toEqual([1_500, false]);
	});

	it('and not when its bid may not be taken', async () => {
		known(a, c);
		expect(await after(a, { pricePer1k: 10_000_001 })).toEqual([1_500, false]);
	});

	it('when all have answered, at once', async () => {
		known(a, b);
		await bids(a, 10);
		await bids(b, 30);
		expect(await ask()).toMatchObject({ ms: 30, value: { enough: true } });
	});
});

describe('others are waited for', () => {
	it('a moment after the first that is enough, which a second does not make longer', async () => {
		known(a, b, c);
		await bids(a, 100);
		await bids(b, 249);
		await bids(c, 251);
		const told = await ask();
		expect([told.ms, who(told)]).toEqual([250, [a.peer, b.peer]]);
		await at.clock.pass(10);
		expect([closed(a, b, c), codes(), at.clock.waiting]).toEqual([[false, false, true], [], 0]);
	});

	it('a second and a half in all, and who has not answered by then did nothing wrong', async () => {
		known(a, b, c);
		await bids(a, 1_450);
		await bids(b, 1_499);
		then(c, 9_999, () => undefined);
		const told = await ask();
		expect([told.ms, who(told)]).toEqual([1_500, [a.peer, b.peer]]);
		await at.clock.pass(0);
		expect([closed(a, b, c), codes()]).toEqual([[false, false, true], []]);
	});

	it('and one that takes nothing is waited for no longer', async () => {
		known(a);
		at.ways.to.set(a.peer, (wire) => {
			wire.taking = () => new Promise(() => undefined);
		});
		expect(await ask()).toMatchObject({ ms: 1_500, value: { offers: [] } });
		await at.clock.pass(1_500);
		expect([closed(a), codes()]).toEqual([[true], []]);
	});

	it('and of two that come at its very end one is taken, and the way to the other closed', async () => {
		known(a, b, c);
		const [second, third] = await Promise.all([b.bid(job), c.bid(job)]);
		await bids(a, 100);
		at.clock.at(250, () => {
			at.ways.wire(b.peer).say(second.bytes);
			at.ways.wire(c.peer).say(third.bytes);
		});
		const told = await ask();
		expect([told.ms, who(told)]).toEqual([250, [a.peer, b.peer]]);
		expect(closed(a, b, c)).toEqual([false, false, true]);
	});

	it('and one whose bid was still being checked at the end is closed', async () => {
		known(a, b);
		await bids(a, 100);
		await bids(b, 200);
		const verify: typeof at.ports.crypto.verify = async (...args) => {
			if (at.clock.monotonic() >= 200) await at.clock.sleep(200);
			return at.seals.verify(...args);
		};
		const told = await ask(never, { ...at.ports, crypto: { verify } });
		expect([told.ms, who(told)]).toEqual([250, [a.peer]]);
		await at.clock.pass(1_000);
		expect(closed(a, b)).toEqual([false, true]);
	});
});

describe('an answer', () => {
	it('that is no bid of the one who was asked is none, and its way is closed', async () => {
		known(a, b);
		const { bytes } = await c.bid(job);
		then(a, 10, (wire) => wire.say(bytes));
		then(b, 20, (wire) => wire.say(Uint8Array.of(1)));
		expect(await ask()).toMatchObject({ ms: 20, value: { offers: [], enough: false, laterMs: undefined } });
		expect([closed(a, b), codes()]).toEqual([[true, true], [['bid-refused', 'malformed']]]);
	});

	it('may be that it could, later: of people one knows the shortest time counts', async () => {
		for (const [readyInMs, soonest] of [
			[3_000, 3_000],
			[6_000, 4_000]
		] as const) {
			at.ways.opened.length = 0;
			at.stated.offers = [a, b, c].map((lender) => lender.states({ circle: true }));
			const [full, loads] = [
				await a.interest(job, { why: 'busy', readyInMs }),
				await b.interest(job, { readyInMs: 4_000 })
			];
			const now = at.clock.monotonic();
			then(a, now + 10, (wire) => wire.say(full.bytes));
			then(b, now + 10, (wire) => wire.say(loads.bytes));
			then(c, now + 10, (wire) => wire.end());
			expect((await ask()).value).toEqual({ offers: [], enough: false, laterMs: soonest });
			expect(closed(a, b, c)).toEqual([true, true, true]);
		}
	});

	it('of one that everybody can ask again says nothing of later', async () => {
		known(a);
		const { bytes } = await a.interest(job, { why: 'busy' });
		then(a, 10, (wire) => wire.say(bytes));
		expect((await ask()).value).toEqual({ offers: [], enough: false, laterMs: undefined });
	});

	it('may be an end of the way, or that there is none, which is noted', async () => {
		known(a, b, c);
		then(a, 10, (wire) => wire.end());
		then(b, 20, (wire) => wire.end('peer-lost'));
		at.ways.to.set(c.peer, () => Promise.reject(new Refusal('limited-connection')));
		expect(await ask()).toMatchObject({ ms: 20, value: { offers: [] } });
		const noted = (code: Code) => ['asked-in-vain', code];
		expect(codes()).toEqual([noted('limited-connection'), noted('channel-closed'), noted('peer-lost')]);
		expect(closed(a, b)).toEqual([true, true]);
	});
});

describe('a stop', () => {
	it('ends it, and every way with it', async () => {
		known(a, b);
		await bids(a, 10);
		then(b, 9_999, () => undefined);
		const stop = new AbortController();
		at.clock.at(50, () => stop.abort());
		expect(await ask(stop.signal)).toMatchObject({ ms: 50, code: 'aborted' });
		await at.clock.pass(0);
		expect([closed(a, b), codes()]).toEqual([[true, true], []]);
	});

	it('while the wish is on its way is heard once that has left', async () => {
		known(a);
		at.ways.to.set(a.peer, (wire) => {
			wire.taking = () => at.clock.sleep(100);
		});
		const stop = new AbortController();
		at.clock.at(50, () => stop.abort());
		expect(await ask(stop.signal)).toMatchObject({ ms: 100, code: 'aborted' });
		expect(closed(a)).toEqual([true]);
	});

	it('while a bid is being checked closes its way too', async () => {
		for (const alone of [true, false]) {
			at = await square();
			job = await at.job();
			[a, b] = await Promise.all([at.lender(1), at.lender(2)]);
			known(...(alone ? [a] : [a, b]));
			await bids(a, 10);
			const stop = new AbortController();
			const verify: typeof at.ports.crypto.verify = async (...args) => {
				stop.abort();
				return at.seals.verify(...args);
			};
			expect(await ask(stop.signal, { ...at.ports, crypto: { verify } })).toMatchObject({ code: 'aborted' });
			await at.clock.pass(0);
			expect(closed(a)).toEqual([true]);
		}
	});

	it('before it opens no way for long', async () => {
		known(a);
		expect(await ask(AbortSignal.abort())).toMatchObject({ ms: 0, code: 'aborted' });
		await at.clock.pass(0);
		expect(at.ways.opened.map(({ signal, wire }) => [signal.aborted, wire?.aborted])).toEqual([[true, 1]]);
	});
});
