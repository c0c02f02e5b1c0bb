/** Which bids are acceptable and which of them comes first, at the points where the choice tips: a millisecond, a microcredit, a broken job. */
import { describe, expect, it } from 'vitest';
import { expect as expected, knowledgeOf, NOTHING_KNOWN, type Knowledge } from '#lib/market/expect.ts';
import { acceptable, EXPLORED, explores, select, type BidHeard } from '#lib/market/select.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { BID, heard, NOW, policy, row, wish } from '../fixtures/market.ts';

const WISH = wish();
const FREE = policy({ maxPricePer1k: 10_000_000 });
const knowing = (...rows: ReturnType<typeof row>[]) => knowledgeOf(rows, NOW);
type How = Parameters<typeof select>[5];
const order = (bids: readonly BidHeard[], knowledge: Knowledge = NOTHING_KNOWN, how?: How) =>
	select(bids, WISH, FREE, 0, knowledge, how).map((choice) => choice.heard.executor);
/** Both ways round, so that no order of arrival decides. */
const first = (bids: readonly BidHeard[], knowledge: Knowledge = NOTHING_KNOWN, how?: How) => {
	const [one] = order(bids, knowledge, how);
	expect(order([...bids].reverse(), knowledge, how)[0]).toBe(one);
	return one;
};

describe('a bid', () => {
	const ok = (bid: Parameters<typeof heard>[1], change: Partial<ExecutionPolicy> = {}, own = false, spent = 0) =>
		acceptable(heard('a', bid, { sameAccount: own }), WISH, policy(change), 0, spent);

	it('holds as long as it says', () => {
		const at = (now: number) => acceptable(heard('a', { validMs: 5_000 }, { heardAt: 100 }), WISH, policy(), now);
		expect([at(100), at(5_100), at(5_101)]).toEqual([true, true, false]);
	});

	it('is for the model that was announced, if one was', () => {
		const other = { model: { ...BID.model, id: 'other' } };
		expect(ok({})).toBe(true);
		expect(ok(other)).toBe(false);
		expect(acceptable(heard('a', other), wish({ model: undefined }), policy(), 0)).toBe(true);
	});

	it('has the weights and the class that are asked for', () => {
		expect(ok({}, { weightsHash: Uint8Array.from(BID.model.weightsHash) })).toBe(true);
		expect(ok({}, { weightsHash: new Uint8Array(32) })).toBe(false);
		expect(ok({}, { engineClass: BID.model.engineClass })).toBe(true);
		expect(ok({}, { engineClass: 'other' })).toBe(false);
	});

	it('comes from a region that is asked for', () => {
		expect(ok({ region: undefined }, { regions: [] })).toBe(true);
		expect(ok({ region: 'Porto' }, { regions: ['Lisbon', 'Porto'] })).toBe(true);
		expect(ok({ region: 'Porto' }, { regions: ['Lisbon'] })).toBe(false);
		expect(ok({ region: undefined }, { regions: ['Lisbon'] })).toBe(false);
	});

	it('is of an account on the list, where there is one', () => {
		expect(ok({}, { trust: { who: 'these', accounts: ['did:b', 'did:a'] } })).toBe(true);
		expect(ok({}, { trust: { who: 'these', accounts: ['did:b'] } })).toBe(false);
	});

	it('of a stranger is none where standing is asked for; one’s own device needs none, nor pays', () => {
		const dear = { pricePer1k: 1_000_000 };
		for (const change of [{ minStanding: 1 }, { trust: { who: 'standing', atLeast: 1 } as const }]) {
			expect(ok({}, change)).toBe(false);
			expect(ok(dear, change, true)).toBe(true);
		}
		expect(ok({}, { trust: { who: 'standing', atLeast: 0 } })).toBe(true);
	});

	it('keeps to the price, with what was spent before', () => {
		const announced = wish({ policy: policy({ maxPricePer1k: 1_000, maxPrice: 1_500 }) });
		const at = (pricePer1k: number, spent?: number) =>
			acceptable(heard('a', { pricePer1k }), announced, policy(), 0, spent);
		expect([at(1_000), at(1_001), at(1_000, 500), at(1_000, 501)]).toEqual([true, false, true, false]);
	});

	it('that is not acceptable is not among the choices', () => {
		expect(order([heard('a', { model: { ...BID.model, id: 'other' } }), heard('b')])).toEqual(['b']);
		expect(select([], WISH, FREE, 0)).toEqual([]);
		expect(select([heard('old', { validMs: 100 })], WISH, FREE, 101)).toEqual([]);
	});
});

