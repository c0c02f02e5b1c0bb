/** Who may go on with an answer that somebody else began: whose bids fit it, and in which order they are asked. */
import { describe, expect, it } from 'vitest';
import type { BidHeard, Rank } from '#lib/market/select.ts';
import { successors, type Interrupted } from '#lib/market/succeed.ts';
import { BID, heard, policy, wish } from '../fixtures/market.ts';

const MODEL = { ...BID.model, engineClass: 'this-wasm-1t' };
const JOB: Interrupted = {
	...{ announcement: wish({ policy: policy({ maxPrice: 1_000 }) }), policy: policy(), model: MODEL },
	...{ struckOff: new Set<string>(), accounts: new Set<string>(), spent: 0 }
};
const bid = (id: string, model: Partial<typeof MODEL> = {}, change?: Parameters<typeof heard>[2]) =>
	heard(id, { model: { ...MODEL, ...model }, validMs: 10_000 }, change);
/** By name, backwards, which is nobody's own order. */
const backwards: Rank = (all) =>
	[...all]
		.sort((a, b) => (a.executor < b.executor ? 1 : -1))
		.map((one) => ({ heard: one, reason: `why ${one.executor}` }));
const names = (bids: readonly BidHeard[], job: Partial<Interrupted> = {}, now = 0) =>
	successors(bids, { ...JOB, ...job }, now, backwards).map((choice) => choice.heard.executor);

describe('one that may go on', () => {
	it('was not lost in this job', () => {
		expect(names([bid('a'), bid('b')], { struckOff: new Set(['a']) })).toEqual(['b']);
	});

	it('reads the same tokens', () => {
		expect(names([bid('a', { tokenizerHash: new Uint8Array(32) }), bid('b')])).toEqual(['b']);
	});

	it('has a bid that holds for a second more, and a price for which enough is left', () => {
		expect(names([bid('a')], {}, 9_000)).toEqual(['a']);
		expect(names([bid('a')], {}, 9_001)).toEqual([]);
		const dear = heard('a', { model: MODEL, pricePer1k: 400 });
		expect(names([dear], { spent: 600 })).toEqual(['a']);
		expect(names([dear], { spent: 601 })).toEqual([]);
		expect(names([bid('a')], { policy: policy({ minStanding: 1 }) })).toEqual([]);
	});
});

describe('the order', () => {
	it('is that of the rank, with its reasons, and it is asked what was asked then', () => {
		const asked: unknown[] = [];
		const rank: Rank = (...given) => (asked.push(given), backwards(...given));
		const bids = [bid('a'), bid('b'), bid('c')];
		expect(successors(bids, JOB, 7, rank)).toEqual(
			['c', 'b', 'a'].map((id) => ({ heard: bids.find(({ executor }) => executor === id), reason: `why ${id}` }))
		);
		expect(asked).toEqual([[bids, JOB.announcement, JOB.policy, 7]]);
	});

	it('puts before all who computes the very same, then accounts that lost nothing of it, one’s own among them', () => {
		const accounts = new Set(['did:lost', 'did:me']);
		const other = { engineHash: new Uint8Array(32) };
		const bids = [
			bid('z', other),
			bid('y', other, { account: 'did:lost' }),
			bid('d', {}, { account: 'did:lost' }),
			bid('c', other),
			bid('b', {}, { account: 'did:me', sameAccount: true }),
			bid('a')
		];
		expect(names(bids, { accounts })).toEqual(['b', 'a', 'd', 'z', 'c', 'y']);
		expect(names([...bids].reverse(), { accounts })).toEqual(['b', 'a', 'd', 'z', 'c', 'y']);
	});
});
