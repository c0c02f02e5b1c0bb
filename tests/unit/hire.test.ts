/** One of those who bid is hired: who is tried in which order and how long, who is asked first whether it is there, and what is remembered of those who were not. */
import { beforeEach, describe, expect, it } from 'vitest';
import { whoBid, type RankedJob, type SignedBid } from '#lib/node/bidding.ts';
import { facts, hire, MAX_TRIES } from '#lib/node/hire.ts';
import type { HiredJob } from '#lib/node/hired-job.ts';
import { Inbox, pour, type JobMail } from '#lib/node/inbox.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { read } from '#lib/protocol/envelope.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import { ACCEPTS, hall, refuses, type Hall } from '../doubles/hall.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';
import { follow, Wire, type Told } from '../doubles/square.ts';

let here: Hall;
const set = async (count: number) => void (here = await hall(count));
beforeEach(() => set(3));
const BUSY = refuses('busy', 5_000);

interface How {
	readonly signal?: AbortSignal;
	readonly epoch?: number;
	readonly tried?: Set<string>;
}
const hiring = (who: RankedJob, { signal = new AbortController().signal, epoch, tried }: How = {}) =>
	follow(here.at.clock, hire(who, ORDINARY_WISH, here.at.ports, signal, epoch, tried));
const hired = ({ value }: Told<HiredJob>) =>
	value && [here.numberOf(value.executor.executor), value.assignment.body.epoch];
const codes = () =>
	here.at.log.flatMap(({ event, facts: said }) =>
		event === 'executor-not-hired' ? [(said as { code: Code }).code] : []
	);

describe('the first choice', () => {
	it('is hired, and told of with why', async () => {
		here.does(0, ACCEPTS);
		const who = await here.offers();
		const tried = new Set<string>();
		const told = await hiring(who, { tried });
		const [choice] = who.choices;
		expect(told.events).toEqual([
			[10, { type: 'assigned', executor: facts(choice?.heard as SignedBid), reason: choice?.reason }]
		]);
		expect([hired(told), told.value?.executor, [...tried]]).toEqual([[0, 1], choice?.heard, [here.the(0).peer]]);
		expect([codes(), here.open(), here.remembered()]).toEqual([[], [0], {}]);
		const { body } = read(assignJob, here.at.ways.wire(here.the(0).peer).sent[0] as Uint8Array);
		expect([body.continueFrom, 'seedFrom' in body, body.predecessors]).toEqual([[], false, []]);
		expect(told.value).toMatchObject({ startedFrom: 0, parts: [], deadlineAt: here.job.policy.deadlineMs });
	});

	it('is let go when the reader leaves at that news', async () => {
		here.does(0, ACCEPTS);
		const tale = hire(await here.offers(), ORDINARY_WISH, here.at.ports, new AbortController().signal);
		expect((await here.at.clock.until(tale.next())).value).toMatchObject({ type: 'assigned' });
		expect(here.open()).toEqual([0]);
		await here.at.clock.until(tale.return(undefined as never));
		expect(here.open()).toEqual([]);
	});

	it('goes on after what the wish has already', async () => {
		here.does(0, ACCEPTS);
		const signal = new AbortController().signal;
		const wish = { ...ORDINARY_WISH, continueFrom: [1, 2, 3] };
		const told = await follow(here.at.clock, hire(await here.offers(), wish, here.at.ports, signal, 7));
		expect(told.value?.assignment.body).toMatchObject({ continueFrom: [1, 2, 3], epoch: 7 });
		expect(told.value?.startedFrom).toBe(3);
	});

	it('may let it wait, which is told each time', async () => {
		const queued = (waitMs: number) => ({ state: 'queued', waitMs }) as const;
		here.does(0, { says: [...[10, 3_010].map((ms) => [ms, queued(6_000 - ms)] as const), [5_000, {}]] });
		const { events, ms } = await hiring(await here.offers());
		const waits = (waitMs: number) => ({ type: 'queued', executor: here.the(0).peer, waitMs });
		expect(events.slice(0, 2)).toEqual([
			[10, waits(5_990)],
			[3_010, waits(2_990)]
		]);
		expect([events.length, ms]).toEqual([3, 5_000]);
	});

	it('is let go when the reader leaves its place in the queue, whether it still waits or was accepted meanwhile', async () => {
		for (const pass of [0, 1_000]) {
			await set(1);
			here.does(0, {
				says: [
					[10, { state: 'queued', waitMs: 500 }],
					[500, {}]
				]
			});
			const tale = hire(await here.offers(), ORDINARY_WISH, here.at.ports, new AbortController().signal);
			expect((await here.at.clock.until(tale.next())).value).toMatchObject({ type: 'queued' });
			await here.at.clock.pass(pass);
			expect(here.open()).toEqual([0]);
			await here.at.clock.until(tale.return(undefined as never));
			expect(here.open()).toEqual([]);
		}
	});

	it('that fails while nobody listens is no unhandled failure', async () => {
		here.does(0, { says: [[10, { state: 'queued', waitMs: 500 }], ...(refuses('declined').says ?? []), [20, {}]] });
		const unhandled: unknown[] = [];
		const hear = (reason: unknown) => unhandled.push(reason);
		process.on('unhandledRejection', hear);
		const tale = hire(await here.offers(0), ORDINARY_WISH, here.at.ports, new AbortController().signal);
		expect((await here.at.clock.until(tale.next())).value).toMatchObject({ type: 'queued' });
		await here.at.clock.pass(1_000);
		process.off('unhandledRejection', hear);
		expect(unhandled).toEqual([]);
		await expect(here.at.clock.until(tale.next())).rejects.toMatchObject({ code: 'declined' });
	});
});