describe('of those who are known', () => {
	const knowledge = knowing(row('a'), row('b'));
	const wait = (executor: string, waitMs: number, more: Parameters<typeof heard>[1] = {}) =>
		heard(executor, { waitMs, ...more });

	it('whoever is through first goes first, by a millisecond', () => {
		expect(first([wait('a', 101), wait('b', 100)], knowledge)).toBe('b');
		expect(first([wait('a', 100), wait('b', 101)], knowledge)).toBe('a');
	});

	it('a credit is worth ten seconds', () => {
		expect(first([wait('a', 0, { pricePer1k: 1_000_000 }), wait('b', 9_999)], knowledge)).toBe('b');
		expect(first([wait('a', 0, { pricePer1k: 1_000_000 }), wait('b', 10_001)], knowledge)).toBe('a');
		const half = wish({ promptTokens: 100, maxTokens: 400 });
		const cheaper = (waitMs: number) =>
			select([wait('a', 0, { pricePer1k: 1_000_000 }), wait('b', waitMs)], half, FREE, 0, knowledge)[0]?.heard.executor;
		expect([cheaper(4_999), cheaper(5_001)]).toEqual(['b', 'a']);
	});

	it('each failure to be expected is worth five seconds', () => {
		const risky = knowing(row('a'), row('b', { broken: 1 }));
		const failures = (id: string) => 1 / expected(heard(id), WISH, risky).odds - 1;
		const ms = 5_000 * (failures('b') - failures('a'));
		expect(ms).toBeGreaterThan(1_000);
		expect(first([wait('a', Math.floor(ms) - 1), wait('b', 0)], risky)).toBe('a');
		expect(first([wait('a', Math.ceil(ms) + 1), wait('b', 0)], risky)).toBe('b');
	});

	it('even the worst is only so bad: who is hopeless counts as failing ninety-nine times', () => {
		const hopeless = knowing(row('a', { kept: 0, broken: 1e6 }), row('b', { kept: 0, broken: 1e9 }));
		expect(first([wait('a', 2_000), wait('b', 1_000)], hopeless)).toBe('b');
	});

	it('none is drawn by lot', () => {
		let drawn = 0;
		const chance = () => (drawn++, 0.9);
		expect(order([wait('a', 1_000), wait('b', 0)], knowledge, { chance })).toEqual(['b', 'a']);
		expect(drawn).toBe(0);
	});

	it('who claims more goes before who is as good, then whose name comes first', () => {
		const alike = (...ids: string[]) =>
			ids.map((id) => heard(id, { milliTokensPerSecond: id === 'b' ? 60_000 : 50_000 }));
		const three = knowing(row('a'), row('b'), row('c'));
		expect(order(alike('c', 'a', 'b'), three)).toEqual(['b', 'a', 'c']);
		expect(order(alike('b', 'a', 'c'), three)).toEqual(['b', 'a', 'c']);
	});

	it('kinds and accounts do not stand apart', () => {
		const same = { addresses: ['/ip4/1.2.3.4/udp/1'] };
		const bids = [heard('a', same, { account: 'one' }), heard('b', same, { account: 'one' }), wait('c', 1)];
		const rows = [row('a', { account: 'one' }), row('b', { account: 'one' }), row('c')];
		expect(order(bids, knowing(...rows))).toEqual(['a', 'b', 'c']);
	});
});

describe('one’s own devices', () => {
	const own = { sameAccount: true };
	it('go before all others, the sooner one first, and cost nothing', () => {
		const bids = [
			heard('a', { waitMs: 0 }),
			heard('slow', { waitMs: 9_000, pricePer1k: 0 }, own),
			heard('own', { waitMs: 8_000, pricePer1k: 1_000_000 }, own)
		];
		expect(order(bids, knowing(row('a')))).toEqual(['own', 'slow', 'a']);
	});

	it('stand in no line by kind or account', () => {
		const bids = ['x', 'y'].map((id) => heard(id, {}, { ...own, account: 'me' }));
		expect(order([...bids, heard('z', { waitMs: 1 }, { ...own, account: 'me' })])).toEqual(['x', 'y', 'z']);
	});
});

