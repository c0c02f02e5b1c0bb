/** What an asker expects of a bidder, figure by figure: its odds, when it begins, how fast it goes on, and of whom that is drawn. */
import { describe, expect, it } from 'vitest';
import {
	BELIEVED,
	expect as expected,
	knowledgeOf,
	newcomersOdds,
	NOTHING_KNOWN,
	provenBy,
	type Knowledge
} from '#lib/market/expect.ts';
import { HALF_LIFE_MS } from '#lib/market/known.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { heard, NOW, row } from '../fixtures/market.ts';

const MINUTE = 60_000;
const SIZE = { promptTokens: 240, maxTokens: 100 };
const knowing = (...rows: ReturnType<typeof row>[]) => knowledgeOf(rows, NOW);
const of = (id: string, knowledge: Knowledge = NOTHING_KNOWN, bid: Partial<JobBid> = {}, account = `did:${id}`) =>
	expected(heard(id, bid, { account }), SIZE, knowledge);
/** Of the odds, what is left of them while nothing tells how steady a bidder is. */
const UNHEARD = 0.875;

describe('what is known', () => {
	it('is nothing at first', () => {
		expect(NOTHING_KNOWN).toEqual({
			...{ executors: new Map(), accounts: new Map(), kinds: new Map() },
			...{ newcomers: { kept: 0, broken: 0 }, usual: undefined }
		});
		expect(knowledgeOf([], NOW)).toEqual(NOTHING_KNOWN);
	});

	it('is each executor as it weighs now, and sums over accounts, kinds and newcomers', () => {
		const at = NOW - HALF_LIFE_MS;
		const a = row('a', { account: 'one', kind: 'k', kept: 4, broken: 1, firstAt: NOW - 20 * MINUTE, at });
		const b = row('b', { account: 'one', kind: 'k', kept: 0.2, broken: 3, first: -0.5, firstAt: NOW - 10 * MINUTE });
		const c = row('c', { account: 'two', kind: '', kept: 0, broken: 1, first: -1 });
		expect(knowing(a, b, c)).toEqual({
			executors: new Map([
				['a', { ...a, kept: 2, broken: 0.5, at: NOW }],
				['b', b],
				['c', c]
			]),
			accounts: new Map([
				['one', { kept: 2.2, broken: 3.5 }],
				['two', { kept: 0, broken: 1 }]
			]),
			newcomers: { kept: 0.25, broken: 1.25 },
			kinds: new Map([
				['k', { kept: 0.25, broken: 0.25 }],
				['', { kept: 0, broken: 1 }]
			]),
			usual: undefined
		});
	});

	it('of newcomers fades by half in ten minutes, ahead of the clock as well as behind it', () => {
		for (const firstAt of [NOW - 10 * MINUTE, NOW + 10 * MINUTE])
			expect(knowing(row('a', { first: -1, firstAt })).newcomers).toEqual({ kept: 0, broken: 0.5 });
	});

	it('as usual is the middle of three at least that did well and were measured', () => {
		const three = [
			row('a', { tokensPerSecond: 30, firstMs: 100 }),
			row('b', { tokensPerSecond: 9, firstMs: 1_200, kept: 0.5 }),
			row('c', { tokensPerSecond: 200, firstMs: 300 })
		];
		expect(knowing(...three).usual).toEqual({ tokensPerSecond: 30, firstMs: 300 });
		expect(knowing(...three.slice(1)).usual).toBeUndefined();
		expect(knowing(...three.slice(1), row('d', { tokensPerSecond: 0 })).usual).toBeUndefined();
		expect(knowing(...three.slice(1), row('d', { kept: 0.49 })).usual).toBeUndefined();
		expect(knowing(...three, row('d', { tokensPerSecond: 100, firstMs: 200 })).usual).toEqual({
			...{ tokensPerSecond: 100, firstMs: 300 }
		});
	});
});

