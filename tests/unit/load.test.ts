/** Who gets the engine next, who waits, who is told to come back: the pure parts, and what their cheats gain. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askAgainIn, FLOOR_MS, MAX_AGAIN, MAX_PATIENCE_MS } from '#lib/market/again.ts';
import { left, readyInMs, spend } from '#lib/market/allowance.ts';
import {
	isKnown,
	KNOWN_LOSS,
	kept,
	lost,
	MAX_KNOWN,
	NEWCOMERS,
	NOBODY,
	pauseOf,
	STRANGER_LOSS,
	STRANGERS_LOSS,
	type Askers
} from '#lib/market/askers.ts';
import {
	begin,
	EMPTY,
	end,
	enter,
	head,
	leave,
	MAX_RETRY_MS,
	MAX_WAITING,
	MAX_WAITING_KNOWN,
	MAX_WAITING_STRANGER,
	MAX_WAITING_STRANGERS,
	MAX_WAIT_MS,
	MIN_RETRY_MS,
	waitOf,
	type Queue,
	type Request,
	type Share
} from '#lib/market/queue.ts';
import { Inbox } from '#lib/node/inbox.ts';
import { OpenBids, MAX_OPEN_BIDS, type OpenBid } from '#lib/node/open-bids.ts';
import { BID_VALID_MS } from '#lib/node/tender.ts';
import { toHex, type Link } from '#lib/protocol/encode.ts';
import { request } from '../fixtures/market.ts';

/** Lets in whoever fits. */
const filled = (requests: readonly Request[], queue: Queue = EMPTY, now = 0): Queue =>
	requests.reduce((so, each) => {
		const entry = enter(so, each, now);
		return entry.type === 'entered' ? entry.queue : so;
	}, queue);

describe('an allowance', () => {
	it('never holds more than its burst, comes back with time, and minds no clock that goes back', () => {
		fc.assert(
			fc.property(
				fc.array(fc.tuple(fc.integer({ min: -1_000, max: 5_000 }), fc.integer({ min: 0, max: 50 }))),
				(steps) => {
					const pace = { burst: 100, perMs: 0.01 };
					let now = 0;
					let allowance = spend(undefined, pace, 0, now);
					for (const [passed, cost] of steps) {
						now += passed;
						const before = left(allowance, pace, now);
						expect(before).toBeLessThanOrEqual(pace.burst);
						allowance = spend(allowance, pace, cost, now);
						expect(left(allowance, pace, now)).toBeCloseTo(before - cost, 6);
						const wait = readyInMs(allowance, pace, 10, now);
						expect(left(allowance, pace, now + wait)).toBeGreaterThanOrEqual(10 - 1e-6);
						if (wait > 0) expect(left(allowance, pace, now + wait - 2)).toBeLessThan(10);
					}
				}
			)
		);
	});
});

