/** Until somebody has the job: how often it is said, how long that makes sense, and what is thrown when it does not. */
import { describe, expect, it } from 'vitest';
import { MAX_AGAIN } from '#lib/market/again.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { BIDS, engaging as stage } from '../doubles/engaging.ts';
import type { Play } from '../doubles/lender.ts';

const refusing = (code: Code, waitMs?: number): Play => ({
	gossip: () => 'bid',
	assigned: () => ({ code, ...(waitMs === undefined ? {} : { waitMs }) })
});

describe('a job', () => {
	it('is given to the best of those who offered, under the first epoch', async () => {
		const set = await stage([BIDS, BIDS]);
		const { engaged } = await set.end();
		const [first, second] = set.lenders;
		expect(set.types()).toEqual(['announced', 'bid', 'bid', 'assigned']);
		expect(engaged?.hired.executor.executor).toBe(first?.id);
		expect(engaged?.ranked.choices.map(({ heard }) => heard.executor)).toEqual([first?.id, second?.id]);
		expect([...(engaged?.tried ?? [])]).toEqual([first?.id]);
		expect(first?.assignments.map(({ epoch }) => epoch)).toEqual([1]);
		expect(set.ranks[0]?.explore).toBe(false);
	});

	it('nobody offers within eight seconds: it is thrown at once, and nothing is said again', async () => {
		const set = await stage([]);
		expect(await set.end()).toEqual({ code: 'no-bids', retryMs: undefined, at: 8_000 });
		expect(set.types()).toEqual(['announced']);
	});

	it.each(['aborted', 'no-bids', 'prompt-too-long', 'malformed', 'locked', 'internal'] as const)(
		'that ended with %s would only end so again',
		async (code) => {
			const set = await stage([refusing(code), { gossip: (nth) => (nth === 1 ? 'bid' : undefined) }]);
			expect((await set.end()).code).toBe(code);
			expect(set.lenders.map(({ wishes }) => wishes.length)).toEqual([1, 1]);
		}
	);

	it('is said again for others when those who offered did not take it, under epochs of their own', async () => {
		const set = await stage([refusing('terms-differ'), { ...BIDS, gossip: (nth) => (nth === 1 ? 'bid' : undefined) }]);
		const { engaged } = await set.end();
		const [first, second] = set.lenders;
		expect(engaged?.hired.executor.executor).toBe(second?.id);
		expect(second?.assignments.map(({ epoch }) => epoch)).toEqual([9]);
		expect([...(engaged?.tried ?? [])]).toEqual([first?.id, second?.id]);
		expect(set.types()).toEqual(['announced', 'bid', 'announced', 'bid', 'assigned']);
		// The same wish, newly stamped.
		const [said, again] = second?.wishes ?? [];
		expect(again?.body).toEqual({ ...said?.body, issuedAt: again?.body.issuedAt });
		expect(again?.body.issuedAt).toBeGreaterThan(said?.body.issuedAt ?? Infinity);
	});

	it('that nobody else offers to take ends with what the first said, after a second and a half', async () => {
		const set = await stage([refusing('terms-differ')]);
		const { code, at } = await set.end();
		expect(code).toBe('terms-differ');
		const second = set.events.filter(([, { type }]) => type === 'announced')[1]?.[0] ?? 0;
		expect(at - second).toBe(1_500);
	});

	it('is not offered on for more than three quarters of a minute', async () => {
		const stalls = (round: number): Play => ({ gossip: (nth) => (nth === round ? 'bid' : undefined) });
		const set = await stage(Array.from({ length: 15 }, (_, round) => stalls(round)));
		const { code, at } = await set.end();
		expect(code).toBe('stalled');
		const tried = set.lenders.filter(({ assignments }) => assignments.length > 0).length;
		// Each is heard for a window and waited for five seconds; after the one that ends later than 45 s it is over.
		expect(tried).toBe(9);
		expect(at).toBeGreaterThan(45_000);
		expect(at).toBeLessThan(50_500);
	});

	it('is shown to 64 at the most', async () => {
		const set = await stage(
			Array.from({ length: 66 }, () => refusing('declined')),
			{ known: true }
		);
		expect((await set.end()).code).toBe('declined');
		expect(set.lenders.filter(({ assignments }) => assignments.length > 0)).toHaveLength(64);
	});
});

describe('when all are full', () => {
	const full = (times: number, fullMs: number): Play => ({
		gossip: (nth) => (nth < times ? { fullMs } : 'bid'),
		assigned: () => 'accepted'
	});

	it('it is said again after the time they gave, and so told', async () => {
		const set = await stage([full(1, 3_000)]);
		const { engaged } = await set.end();
		expect(set.types()).toEqual(['announced', 'busy', 'announced', 'bid', 'assigned']);
		expect(set.busy()).toEqual([{ at: 400, type: 'busy', retryMs: 3_000, tries: 1, most: MAX_AGAIN }]);
		expect(set.events[2]?.[0]).toBe(3_400);
		expect(engaged?.hired.assignment.body.epoch).toBe(9);
		expect(set.lenders[0]?.wishes.map(({ body }) => body.issuedAt - set.clock.epoch)).toEqual([0, 3_400]);
	});

	it('it is given up after six times, with the time that was said last', async () => {
		const set = await stage([full(99, 500)]);
		const { code, retryMs } = await set.end();
		expect([code, retryMs]).toEqual(['busy', 500]);
		expect(set.busy().map(({ tries, retryMs: ms }) => [tries, ms])).toEqual([
			...[
				[1, 1_000],
				[2, 1_000],
				[3, 2_000],
				[4, 4_000],
				[5, 8_000],
				[6, 16_000]
			]
		]);
	});

	it('it is given up when it would take longer than a minute in all', async () => {
		const set = await stage([full(99, 29_000)]);
		const { code, retryMs, at } = await set.end();
		expect([code, retryMs, at]).toEqual(['busy', 29_000, 58_000 + 1_200]);
		expect(set.busy()).toHaveLength(2);
	});

	it('one that was full at the assignment is asked again, as one that was not tried', async () => {
		const set = await stage([
			{ gossip: () => 'bid', assigned: (nth) => (nth === 0 ? { code: 'busy', waitMs: 2_000 } : 'accepted') }
		]);
		const { engaged } = await set.end();
		expect(set.busy()).toMatchObject([{ retryMs: 2_000 }]);
		expect(set.lenders[0]?.assignments.map(({ epoch }) => epoch)).toEqual([1, 9]);
		expect(engaged?.tried.size).toBe(1);
	});

	it('a stop while it waits ends it as stopped, at once', async () => {
		const set = await stage([full(99, 20_000)]);
		set.clock.at(5_000, () => set.stop.abort());
		expect(await set.end()).toEqual({ code: 'aborted', retryMs: undefined, at: 5_000 });
	});
});