describe('the odds of a newcomer', () => {
	it('are two in three before anything was seen', () => {
		expect(newcomersOdds(NOTHING_KNOWN, 'any')).toBeCloseTo(2 / 3, 12);
		expect(of('new').odds).toBeCloseTo((2 / 3) * UNHEARD, 12);
	});

	it('are what newcomers did, those of its kind before all', () => {
		const knowledge = knowing(row('a', { kind: 'net 1.2.3' }), row('b', { kind: 'net 1.2.3', kept: 0, first: -0.5 }));
		// One and a half of GUESS, one kept and a half broken.
		expect(newcomersOdds(knowledge, 'net 9.9.9')).toBeCloseTo(2 / 3, 12);
		expect(newcomersOdds(knowing(row('b', { first: -1, kind: 'k' })), 'other')).toBeCloseTo(1 / 2.5, 12);
		expect(newcomersOdds(knowing(row('b', { first: -1, kind: 'k' })), 'k')).toBeCloseTo(2 / 2.5 / 3, 12);
		expect(newcomersOdds(knowledge, 'net 1.2.3')).toBeCloseTo((1 + 4 / 3) / 3.5, 12);
		expect(of('new', knowledge, { addresses: ['/ip4/1.2.3.4/udp/1'] }).odds).toBeCloseTo(
			((1 + 4 / 3) / 3.5) * UNHEARD,
			12
		);
	});

	it('are half of what other nodes of its account did', () => {
		const old = Date.UTC(2001);
		const knowledge = knowing(row('a', { account: 'one', kept: 3, broken: 1, firstAt: old }));
		expect(of('new', knowledge, {}, 'one').odds).toBeCloseTo(((1.5 + 2 / 3) / 3) * UNHEARD, 12);
	});
});

describe('the odds of one that is known', () => {
	const old = Date.UTC(2001);
	it('are its own record with what is expected of newcomers as one job more', () => {
		const knowledge = knowing(row('a', { kept: 3, broken: 1, firstAt: old }));
		expect(of('a', knowledge).odds).toBeCloseTo(((3 + 2 / 3) / 5) * UNHEARD, 12);
		expect(of('a', knowledge).known).toBe(knowledge.executors.get('a'));
		expect(of('new', knowledge).known).toBeUndefined();
	});

	it('count what others of its account did half, and its own once', () => {
		const rows = [row('a', { kept: 3, broken: 1 }), row('b', { kept: 2, broken: 4 })];
		const knowledge = knowing(...rows.map((known) => ({ ...known, account: 'one', firstAt: old })));
		expect(of('a', knowledge, {}, 'one').odds).toBeCloseTo(((3 + 1 + 2 / 3) / (4 + 3 + 1)) * UNHEARD, 12);
	});

	it('keep its whole record when it goes over to another account, and gain what that one’s nodes did', () => {
		const rows = [row('a', { kept: 3, broken: 1 }), row('b', { account: 'two', kept: 2, broken: 4 })];
		const knowledge = knowing(...rows.map((known) => ({ ...known, firstAt: old })));
		expect(of('a', knowledge, {}, 'new').odds).toBeCloseTo(((3 + 2 / 3) / 5) * UNHEARD, 12);
		expect(of('a', knowledge, {}, 'two').odds).toBeCloseTo(((3 + 1 + 2 / 3) / (4 + 3 + 1)) * UNHEARD, 12);
	});

	it('hang for a quarter on how steadily it was there', () => {
		const steady = knowing(row('a', { kept: 3, broken: 1, firstAt: old, upMs: 60_000, downMs: 30_000 }));
		expect(of('a', steady).odds).toBeCloseTo(((3 + 2 / 3) / 5) * 0.9, 12);
	});

	it('go by the kind it was met as, not by the addresses it gives now', () => {
		const bad = row('b', { kind: 'net 6.6.6', kept: 0, first: -1 });
		const known = row('a', { kept: 0, firstAt: old });
		const bid = { addresses: ['/ip4/6.6.6.1/udp/1'] };
		const knowledge = knowing(bad, { ...known, kind: 'net 7.7.7' });
		expect(of('a', knowledge, bid).odds).toBeCloseTo((1 / 2.5) * UNHEARD, 12);
		expect(of('new', knowledge, bid).odds).toBeCloseTo((2 / 2.5 / 3) * UNHEARD, 12);
	});
});