describe('the queue', () => {
	it('serves own devices first, and between the others whoever had least', () => {
		const mine = request('laptop', 'own', { rank: 'own' });
		const [a, b] = [request('a'), request('b')];
		let queue = filled([a, b, mine]);
		expect(head(queue)).toBe(mine);
		queue = end(begin(queue, 0), 1_000);
		// Own time is nobody's charge; a came first.
		expect(head(queue)).toBe(a);
		queue = end(begin(queue, 1_000), 2_000);
		queue = filled([request('a')], queue);
		expect(head(queue)).toBe(b);
	});

	it('bounds who may wait: all, one known node, all strangers, one stranger', () => {
		const many = (length: number, make: (i: number) => Request) => filled(Array.from({ length }, (_, i) => make(i)));
		expect(many(50, (i) => request(`a${i}`)).waiting).toHaveLength(MAX_WAITING);
		expect(many(50, () => request('a')).waiting).toHaveLength(MAX_WAITING_KNOWN);
		expect(many(50, (i) => request(`p${i}`, 'strangers')).waiting).toHaveLength(MAX_WAITING_STRANGERS);
		expect(many(50, () => request('p', 'strangers')).waiting).toHaveLength(MAX_WAITING_STRANGER);
	});

	it('gives the place of one who had much to one who had nothing, and tells it when to come back', () => {
		let queue = EMPTY;
		for (let i = 0; i < 3; i++) queue = end(begin(filled([request('greedy')], queue), i * 1_000), (i + 1) * 1_000);
		const others = Array.from({ length: MAX_WAITING - 1 }, (_, i) => request(`a${i}`));
		const last = request('greedy');
		queue = filled([last, ...others], queue);
		const entry = enter(queue, request('new'), 3_000);
		expect(entry).toMatchObject({ type: 'entered', displaced: last });
		// The other way round nothing is gained.
		expect(enter(filled([request('b')], leave(queue, last.id)), request('greedy'), 3_000)).toMatchObject({
			type: 'refused',
			why: 'full'
		});
	});

	it('lets in nobody who would wait too long, or past its own deadline', () => {
		const queue = begin(filled([request('a', 'known', { workMs: MAX_WAIT_MS * 2 })]), 0);
		expect(enter(queue, request('b'), 0)).toMatchObject({ type: 'refused', why: 'full' });
		expect(enter(queue, request('b'), MAX_WAIT_MS * 2)).toMatchObject({ type: 'entered' });
		const busy = begin(filled([request('a', 'known', { workMs: 5_000 })]), 0);
		expect(enter(busy, request('b', 'known', { until: 5_500 }), 0)).toMatchObject({ type: 'refused', why: 'too-late' });
	});

	const anything = fc.record({
		share: fc.constantFrom<Share[]>('own', 'known', 'strangers'),
		from: fc.constantFrom('p', 'q', 'r', 's', 't', 'u'),
		rank: fc.constantFrom('own' as const, 'paid' as const, 'free' as const),
		workMs: fc.integer({ min: 1, max: 40_000 })
	});

	it('whatever comes: bounded, nobody twice, waits as said when nobody else comes, retry times within bounds', () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(anything, fc.boolean()), { maxLength: 120 }), (steps) => {
				let queue = EMPTY;
				let now = 0;
				for (const [what, works] of steps) {
					const one = request(what.from, what.share, what);
					const entry = enter(queue, one, now);
					if (entry.type === 'refused') {
						expect(entry.retryMs).toBeGreaterThanOrEqual(MIN_RETRY_MS);
						expect(entry.retryMs).toBeLessThanOrEqual(MAX_RETRY_MS);
					} else {
						queue = entry.queue;
						expect(waitOf(queue, one, now)).toBeLessThanOrEqual(MAX_WAIT_MS);
					}
					queue = begin(queue, now);
					expect(queue.waiting.length).toBeLessThanOrEqual(MAX_WAITING);
					expect(new Set(queue.waiting.map(({ id }) => id)).size).toBe(queue.waiting.length);
					if (works && queue.running !== undefined) {
						now += queue.running.request.workMs;
						queue = end(queue, now);
					}
				}
				// Nobody starves: with nobody new, all who wait are served, each when it was told.
				const said = new Map(queue.waiting.map((each) => [each.id, now + waitOf(queue, each, now)]));
				for (let left = queue.waiting.length + 1; left > 0; left--) {
					queue = begin(queue, now);
					const { running } = queue;
					if (running === undefined) break;
					const expected = said.get(running.request.id);
					if (expected !== undefined) expect(running.since).toBeCloseTo(expected, 6);
					now = Math.max(now, running.since + running.request.workMs);
					queue = end(queue, now);
				}
				expect(queue.waiting).toEqual([]);
			}),
			{ numRuns: 300 }
		);
	});

	it('divides the engine evenly among nodes that always want it, however long their jobs and however often they ask', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 2, max: 5 }),
				fc.array(fc.integer({ min: 100, max: 4_000 }), { minLength: 5, maxLength: 5 }),
				(nodes, lengths) => {
					let queue = EMPTY;
					let now = 0;
					const had = new Map<string, number>();
					const names = Array.from({ length: nodes }, (_, i) => `a${i}`);
					for (let turn = 0; turn < 400; turn++) {
						for (const [i, name] of names.entries()) {
							const workMs = lengths[i] as number;
							// The first asks ten times as often.
							const asked = Array.from({ length: i === 0 ? 10 : 1 }, () => request(name, 'known', { workMs }));
							queue = filled(asked, queue, now);
						}
						queue = begin(queue, now);
						const { running } = queue;
						if (running === undefined) throw new Error('nobody runs');
						now += running.request.workMs;
						had.set(running.request.from, (had.get(running.request.from) ?? 0) + running.request.workMs);
						queue = end(queue, now);
					}
					const each = names.map((name) => had.get(name) ?? 0);
					// One job of the longest kind is the most by which fair shares can differ.
					expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(2 * Math.max(...lengths));
				}
			),
			{ numRuns: 40 }
		);
	});

	it('leaves strangers a quarter and those who are known three, however many there are, and gives who pays four times what is free', () => {
		const share = (first: (turn: number) => Request, second: () => Request) => {
			let queue = EMPTY;
			let now = 0;
			const had = [0, 0];
			for (let turn = 0; turn < 500; turn++) {
				const [one, other] = [first(turn), second()];
				queue = filled([one, other], queue);
				queue = begin(queue, now);
				now += 1_000;
				had[queue.running?.request.from === other.from ? 1 : 0]! += 1;
				queue = end(queue, now);
			}
			return (had[0] as number) / (had[1] as number);
		};
		expect(
			share(
				(turn) => request(`p${turn}`, 'strangers'),
				() => request('a')
			)
		).toBeCloseTo(1 / 3, 1);
		expect(
			share(
				(turn) => request(`a${turn}`),
				() => request('p', 'strangers')
			)
		).toBeCloseTo(3, 0);
		expect(
			share(
				() => request('paying'),
				() => request('a', 'known', { rank: 'free' })
			)
		).toBeCloseTo(4, 0);
	});

	it('forgets without bound on time: two thousand askers leave a bounded memory', () => {
		let queue = EMPTY;
		for (let i = 0; i < 2_000; i++) queue = end(begin(filled([request(`a${i}`)], queue), i), i + 10);
		expect(queue.had.size).toBeLessThanOrEqual(512);
		expect(queue.clocks.size).toBeLessThanOrEqual(513);
	});
});