describe('newcomers', () => {
	const end = expected(heard('a'), WISH, NOTHING_KNOWN).endMs;
	/** What failing costs one of them in the mean. */
	const RISK = 5_000 * (1 / expected(heard('a'), WISH, NOTHING_KNOWN).odds - 1);
	const later = (id: string, ms: number, addresses: string[] = [], account = `did:${id}`) =>
		heard(id, { waitMs: ms, addresses }, { account });

	it('are drawn by lot within a factor of two', () => {
		const draws = (...values: number[]) => ({ chance: () => values.shift() ?? 0 });
		expect(order([heard('a'), heard('b')], NOTHING_KNOWN, draws(0.5, 0.4))).toEqual(['b', 'a']);
		expect(order([heard('a'), heard('b')], NOTHING_KNOWN, draws(0.4, 0.5))).toEqual(['a', 'b']);
		const most = end + RISK;
		expect(order([heard('a'), later('b', most - 10)], NOTHING_KNOWN, draws(1, 0))).toEqual(['b', 'a']);
		expect(order([heard('a'), later('b', most + 10)], NOTHING_KNOWN, draws(1, 0))).toEqual(['a', 'b']);
	});

	it('are not drawn by lot when there is none', () => {
		expect(order([later('a', 0), later('b', 1), later('c', 2)])).toEqual(['a', 'b', 'c']);
	});

	const HERE = ['/ip4/1.2.3.4/udp/1'];
	const whole = end + RISK;
	it('of a kind that stands before them already stand behind others that cost half as much again, then twice as much', () => {
		const bids = (ms: number) => [later('a', 0, HERE), later('b', 1, HERE), later('c', 2, HERE), later('x', ms)];
		expect(order(bids(whole * 0.49))).toEqual(['a', 'x', 'b', 'c']);
		expect(order(bids(whole * 0.51))).toEqual(['a', 'b', 'x', 'c']);
		expect(order(bids(whole * 0.99))).toEqual(['a', 'b', 'x', 'c']);
		expect(order(bids(whole * 1.01))).toEqual(['a', 'b', 'c', 'x']);
	});

	it('whoever of them is best keeps its place, however late it was heard', () => {
		const bids = [later('b', 1, HERE), later('a', 0, HERE), later('x', whole * 0.25)];
		expect(order(bids)).toEqual(['a', 'x', 'b']);
	});

	it('of an account that stands before them stand behind others that cost three times as much', () => {
		const bids = (ms: number) => [later('a', 0, [], 'one'), later('b', 1, [], 'one'), later('x', ms)];
		expect(order(bids(whole * 1.99))).toEqual(['a', 'x', 'b']);
		expect(order(bids(whole * 2.01))).toEqual(['a', 'b', 'x']);
		const both = (ms: number) => [later('a', 0, HERE, 'one'), later('b', 1, HERE, 'one'), later('x', ms)];
		expect(order(both(whole * 2.49))).toEqual(['a', 'x', 'b']);
		expect(order(both(whole * 2.51))).toEqual(['a', 'b', 'x']);
	});

	it('whose addresses say nothing are of no kind', () => {
		expect(order([later('a', 0), later('b', 1), later('x', 2, HERE), later('c', 3)])).toEqual(['a', 'b', 'x', 'c']);
	});
});

describe('in a job to explore in', () => {
	const explore = { explore: true };
	const knowledge = knowing(row('known'), row('other'));
	const newcomer = (waitMs: number) => heard('new', { waitMs });

	it('the best newcomer goes first, the others as they were, and it is said why', () => {
		const bids = [heard('known'), heard('other', { waitMs: 1 }), newcomer(0), heard('newer', { waitMs: 1 })];
		expect(order(bids, knowledge)).toEqual(['known', 'other', 'new', 'newer']);
		expect(order(bids, knowledge, explore)).toEqual(['new', 'known', 'other', 'newer']);
		const reasons = (how?: How) => select(bids, WISH, FREE, 0, knowledge, how).map(({ reason }) => reason);
		const measured = 'measured 20 tokens a second here, answered once, free now';
		expect(reasons(explore)).toEqual([
			'new here, tried so that it can show what it does',
			...[measured, measured, 'new here, one of 4 offers']
		]);
		expect(reasons()[2]).toBe('new here, one of 4 offers');
	});

	it('it is not expected to take more than three times as long', () => {
		// 40.5 s of the known one, and 50 s of words of the new one after its first.
		const begins = (firstTokenMs: number) => [heard('known'), heard('new', { firstTokenMs })];
		expect(order(begins(71_500), knowledge, explore)[0]).toBe('new');
		expect(order(begins(71_501), knowledge, explore)[0]).toBe('known');
	});

	it('somebody who did well stands behind it, and no own device before it', () => {
		const fast = heard('known', { milliTokensPerSecond: 25_000 });
		const bad = knowing(row('known', { broken: 1.1, tokensPerSecond: 900 }));
		const bids = [heard('known', { milliTokensPerSecond: 900_000 }), newcomer(0)];
		expect(order(bids, bad)).toEqual(order(bids, bad, explore));
		expect(order(bids, bad)[0]).toBe('known');
		expect(order([fast, newcomer(0), heard('mine', {}, { sameAccount: true })], knowledge, explore)).toEqual([
			...['mine', 'known', 'new']
		]);
		const mine = knowing(row('mine'), row('known'));
		expect(order([fast, newcomer(0), heard('mine', {}, { sameAccount: true })], mine, explore)[0]).toBe('mine');
	});

	it('nothing changes when nobody is new, or nobody is there', () => {
		const bids = [heard('known'), heard('other', { waitMs: 1 })];
		expect(order(bids, knowledge, explore)).toEqual(['known', 'other']);
		expect(order([], knowledge, explore)).toEqual([]);
	});
});

describe('whether to explore', () => {
	it('is drawn for one job of eight, times the odds of a newcomer', () => {
		expect(EXPLORED).toBe(1 / 8);
		const at = (chance: number, knowledge = NOTHING_KNOWN) => explores(knowledge, () => chance);
		expect([at(0), at(0.9166), at(0.9167), at(0.9999)]).toEqual([false, false, true, true]);
		const failed = knowing(row('a', { first: -0.5, kept: 0, kind: 'k' }));
		// Every second one: one job of sixteen.
		expect([at(0.9374, failed), at(0.9375, failed)]).toEqual([false, true]);
	});
});