describe('where one is full', () => {
	it('the next is tried under the next epoch, without a question before', async () => {
		for (const code of ['busy', 'expired', 'rate-limited'] as const) {
			await set(3);
			here.does(0, refuses(code));
			here.does(1, ACCEPTS);
			const told = await hiring(await here.offers(), { epoch: 4 });
			expect([hired(told), told.ms, here.at.ways.wire(here.the(1).peer).sent.length]).toEqual([[1, 5], 20, 1]);
			expect([codes(), here.remembered(), here.open()]).toEqual([[code], {}, [1]]);
		}
	});

	it('and all the others, it is said when to come back, and they may be tried again', async () => {
		[9_000, 3_000, 4_000].forEach((waitMs, i) => here.does(i, refuses('busy', waitMs)));
		const tried = new Set<string>();
		expect(await hiring(await here.offers(), { tried })).toMatchObject({ code: 'busy', retryMs: 3_000, events: [] });
		expect([[...tried], here.prompted(), here.open()]).toEqual([[], [0, 1, 2], []]);
	});

	it('and does not say for how long, it is asked again in a second', async () => {
		here.does(0, BUSY);
		here.does(1, { way: () => Promise.reject(new Refusal('rate-limited')) });
		here.does(2, refuses('busy', 7_000));
		expect(await hiring(await here.offers())).toMatchObject({ code: 'busy', retryMs: 1_000 });
	});

	it('that counts more than that others declined, who are not tried again', async () => {
		here.does(0, BUSY);
		here.does(1, refuses('declined'));
		const tried = new Set<string>();
		expect(await hiring(await here.offers(0, 1), { tried })).toMatchObject({ code: 'busy', retryMs: 5_000 });
		expect([...tried]).toEqual([here.the(1).peer]);
		expect(codes()).toEqual(['busy', 'declined']);
	});

	it('eight are tried, and no more', async () => {
		await set(MAX_TRIES + 1);
		for (const i of here.lenders.keys()) here.does(i, BUSY);
		expect(await hiring(await here.offers())).toMatchObject({ code: 'busy' });
		expect(here.prompted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
	});
});

it('nobody is hired where nobody offers', async () => {
	expect(await hiring(here.ranked([]))).toMatchObject({ code: 'no-bids', ms: 0, events: [] });
});

describe('patience', () => {
	const slow = (ms: number) => ({ ...ACCEPTS, way: () => here.at.clock.sleep(ms) });

	it('is fifteen seconds for a way to the only one, and five where somebody else offers', async () => {
		here.does(0, slow(14_999));
		expect(hired(await hiring(await here.offers(0)))).toEqual([0, 1]);
		await set(2);
		here.does(0, slow(15_001));
		expect(await hiring(await here.offers(0))).toMatchObject({ code: 'unreachable', ms: 15_000 });
		await set(2);
		here.does(0, slow(4_999));
		expect(hired(await hiring(await here.offers()))).toEqual([0, 1]);
		await set(2);
		here.does(0, slow(5_001));
		here.does(1, { ...ACCEPTS, here: 100 });
		const told = await hiring(await here.offers());
		expect([hired(told), told.ms]).toEqual([[1, 2], 5_110]);
	});

	it('is five seconds for a word of the only one, and two and a half where somebody else offers', async () => {
		expect(await hiring(await here.offers(0))).toMatchObject({ code: 'stalled', ms: 5_000 });
		await set(2);
		here.does(1, { ...ACCEPTS, here: 100 });
		expect((await hiring(await here.offers())).ms).toBe(2_610);
	});
});

describe('after one that failed', () => {
	it('newcomers are asked whether they are there, and only one that answers is shown the prompt', async () => {
		await set(4);
		here.does(0, refuses('declined'));
		here.does(2, { ...ACCEPTS, here: 100 });
		here.does(3, { ...ACCEPTS, here: 120 });
		const tried = new Set<string>();
		const told = await hiring(await here.offers(), { tried });
		expect([hired(told), here.prompted(), tried.size]).toEqual([[2, 2], [0, 2], 4]);
		// A moment for a better answer; the way to whoever was not chosen is closed.
		expect(told.ms).toBe(10 + 250 + 10);
		await here.at.clock.pass(5_000);
		expect([here.open(), codes(), here.remembered()]).toEqual([[2], ['declined'], { 0: 0.5 }]);
		const { sent } = here.at.ways.wire(here.the(2).peer);
		expect(sent[0]).toEqual(here.job.announcement.bytes);
		expect(sent).toHaveLength(2);
	});

	it('four are asked, then eight, then sixteen at a time while none answers', async () => {
		await set(50);
		here.does(0, refuses('declined'));
		const tried = new Set<string>();
		expect(await hiring(await here.offers(), { tried })).toMatchObject({ code: 'declined', ms: 10 + 5 * 1_500 });
		const counts = [0, 10, 1_510, 3_010, 4_510, 6_010].map((ms) => here.opened.filter(([when]) => when === ms).length);
		expect([counts, tried.size, here.prompted()]).toEqual([[1, 4, 8, 16, 16, 5], 50, [0]]);
	});

	it('as many again are asked when one answered and failed too; the last one to fail says why', async () => {
		await set(12);
		here.does(0, refuses('declined'));
		here.does(1, { ...refuses('prompt-too-long'), here: 20 });
		expect(await hiring(await here.offers())).toMatchObject({ code: 'prompt-too-long' });
		const counts = new Map<number, number>();
		for (const [ms] of here.opened) counts.set(ms, (counts.get(ms) ?? 0) + 1);
		expect([...counts.values()]).toEqual([1, 4, 4, 3]);
		expect(here.prompted()).toEqual([0, 1]);
	});

	it('who is known, or has an open way, is not asked again', async () => {
		await set(3);
		here.does(0, refuses('declined'));
		here.does(1, refuses('declined'));
		here.the(0).didWell(2);
		here.the(1).didWell(1);
		const wire = new Wire(here.the(2).peer);
		here.answers(wire, 2, ACCEPTS);
		const inbox = new Inbox<JobMail>(here.at.clock);
		void pour(wire, inbox);
		const line = { channel: wire, inbox };
		const told = await hiring(
			here.ranked([await here.offer(0), await here.offer(1), { ...(await here.offer(2)), line }])
		);
		expect([hired(told), here.prompted()]).toEqual([
			[2, 3],
			[0, 1]
		]);
		expect(wire.sent).toHaveLength(1);
	});

	it('who answered and is not needed any more is let go when its bid has run out', async () => {
		here.does(0, refuses('declined'));
		const queued = [0, 1, 2, 3, 4].map((n) => [4_500 * n, { state: 'queued', waitMs: 9_000 }] as const);
		here.does(1, { here: 20, says: [...queued, [20_500, { state: 'refused', code: 'declined' }]] });
		here.does(2, { ...ACCEPTS, here: 30 });
		expect(await hiring(await here.offers())).toMatchObject({ code: 'declined' });
		expect([here.prompted(), here.open()]).toEqual([[0, 1], []]);
	});
});

it('newcomers are asked before anything is shown when they failed lately', async () => {
	const [, , last] = await Promise.all([here.offer(0), here.offer(1), here.offer(2)]);
	here.at.registry.failed(whoBid(last as SignedBid), 'stalled', 'hiring');
	here.does(0, { ...ACCEPTS, here: 20 });
	const told = await hiring(await here.offers(0, 1));
	expect([hired(told), here.prompted(), here.at.ways.wire(here.the(0).peer).sent.length]).toEqual([[0, 1], [0], 2]);
});

it('who is known is not asked whether it is there, though newcomers are', async () => {
	here.at.registry.failed(whoBid(await here.offer(2)), 'stalled', 'hiring');
	here.does(0, { here: 20, ...refuses('declined') });
	here.does(2, ACCEPTS);
	const told = await hiring(await here.offers());
	expect([hired(told), here.prompted(), here.at.ways.wire(here.the(2).peer).sent.length]).toEqual([[2, 2], [0, 2], 1]);
});

describe('a stop', () => {
	it('before it hires nobody', async () => {
		expect(await hiring(await here.offers(), { signal: AbortSignal.abort() })).toMatchObject({
			code: 'aborted',
			ms: 0
		});
		expect(here.at.ways.opened).toEqual([]);
	});

	it('while one is waited for says nothing of that one', async () => {
		const stop = new AbortController();
		here.at.clock.at(50, () => stop.abort());
		expect(await hiring(await here.offers(), { signal: stop.signal })).toMatchObject({ code: 'aborted', ms: 50 });
		expect([codes(), here.remembered(), here.open()]).toEqual([[], {}, []]);
	});

	it('closes the ways of all who had answered', async () => {
		here.does(0, refuses('declined'));
		here.does(1, { here: 20 });
		here.does(2, { here: 30 });
		const stop = new AbortController();
		here.at.clock.at(500, () => stop.abort());
		expect(await hiring(await here.offers(), { signal: stop.signal })).toMatchObject({ code: 'aborted', ms: 500 });
		expect([here.prompted(), here.open()]).toEqual([[0, 1], []]);
	});
});