describe('whom an executor knows', () => {
	it('is whose job was acknowledged to the end', () => {
		expect(isKnown(NOBODY, 'p')).toBe(false);
		const askers = kept(NOBODY, 'p', 0);
		expect(isKnown(askers, 'p')).toBe(true);
		expect(isKnown(askers, 'another node of the same person')).toBe(false);
	});

	it('grows slowly: a hundred fresh nodes get eight shares, then one a minute, and never more than there are', () => {
		let askers = NOBODY;
		for (let i = 0; i < 100; i++) askers = kept(askers, `a${i}`, 0);
		expect(askers.known.size).toBe(NEWCOMERS.burst);
		for (let i = 0; i < 2_000; i++) askers = kept(askers, `b${i}`, 60_000 * i);
		expect(askers.known.size).toBe(MAX_KNOWN);
	});

	it('a known node that goes on wasting is known no longer', () => {
		let askers = kept(NOBODY, 'a', 0);
		askers = lost(askers, 'a', KNOWN_LOSS.burst / 2, 0);
		expect(isKnown(askers, 'a')).toBe(true);
		askers = lost(askers, 'a', KNOWN_LOSS.burst / 2, 0);
		expect(isKnown(askers, 'a')).toBe(false);
	});

	it('any number of strangers waste at most a burst and a quarter of the time', () => {
		fc.assert(
			fc.property(fc.integer({ min: 200, max: 12_000 }), fc.integer({ min: 1, max: 200 }), (costs, nodes) => {
				let askers: Askers = NOBODY;
				let now = 0;
				let wasted = 0;
				const HOUR = 3_600_000;
				for (let i = 0; now < HOUR; i++) {
					const who = `p${i % nodes}`;
					const pause = pauseOf(askers, who, now);
					if (pause > 0) {
						now += Math.min(pause, 1_000);
						continue;
					}
					now += costs;
					wasted += costs;
					askers = lost(askers, who, costs, now);
				}
				expect(wasted).toBeLessThanOrEqual(STRANGERS_LOSS.burst + STRANGERS_LOSS.perMs * now + 12_000);
				expect(askers.strangers.size).toBeLessThanOrEqual(256);
			}),
			{ numRuns: 20 }
		);
	});

	it('a known node is not stopped by what strangers waste', () => {
		let askers = kept(NOBODY, 'a', 0);
		for (let i = 0; i < 20; i++) askers = lost(askers, `p${i}`, STRANGER_LOSS.burst, 0);
		expect(pauseOf(askers, 'p99', 0)).toBeGreaterThan(0);
		expect(pauseOf(askers, 'a', 0)).toBe(0);
	});
});