describe('a good record', () => {
	it('weighs half a job at least, and more than what was broken', () => {
		expect(provenBy({ kept: 0.5, broken: 0 })).toBe(true);
		expect(provenBy({ kept: 0.49, broken: 0 })).toBe(false);
		expect(provenBy({ kept: 1, broken: 0.99 })).toBe(true);
		expect(provenBy({ kept: 1, broken: 1 })).toBe(false);
		expect(of('new').proven).toBe(false);
		expect(of('a', knowing(row('a'))).proven).toBe(true);
	});
});

describe('the pace of one that was measured', () => {
	const pace = (change: Parameters<typeof row>[1], bid: Partial<JobBid>) => {
		const { firstMs, tokensPerSecond, endMs } = of('a', knowing(row('a', change)), bid);
		return [firstMs, tokensPerSecond, endMs];
	};
	it('is what it claims as far as its claims held, and a quarter above its measures at most', () => {
		expect(pace({}, { milliTokensPerSecond: 16_000 })).toEqual([500, 16, 500 + 100_000 / 16]);
		expect(pace({ honesty: 0.5 }, { milliTokensPerSecond: 16_000 })).toEqual([500, 8, 500 + 100_000 / 8]);
		expect(pace({}, { milliTokensPerSecond: 90_000 })).toEqual([500, 25, 4_500]);
		// Who claims nothing is slow, and not endlessly so.
		expect(pace({}, { milliTokensPerSecond: 0 })[1]).toBe(0.001);
	});

	it('begins when its queue is through, and never before it says itself', () => {
		expect(pace({}, { waitMs: 2_000 })[0]).toBe(2_500);
		expect(pace({}, { waitMs: 2_000, firstTokenMs: 2_501 })[0]).toBe(2_501);
		expect(pace({}, { firstTokenMs: 499 })[0]).toBe(500);
	});
});

describe('the pace of one that was not measured', () => {
	const usual = [10, 20, 30].map((speed, i) => row(`k${i}`, { tokensPerSecond: speed, firstMs: 400 }));
	it('is four fifths of what is believed: 30 tokens a second, and 300 ms beside the reading', () => {
		expect(BELIEVED).toEqual({ tokensPerSecond: 30, firstMs: 300 });
		// 240 tokens are read in 2 s at four times 30 a second.
		expect(of('new', NOTHING_KNOWN, { milliTokensPerSecond: 90_000 })).toMatchObject({
			...{ firstMs: 375 + 2_000, tokensPerSecond: 24, endMs: 2_375 + 100_000 / 24 }
		});
		expect(of('new', NOTHING_KNOWN, { milliTokensPerSecond: 10_000 }).tokensPerSecond).toBe(8);
	});

	it('or of what is usual, once that is known', () => {
		expect(of('new', knowing(...usual), { milliTokensPerSecond: 90_000 })).toMatchObject({
			...{ firstMs: 500 + 3_000, tokensPerSecond: 16 }
		});
	});

	it('begins when its queue is through, and never before it says itself', () => {
		expect(of('new', NOTHING_KNOWN, { waitMs: 2_000 }).firstMs).toBe(4_375);
		expect(of('new', NOTHING_KNOWN, { firstTokenMs: 2_376 }).firstMs).toBe(2_376);
	});

	it('is that of a newcomer for another model, and until there is a measure, less its boasts', () => {
		const boast = { honesty: 0.5, firstMs: 9_000 };
		const claims = { milliTokensPerSecond: 20_000 };
		for (const change of [{ model: 'other' }, { model: undefined }, { tokensPerSecond: 0 }])
			expect(of('a', knowing(row('a', { ...boast, ...change })), claims)).toMatchObject({
				...{ firstMs: 2_375, tokensPerSecond: 8 }
			});
	});
});
