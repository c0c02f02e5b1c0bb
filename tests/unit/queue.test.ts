/** The queue for the engine, step by step: who is next, who is let in, whose place is taken, what is said to who is not, and what is charged. */
import { describe, expect, it } from 'vitest';
import {
	begin,
	EMPTY,
	end,
	enter,
	head,
	leave,
	MAX_WAITING,
	retryMs,
	waitOf,
	type Queue,
	type Request,
	type Share
} from '#lib/market/queue.ts';
import { request } from '../fixtures/market.ts';

const waiting = (requests: readonly Request[], queue: Queue = EMPTY): Queue => ({
	...queue,
	waiting: [...queue.waiting, ...requests]
});
/** After jobs that had the engine one after the other, from 0 on. */
function served(jobs: readonly (readonly [Request, number])[], queue: Queue = EMPTY): Queue {
	let now = 0;
	return jobs.reduce((so, [one, ms]) => end(begin(waiting([one], so), now), (now += ms)), queue);
}
/** In the order in which they are served. */
function turns(queue: Queue): readonly Request[] {
	const next = head(queue);
	return next === undefined ? [] : [next, ...turns(leave(queue, next.id))];
}
const had = (queue: Queue) => [...queue.had.values()].sort((a, b) => a - b);
const many = (n: number, from: string, share: Share = 'known', change: Partial<Request> = {}) =>
	Array.from({ length: n }, (_, i) => request(`${from}${i}`, share, change));

describe('an empty queue', () => {
	it('has nobody waiting, nobody running, and nothing charged', () => {
		expect(EMPTY).toEqual({ waiting: [], running: undefined, had: new Map(), clocks: new Map() });
		expect(head(EMPTY)).toBeUndefined();
		expect(begin(EMPTY, 5)).toBe(EMPTY);
		expect(end(EMPTY, 5)).toBe(EMPTY);
		expect(retryMs(EMPTY, 5)).toBe(1_000);
	});
});

describe('a turn', () => {
	it('is given to the next one when nobody has it, and to nobody else until it is over', () => {
		const [a, b] = [request('a'), request('b')];
		const first = begin(waiting([a, b]), 7);
		expect(first).toEqual({ ...EMPTY, waiting: [b], running: { request: a, since: 7 } });
		expect(begin(first, 9)).toBe(first);
		const over = end(first, 1_207);
		expect(over.running).toBeUndefined();
		// A known share counts a third, a payer within it a quarter.
		expect(had(over)).toEqual([300, 400]);
		expect(begin(over, 1_300).running).toEqual({ request: b, since: 1_300 });
	});

	it('costs a stranger all of it, one who does not pay four times what a payer is charged, and own devices nothing', () => {
		expect(had(served([[request('p', 'strangers'), 1_200]]))).toEqual([300, 1_200]);
		expect(had(served([[request('a', 'known', { rank: 'free' }), 1_200]]))).toEqual([400, 1_200]);
		const own = served([[request('laptop', 'own', { rank: 'own' }), 1_200]]);
		expect([own.had.size, own.clocks.size, own.running]).toEqual([0, 0, undefined]);
	});

	it('costs nothing when the clock went back meanwhile', () => {
		const queue = end(begin(waiting([request('a')]), 5_000), 4_000);
		expect(had(queue)).toEqual([]);
	});
});

describe('the order', () => {
	it('is that of arrival among those that are level', () => {
		const all = [request('b'), request('a'), request('p', 'strangers'), request('c')];
		expect(turns(waiting(all))).toEqual(all);
	});

	it('begins with own devices, whoever came before and whatever they had', () => {
		const [a, own, other] = [request('a'), request('x', 'own', { rank: 'own' }), request('y', 'own', { rank: 'own' })];
		expect(turns(waiting([a, own, other]))).toEqual([own, other, a]);
		expect(turns(waiting([own, a]))).toEqual([own, a]);
	});

	it('compares shares before nodes: within a share that is level with another, what its nodes had is their own matter', () => {
		const [a, b, q] = [request('a'), request('b'), request('q', 'strangers')];
		const level = served([
			[request('a'), 3_000],
			[request('p', 'strangers'), 1_000]
		]);
		expect(turns(waiting([a, q], level))).toEqual([a, q]);
		expect(turns(waiting([a, b, q], level)).indexOf(b)).toBeLessThan(turns(waiting([a, b, q], level)).indexOf(a));
		const more = served([[request('z'), 30]], level);
		expect(turns(waiting([b, q], more))).toEqual([q, b]);
	});

	it('remembers what a node had within its share while the shares move on', () => {
		const queue = served([
			[request('a'), 4_000],
			[request('p', 'strangers'), 10_000],
			[request('q', 'strangers'), 10_000]
		]);
		const [a, b] = [request('a'), request('b')];
		expect(turns(waiting([a, b], queue))).toEqual([b, a]);
		// The share of those who are known is level with its ring's clock, and so forgotten: a, strangers, p and q are left.
		expect(had(queue)).toEqual([1_000, 2_500, 2_500, 20_000]);
	});

	it('gives nobody a right to the past: who was away begins where the others stand', () => {
		const busy = served(Array.from({ length: 10 }, () => [request('a'), 1_200] as const));
		// Both are one turn behind a, which was served last, and no more.
		const queue = served([[request('late'), 1_200]], busy);
		expect(had(queue).at(-1)).toBeCloseTo(11 * 400, 6);
		const [again, a] = [request('late'), request('a')];
		expect(turns(waiting([again, a], queue))).toEqual([again, a]);
		// Strangers were away for all that time as well: one of them goes first, and then it is level with those who stayed.
		const stranger = served([[request('p', 'strangers'), 400]], queue);
		expect(turns(waiting([request('a'), request('q', 'strangers')], stranger)).map(({ share }) => share)).toEqual([
			'known',
			'strangers'
		]);
	});
});

