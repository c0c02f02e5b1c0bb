/** A wish is published and bids are heard while its window is open: when it is said again, and when the window closes. */
import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { BID_WINDOW_MS, type AnnouncedJob } from '#lib/node/announce.ts';
import { collectBids, NOBODY_MS, type RankedJob, type Round } from '#lib/node/bidding.ts';
import type { MeshEvent } from '#lib/ports/mesh.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { open } from '#lib/protocol/envelope.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import { follow, square, type Lender, type Square } from '../doubles/square.ts';

let at: Square;
let job: AnnouncedJob;
let [a, b, c, d] = [] as unknown as [Lender, Lender, Lender, Lender];
beforeEach(async () => {
	at = await square();
	job = await at.job();
	[a, b, c, d] = await Promise.all([at.lender(1), at.lender(2), at.lender(3), at.lender(4)]);
});
const never = new AbortController().signal;
const ROUND: Round = { except: new Set(), explore: false, nobodyMs: NOBODY_MS, already: [] };
const collect = (round?: Partial<Round>, signal = never) =>
	follow(at.clock, collectBids(job, at.ports, signal, round && { ...ROUND, ...round }));
/** Comes over the topic at that time. */
const says = (ms: number, { bytes }: { readonly bytes: Uint8Array }) => void at.clock.at(ms, () => at.ways.say(bytes));
const happens = (ms: number, event: MeshEvent) => void at.clock.at(ms, () => at.ways.emit(event));
const who = (value: RankedJob | undefined) => value?.choices.map(({ heard }) => heard.executor);
const bidOf = ({ peer }: Lender, pricePer1k = 100_000) => ({ type: 'bid', executor: peer, pricePer1k });
const publishedAt = () => at.ways.published.map((each) => each.at);

describe('the window', () => {
	it('closes after 200 ms, and what came until then is ranked, best first', async () => {
		says(10, await a.bid(job, { milliTokensPerSecond: 5_000 }));
		says(199, await b.bid(job, { pricePer1k: 99_000 }));
		says(201, await c.bid(job));
		const { value, ms, events } = await collect();
		expect(ms).toBe(BID_WINDOW_MS);
		expect(events).toEqual([
			[0, { type: 'announced', job: job.hex }],
			[10, bidOf(a)],
			[199, bidOf(b, 99_000)]
		]);
		expect(who(value)).toEqual([b.peer, a.peer]);
		expect([value?.job, value?.announcements]).toEqual([job, [job.announcement]]);
		expect(at.ways.published).toEqual([{ topic: 'fireweed/1/announcements', bytes: job.announcement.bytes, at: 0 }]);
	});

	it('closes at once when three have bid who did well here, and not with two', async () => {
		for (const lender of [a, b, c]) lender.didWell();
		says(10, await a.bid(job));
		says(20, await b.bid(job));
		says(150, await c.bid(job));
		says(160, await d.bid(job));
		const { value, ms } = await collect();
		expect(ms).toBe(150);
		expect(who(value)).toHaveLength(3);
	});

	it('closes at once when all have bid who are known to offer the model, and some of them at least did', async () => {
		at.stated.all = [a.peer, b.peer];
		says(10, await a.bid(job));
		says(20, await c.bid(job));
		says(30, await b.bid(job));
		expect(await collect()).toMatchObject({ ms: 30 });
		expect(new Set(at.stated.askedOf)).toEqual(new Set([undefined]));
		const named = await at.job({ model: 'small' });
		at.stated.askedOf = [];
		at.stated.all = [];
		at.clock.at(at.clock.monotonic() + 40, () => void a.bid(named).then(({ bytes }) => at.ways.say(bytes)));
		expect(await follow(at.clock, collectBids(named, at.ports, never))).toMatchObject({ ms: 40 });
		expect(new Set(at.stated.askedOf)).toEqual(new Set(['small']));
	});

	it('counts what was offered before, which is not told again', async () => {
		for (const lender of [a, b, c]) lender.didWell();
		const already = await Promise.all([a, b].map((lender) => lender.heard(job)));
		says(70, await a.bid(job));
		says(80, await c.bid(job));
		const { value, ms, events } = await collect({ already });
		expect(ms).toBe(80);
		expect(events.slice(1)).toEqual([[80, bidOf(c)]]);
		expect(who(value)).toHaveLength(3);
	});

	it('is as good as closed when the first bid comes after it', async () => {
		says(700, await a.bid(job));
		says(701, await b.bid(job));
		const { value, ms } = await collect();
		expect([ms, who(value)]).toEqual([700, [a.peer]]);
	});

	it('gives nothing when no bid that came may be taken', async () => {
		says(10, await a.bid(job, { pricePer1k: 10_000_001 }));
		expect(await collect()).toMatchObject({ ms: 200, code: 'no-bids' });
	});
});

