/** Whom to ask before everybody is asked: who is among them, condition by condition, and who comes first. */
import { describe, expect, it } from 'vitest';
import { BEGINS_WITHIN_MS, MAX_ASKED, whomToAsk, type Stated } from '#lib/market/ask.ts';
import { knowledgeOf } from '#lib/market/expect.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { BID, NOW, policy, row, wish } from '../fixtures/market.ts';

const stated = (executor: string, change: Partial<Stated> = {}): Stated => ({
	...{ executor, account: `did:${executor}`, region: undefined, model: BID.model.id, tokensPerSecond: 20 },
	...{ pricePer1k: 0, free: false, addresses: [] },
	...change
});
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const GOOD = knowledgeOf(
	NAMES.map((id) => row(id)),
	NOW
);
const asked = (
	statements: readonly Stated[],
	{ knowledge = GOOD, ...change }: Partial<ExecutionPolicy> & { knowledge?: typeof GOOD } = {},
	announcement = wish()
) => whomToAsk(statements, announcement, policy(change), knowledge).map(({ executor }) => executor);

describe('a statement', () => {
	const one = (change: Partial<Stated>, how?: Parameters<typeof asked>[1], announcement?: ReturnType<typeof wish>) =>
		asked([stated('a', change)], how, announcement).length === 1;

	it('is of the model that is wanted, if one is', () => {
		expect(one({})).toBe(true);
		expect(one({ model: 'other' })).toBe(false);
		expect(one({ model: 'other' }, {}, wish({ model: undefined }))).toBe(true);
	});

	it('is from a region that is asked for', () => {
		expect(one({ region: 'Porto' }, { regions: ['Lisbon', 'Porto'] })).toBe(true);
		expect(one({ region: 'Porto' }, { regions: ['Lisbon'] })).toBe(false);
		expect(one({ region: undefined }, { regions: ['Lisbon'] })).toBe(false);
	});

	it('is of an account on the list, where there is one; also one’s own', () => {
		expect(one({}, { trust: { who: 'these', accounts: ['did:b', 'did:a'] } })).toBe(true);
		expect(one({}, { trust: { who: 'these', accounts: ['did:b'] } })).toBe(false);
		expect(one({ free: true }, { trust: { who: 'these', accounts: ['did:b'] } })).toBe(false);
	});

	it('of others is none where standing is asked for', () => {
		for (const how of [{ minStanding: 1 }, { trust: { who: 'standing', atLeast: 1 } as const }]) {
			expect(one({}, how)).toBe(false);
			expect(one({ circle: true }, how)).toBe(false);
			expect(one({ free: true }, how)).toBe(true);
		}
		expect(one({}, { trust: { who: 'standing', atLeast: 0 } })).toBe(true);
	});

	it('asks no more than is paid, one’s own whatever it says', () => {
		const cheap = wish({ policy: policy({ maxPricePer1k: 1_000, maxPrice: 1_000 }) });
		expect(one({ pricePer1k: 1_000 }, {}, cheap)).toBe(true);
		expect(one({ pricePer1k: 1_001 }, {}, cheap)).toBe(false);
		expect(one({ pricePer1k: 1_001, circle: true }, {}, cheap)).toBe(false);
		expect(one({ pricePer1k: 1_001, free: true }, {}, cheap)).toBe(true);
	});

	it('is of somebody who did well here, of one’s own, or of people one knows', () => {
		const bad = knowledgeOf([row('a', { broken: 1 })], NOW);
		for (const knowledge of [bad, knowledgeOf([], NOW)]) {
			expect(one({}, { knowledge })).toBe(false);
			expect(one({ circle: false }, { knowledge })).toBe(false);
			expect(one({ circle: true }, { knowledge })).toBe(true);
			expect(one({ free: true }, { knowledge })).toBe(true);
		}
	});
});