describe('what is remembered', () => {
	const one = (name: string) => [request(name), 400] as const;
	it('is who is ahead of its ring: one whom the others have caught up with is as good as new', () => {
		expect(had(served([one('a'), one('b')]))).toHaveLength(3);
		expect(had(served([one('a'), one('b'), one('a')]))).toHaveLength(2);
	});

	it('is nothing of jobs that took no time, nor of their ring', () => {
		const queue = served([[request('p', 'strangers'), 0]]);
		expect([queue.had.size, queue.clocks.size]).toEqual([0, 1]);
		expect(served([one('a')], queue).clocks.size).toBe(2);
	});

	it('is bounded: 512 in all, and then the half of them that had most', () => {
		const all = Array.from({ length: 512 }, (_, i) => [request(`a${i}`), 4 * (i + 1)] as const);
		// Their share is one more.
		const most = served(all.slice(0, 511));
		expect(most.had.size).toBe(512);
		const queue = served(all.slice(511), most);
		expect(queue.had.size).toBe(256);
		expect(had(queue).slice(0, 255)).toEqual(Array.from({ length: 255 }, (_, i) => i + 258));
		const [little, much, fresh] = [request('a0'), request('a511'), request('new')];
		expect(turns(waiting([little, much, fresh], queue))).toEqual([little, fresh, much]);
	});
});

describe('how long one would wait', () => {
	it('is what the running one still needs, and those before it', () => {
		const queue = begin(
			waiting([request('a', 'known', { workMs: 5_000 }), request('b', 'known', { workMs: 700 })]),
			100
		);
		expect(waitOf(queue, request('c'), 100)).toBe(5_700);
		expect(waitOf(queue, request('c'), 2_100)).toBe(3_700);
		// It takes longer than it was thought to.
		expect(waitOf(queue, request('c'), 9_000)).toBe(700);
		expect(waitOf(queue, queue.waiting[0] as Request, 100)).toBe(5_000);
		expect(waitOf(EMPTY, request('c'), 100)).toBe(0);
	});

	it('counts what the running one will have had, and each one before it when its turn comes', () => {
		const long = { workMs: 4_000 };
		const queue = begin(waiting([request('a', 'known', long), request('a', 'known', long)]), 0);
		const b = request('b');
		// a has two jobs, and b comes between them.
		expect(waitOf(queue, b, 0)).toBe(4_000);
		expect(waitOf(waiting([b], queue), queue.waiting[0] as Request, 0)).toBe(5_000);
		const three = waiting([request('c', 'known', long), request('c'), request('d')]);
		expect(waitOf(three, three.waiting[1] as Request, 0)).toBe(5_000);
	});
});

describe('when to come back', () => {
	it('is when half of the work is done, and no sooner than the running one is', () => {
		const jobs = [3_000, 2_000, 4_000].map((workMs, i) => request(`a${i}`, 'known', { workMs }));
		expect(retryMs(begin(waiting(jobs), 0), 0)).toBe(4_500);
		expect(retryMs(begin(waiting(jobs), 0), 1_001)).toBe(4_000);
		expect(retryMs(begin(waiting([request('a', 'known', { workMs: 8_000 }), request('b')]), 0), 0)).toBe(8_000);
	});

	it('is a second at least and a minute at most, in whole milliseconds', () => {
		const only = (workMs: number) => retryMs(begin(waiting([request('a', 'known', { workMs })]), 0), 0);
		expect([only(999), only(1_000), only(1_000.2), only(60_000), only(60_001)]).toEqual([
			...[1_000, 1_000, 1_001, 60_000, 60_000]
		]);
	});
});