describe('a wish that nobody answers', () => {
	it('is said again each second under a new stamp, and given up after eight', async () => {
		expect(await collect()).toMatchObject({ ms: 8_000, code: 'no-bids', retryMs: undefined });
		expect(publishedAt()).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000]);
		const [, again] = at.ways.published;
		const said = await open(jobAnnouncement, again!.bytes, at.seals);
		expect(said.body).toStrictEqual({ ...job.announcement.body, issuedAt: at.clock.epoch + 1_000 });
		expect(said.signer).toEqual(job.key.publicKey);
		expect(again?.topic).toBe('fireweed/1/announcements');
	});

	it('is given up as soon as was said', async () => {
		expect(await collect({ nobodyMs: 1_500 })).toMatchObject({ ms: 1_500, code: 'no-bids' });
		expect(publishedAt()).toEqual([0, 1_000]);
	});

	it('has its window after it was said again, and a bid may mean either', async () => {
		at.clock.at(1_050, () => void b.bid(job).then(({ bytes }) => at.ways.say(bytes)));
		at.clock.at(1_060, () => {
			const second = at.ways.published[1]?.bytes as Uint8Array;
			const bid = open(jobAnnouncement, second, at.seals).then(({ cid }) => a.bid(job, { announcement: cid }));
			void bid.then(({ bytes }) => at.ways.say(bytes));
		});
		const { ms, value } = await collect();
		expect(ms).toBe(1_200);
		expect(who(value)).toHaveLength(2);
		expect(value?.announcements).toHaveLength(2);
		expect(value?.announcements[1]?.bytes).toEqual(at.ways.published[1]?.bytes);
	});

	it('is said again once a relay or a peer has come, a window after it was said last', async () => {
		const peer = { id: 'x', path: 'direct', roundTripMs: undefined } as const;
		happens(100, { type: 'peer-up', peer });
		happens(700, { type: 'relay-up', address: '/relay' });
		happens(1_200, { type: 'peer-down', peer: 'x', why: 'closed' });
		happens(1_300, { type: 'relay-down', address: '/relay' });
		await collect({ nobodyMs: 2_600 });
		expect(publishedAt()).toEqual([0, 200, 700, 1_700]);
	});

	it('is not said again while somebody offers', async () => {
		happens(20, { type: 'relay-up', address: '/relay' });
		says(30, await a.bid(job));
		expect(await collect()).toMatchObject({ ms: 200, code: undefined });
		expect(publishedAt()).toEqual([0]);
	});
});

describe('those who are full', () => {
	it('end it after 400 ms, with the shortest time that one of them gave', async () => {
		says(10, await a.interest(job, { why: 'busy', readyInMs: 9_000 }));
		says(20, await b.interest(job, { why: 'busy', readyInMs: 3_000 }));
		says(30, await c.interest(job, { why: 'busy', readyInMs: 4_000 }));
		const { events, ...end } = await collect();
		expect(end).toMatchObject({ ms: 400, code: 'busy', retryMs: 3_000 });
		expect(events).toHaveLength(1);
	});

	it('end it sooner where nobody is waited for as long', async () => {
		says(10, await a.interest(job, { why: 'busy' }));
		expect(await collect({ nobodyMs: 300 })).toMatchObject({ ms: 300, code: 'busy' });
	});

	it('do not end it while somebody loads its model, who is told of', async () => {
		says(10, await a.interest(job, { why: 'busy', readyInMs: 9_000 }));
		says(20, await b.interest(job, { readyInMs: 2_500 }));
		const { events, ...end } = await collect();
		expect(end).toMatchObject({ ms: 8_000, code: 'busy', retryMs: 9_000 });
		expect(events[1]).toEqual([20, { type: 'interest', executor: b.peer, readyInMs: 2_500 }]);
	});

	it('say nothing of those who offer', async () => {
		says(10, await a.interest(job, { why: 'busy' }));
		says(20, await b.bid(job));
		const { value, ms } = await collect();
		expect([ms, who(value)]).toEqual([200, [b.peer]]);
	});

	it('and who only loads is nobody yet', async () => {
		says(10, await a.interest(job));
		expect(await collect()).toMatchObject({ ms: 8_000, code: 'no-bids' });
	});
});