describe('the order', () => {
	it('is by what is expected of the time, and of those that are level by name', () => {
		const bids = [stated('c'), stated('b', { tokensPerSecond: 19 }), stated('a')];
		expect(asked(bids)).toEqual(['a', 'c', 'b']);
		expect(asked([...bids].reverse())).toEqual(['a', 'c', 'b']);
	});

	it('weighs the time with the odds', () => {
		const knowledge = knowledgeOf([row('a', { kept: 8, broken: 4 }), row('b', { kept: 8 })], NOW);
		expect(asked([stated('a', { tokensPerSecond: 25 }), stated('b')], { knowledge })).toEqual(['b', 'a']);
		expect(asked([stated('a', { tokensPerSecond: 25 }), stated('b', { tokensPerSecond: 15 })], { knowledge })).toEqual([
			...['a', 'b']
		]);
	});

	it('goes by what was measured with the model that is stated', () => {
		const knowledge = knowledgeOf([row('a'), row('b', { model: 'other' })], NOW);
		const statements = [stated('a'), stated('b', { tokensPerSecond: 24 })];
		expect(asked(statements, { knowledge })).toEqual(['a', 'b']);
		const others = statements.map((each) => ({ ...each, model: 'other' }));
		expect(asked(others, { knowledge }, wish({ model: undefined }))).toEqual(['b', 'a']);
	});

	it('expects less of one whose kind failed lately', () => {
		const knowledge = knowledgeOf([row('x', { kept: 0, broken: 1, first: -1, kind: 'net 6.6.6' })], NOW);
		const friend = (id: string, address: string) => stated(id, { circle: true, addresses: [address] });
		expect(asked([friend('a', '/ip4/6.6.6.1/udp/1'), friend('b', '/ip4/7.7.7.1/udp/1')], { knowledge })).toEqual([
			...['b', 'a']
		]);
	});

	it('counts one that hardly ever does it as one in a hundred, so that the slower of two such is last', () => {
		const hopeless = (id: string, broken: number) => row(id, { kept: 0, broken });
		const knowledge = knowledgeOf([hopeless('a', 1e6), hopeless('b', 1e9)], NOW);
		const own = { free: true };
		expect(asked([stated('a', { ...own, tokensPerSecond: 10 }), stated('b', own)], { knowledge })).toEqual(['b', 'a']);
	});

	it('begins with one’s own, then people one knows', () => {
		const bids = [
			stated('a', { circle: true }),
			stated('b', { free: true, tokensPerSecond: 1 }),
			stated('c', { circle: true, tokensPerSecond: 2 }),
			stated('d', { free: true, tokensPerSecond: 3 })
		];
		expect(asked(bids)).toEqual(['d', 'b', 'a', 'c']);
		expect(asked([...bids].reverse())).toEqual(['d', 'b', 'a', 'c']);
		// One's own that is of the circle as well is no better than one's own.
		const both = [stated('x', { free: true, circle: true, tokensPerSecond: 1 }), stated('y', { free: true })];
		expect(asked(both)).toEqual(['x', 'y']);
	});

	it('leaves others out while somebody one knows is there, and asks them when nobody is', () => {
		const others = [stated('a'), stated('b', { free: true })];
		expect(asked([...others, stated('c', { circle: true })])).toEqual(['b', 'c']);
		expect(asked([...others, stated('c', { circle: false })])).toEqual(['b', 'a', 'c']);
	});
});

describe('each', () => {
	it('is asked once, by the best of what it states', () => {
		const statements = [stated('a', { tokensPerSecond: 10 }), stated('a'), stated('a', { tokensPerSecond: 15 })];
		for (const all of [statements, [...statements].reverse()])
			expect(whomToAsk(all, wish(), policy(), GOOD)).toEqual([statements[1]]);
		const alike = [stated('a', { region: 'first' }), stated('a', { region: 'second' })];
		expect(whomToAsk(alike, wish(), policy(), GOOD)).toEqual([alike[0]]);
	});

	it('is one of eight at most, the best', () => {
		expect(MAX_ASKED).toBe(8);
		expect(asked(NAMES.map((id) => stated(id)).reverse())).toEqual(NAMES.slice(0, 8));
	});

	it('has three seconds to begin', () => {
		expect(BEGINS_WITHIN_MS).toBe(3_000);
	});
});