describe('who is let in', () => {
	const entered = (queue: Queue, one: Request, displaced?: Request) => ({
		type: 'entered',
		queue: { ...queue, waiting: [...queue.waiting.filter((each) => each !== displaced), one] },
		displaced
	});
	const refused = (why: string, ms: number) => ({ type: 'refused', why, retryMs: ms });

	it('is anybody while there is room, at the end', () => {
		const queue = waiting(many(MAX_WAITING - 1, 'a'));
		const one = request('b');
		expect(enter(queue, one, 0)).toEqual(entered(queue, one));
	});

	it('is one of a stranger, and two of a known node or an own device', () => {
		const p = waiting([request('p', 'strangers')]);
		expect(enter(p, request('p', 'strangers'), 0)).toEqual(refused('enough-waiting', 1_000));
		const other = request('q', 'strangers');
		expect(enter(p, other, 0)).toEqual(entered(p, other));
		// Known since it asked: what it asked as a stranger is another share's.
		const since = [request('p'), request('p')] as const;
		expect(enter(p, since[0], 0)).toEqual(entered(p, since[0]));
		expect(enter(waiting([since[0]], p), since[1], 0).type).toBe('entered');
		expect(enter(waiting(since, p), request('p'), 0)).toEqual(refused('enough-waiting', 1_500));
		const own = [1, 2, 3].map(() => request('x', 'own', { rank: 'own' })) as [Request, Request, Request];
		expect(enter(waiting([own[0]]), own[1], 0).type).toBe('entered');
		expect(enter(waiting([own[0], own[1]]), own[2], 0)).toEqual(refused('enough-waiting', 1_000));
	});

	it('is no fifth stranger, unless one of them had more; those who are known come in beside them', () => {
		const queue = waiting([request('a'), ...many(4, 'p', 'strangers')]);
		expect(enter(queue, request('q', 'strangers'), 0)).toEqual(refused('full', 2_500));
		const known = request('b');
		expect(enter(queue, known, 0)).toEqual(entered(queue, known));
		const spent = served([[request('p1', 'strangers'), 400]]);
		const after = waiting([request('a'), ...many(4, 'p', 'strangers')], spent);
		const fresh = request('q', 'strangers');
		expect(enter(after, fresh, 400)).toEqual(entered(after, fresh, after.waiting[2]));
	});

	it('takes a stranger’s place for a stranger, though one who is known would be served after it', () => {
		const spent = served([
			[request('greedy'), 40_000],
			[request('p0', 'strangers'), 400]
		]);
		const queue = waiting([request('greedy'), ...many(4, 'p', 'strangers')], spent);
		const fresh = request('q', 'strangers');
		expect(enter(queue, fresh, 0)).toEqual(entered(queue, fresh, queue.waiting[1]));
	});

	it('bounds nobody but strangers by what others of their share have', () => {
		const queue = waiting(many(5, 'a'));
		const one = request('b');
		expect(enter(queue, one, 0)).toEqual(entered(queue, one));
	});

	it('is nobody who is level with those who wait, when the queue is full', () => {
		expect(enter(waiting(many(MAX_WAITING, 'a')), request('b'), 0)).toEqual(refused('full', 4_000));
		const own = { rank: 'own' as const };
		const all = waiting(many(MAX_WAITING, 'x', 'own', own));
		expect(enter(all, request('y', 'own', own), 0)).toMatchObject({ why: 'full' });
	});

	it('takes the place of the last one: of those that are level, who came last', () => {
		const queue = waiting(many(MAX_WAITING, 'a'));
		const own = request('x', 'own', { rank: 'own' });
		expect(enter(queue, own, 0)).toEqual(entered(queue, own, queue.waiting.at(-1)));
		const first = waiting([...many(1, 'p', 'strangers'), ...many(MAX_WAITING - 1, 'a')]);
		const behind = { ...first, ...served([[request('p0', 'strangers'), 400]]), waiting: first.waiting };
		expect(enter(behind, own, 0)).toEqual(entered(behind, own, behind.waiting[0]));
	});

	it('counts what the running one will have had when a place is taken', () => {
		const queue = begin(waiting([request('a'), request('a'), ...many(MAX_WAITING - 1, 'b')]), 0);
		expect(queue.waiting).toHaveLength(MAX_WAITING);
		const fresh = request('c');
		expect(enter(queue, fresh, 0)).toEqual(entered(queue, fresh, queue.waiting[0]));
		expect(enter(queue, request('a'), 0)).toMatchObject({ type: 'refused', why: 'full' });
	});

	it('waits half a minute at most; beyond, it comes back when a quarter of a minute of that is left', () => {
		const before = (workMs: number) => begin(waiting([request('a', 'known', { workMs })]), 0);
		const one = request('b');
		expect(enter(before(30_000), one, 0).type).toBe('entered');
		expect(enter(before(30_001), one, 0)).toEqual(refused('full', 15_001));
		expect(enter(before(40_000), one, 0)).toEqual(refused('full', 25_000));
		expect(enter(before(40_000), one, 10_000)).toMatchObject({ type: 'entered' });
	});

	it('is nobody whose answer would come too late, and it hears how long it would have waited', () => {
		const queue = begin(waiting([request('a', 'known', { workMs: 5_000 })]), 0);
		const until = (ms: number) => enter(queue, request('b', 'known', { until: ms, workMs: 600 }), 1_000);
		expect(until(5_600).type).toBe('entered');
		expect(until(5_599)).toEqual(refused('too-late', 4_000));
	});
});

it('who leaves is gone, and nobody else', () => {
	const [a, b] = [request('a'), request('b')];
	expect(leave(waiting([a, b]), a.id)).toEqual(waiting([b]));
	expect(leave(waiting([a, b]), 'nobody')).toEqual(waiting([a, b]));
});