describe('a round', () => {
	it('passes over those who had their try, without looking into what they say', async () => {
		says(10, await a.bid(job));
		says(20, await b.bid(job));
		const checked = at.seals.checked;
		const { value } = await collect({ except: new Set([a.peer]) });
		expect(who(value)).toEqual([b.peer]);
		// Its bid and its certificate.
		expect(at.seals.checked - checked).toBe(2);
	});

	it('passes over what is no bid for this job', async () => {
		says(10, { bytes: Uint8Array.of(1, 2, 3) });
		says(20, await a.bid(await at.job()));
		says(30, await b.bid(job));
		const { value } = await collect();
		expect(who(value)).toEqual([b.peer]);
	});

	it('is ranked at its end, with newcomers first where that was said', async () => {
		for (const explore of [undefined, true, false]) {
			const rank = vi.spyOn(at.registry, 'rank');
			const begun = at.clock.monotonic();
			says(begun + 10, await a.bid(job));
			const { value } = await collect(explore === undefined ? undefined : { explore });
			const heard = value?.choices.map((choice) => choice.heard);
			const { body } = job.announcement;
			expect(rank.mock.calls).toEqual([[heard, body, job.policy, begun + 200, explore ?? false]]);
			rank.mockRestore();
		}
	});

	it('lets only messages be passed on that any node would', async () => {
		const tale = collectBids(job, at.ports, never);
		await at.clock.until(tale.next());
		const [{ topic, judge }] = at.ways.subscribed as [(typeof at.ways.subscribed)[number]];
		expect([topic, at.ways.subscribed.length, at.ways.observers.size]).toEqual(['fireweed/1/bids', 1, 1]);
		const { bytes, signature } = await a.bid(job);
		expect(await judge(bytes, 'x')).toBe('accept');
		const forged = bytes.slice();
		const place = Buffer.from(bytes).indexOf(signature);
		forged.set([(signature[0] ?? 0) ^ 1], place);
		expect(await judge(forged, 'x')).toBe('reject');
		await at.clock.pass(CLOCK_SKEW_MS + 1);
		expect(await judge(bytes, 'x')).toBe('ignore');
		await at.clock.until(tale.return(undefined as never));
		expect([at.ways.subscribed.length, at.ways.observers.size]).toEqual([0, 0]);
	});

	it('that was stopped before publishes nothing', async () => {
		expect(await collect(undefined, AbortSignal.abort())).toMatchObject({ ms: 0, code: 'aborted', events: [] });
		expect([at.ways.published.length, at.ways.subscribed.length, at.ways.observers.size]).toEqual([0, 0, 0]);
	});

	it('ends as soon as it is stopped, and listens to nothing afterwards', async () => {
		const stop = new AbortController();
		says(10, await a.bid(job));
		at.clock.at(50, () => stop.abort());
		expect(await collect(undefined, stop.signal)).toMatchObject({ ms: 50, code: 'aborted' });
		const other = new AbortController();
		const later = at.clock.monotonic();
		says(later + 10, await a.bid(job));
		expect(await collect(undefined, other.signal)).toMatchObject({ ms: 200, code: undefined });
		expect(getEventListeners(other.signal, 'abort')).toEqual([]);
		expect([at.ways.subscribed.length, at.ways.observers.size, at.clock.waiting]).toEqual([0, 0, 0]);
	});
});