describe('asking again', () => {
	it('ends, never comes sooner than its floor, and is spread', () => {
		fc.assert(
			fc.property(
				fc.double({ min: 0, max: 1e12, noNaN: true }),
				fc.double({ min: 0, max: 0.999, noNaN: true }),
				(said, chance) => {
					let waitedMs = 0;
					let times = 0;
					for (;;) {
						const ms = askAgainIn({ times, waitedMs }, said, chance);
						if (ms === undefined) break;
						expect(ms).toBeGreaterThanOrEqual(Math.max(FLOOR_MS * 2 ** Math.max(0, times - 1), said));
						waitedMs += ms;
						times++;
					}
					expect(times).toBeLessThanOrEqual(MAX_AGAIN);
					expect(waitedMs).toBeLessThanOrEqual(MAX_PATIENCE_MS);
				}
			)
		);
		expect(askAgainIn({ times: 0, waitedMs: 0 }, 4_000, 0)).toBe(4_000);
		expect(askAgainIn({ times: 0, waitedMs: 0 }, 4_000, 0.5)).toBe(5_000);
	});
});

describe('bids that are out', () => {
	const stamp = (i: number) => new Uint8Array(16).fill(i >> 8, 0, 8).fill(i & 255, 8);
	/** Stands for a CID: its text is all that is asked of it. */
	const named = (name: string) => ({ toString: () => name }) as unknown as Link;
	const openBid = (i: number, madeAt: number, name = `bid ${i}`) =>
		({ madeAt, bid: { cid: named(name), body: { job: stamp(i), validMs: BID_VALID_MS } } }) as unknown as OpenBid;

	it('stand beside each other for one job: its asker takes the one it heard, and all are taken with it', () => {
		const bids = new OpenBids(() => 0);
		const job = toHex(stamp(7));
		for (const name of ['old', 'new']) bids.add(openBid(7, 0, name));
		expect(bids.take(job, named('old'))?.bid.cid.toString()).toBe('old');
		expect(bids.take(job, named('new'))).toBeUndefined();
		for (const name of ['old', 'new']) bids.add(openBid(7, 0, name));
		// Terms that it never had are compared with its newest, and refused by name.
		expect(bids.take(job, named('another'))?.bid.cid.toString()).toBe('new');
	});

	it('are taken once, run out, and in a flood the oldest goes, never the newest', () => {
		let now = 0;
		const bids = new OpenBids(() => now);
		for (let i = 0; i < 3 * MAX_OPEN_BIDS; i++) {
			const newest = openBid(i, now);
			bids.add(newest);
			expect(bids.size).toBe(Math.min(i + 1, MAX_OPEN_BIDS));
		}
		expect(bids.take(toHex(stamp(0)), named(''))).toBeUndefined();
		expect(bids.take(toHex(stamp(2 * MAX_OPEN_BIDS - 1)), named(''))).toBeUndefined();
		expect(bids.take(toHex(stamp(2 * MAX_OPEN_BIDS)), named(''))).toBeDefined();
		const last = toHex(stamp(3 * MAX_OPEN_BIDS - 1));
		expect(bids.take(last, named(''))).toBeDefined();
		expect(bids.take(last, named(''))).toBeUndefined();
		now = BID_VALID_MS;
		expect(bids.size).toBe(0);
	});
});

it('waits at least as long as a clock with fractions can tell: a wait of nothing would be repeated for ever', async () => {
	const slept: number[] = [];
	const clock = {
		now: () => 0,
		monotonic: () => 13_972.918746114521,
		sleep: async (ms: number) => void slept.push(ms)
	};
	const inbox = new Inbox<true>(clock);
	expect(await inbox.take(1e-12)).toBeUndefined();
	expect(slept).toEqual([1]);
});
