/** Why somebody was chosen, word for word. */
import { describe, expect, it } from 'vitest';
import { expect as expected, knowledgeOf } from '#lib/market/expect.ts';
import { reasonFor } from '#lib/market/reason.ts';
import { heard, NOW, row, wish } from '../fixtures/market.ts';

const AMONG = { offers: 3, tried: false };
const NEW = 'new here, one of 3 offers';
/** Of a bid by `a`, with `a` as it is remembered, or unknown. */
const reason = (known?: Parameters<typeof row>[1], waitMs?: number, among = AMONG, sameAccount = false) => {
	const bid = heard('a', { waitMs }, { sameAccount });
	const knowledge = knowledgeOf(known === undefined ? [] : [row('a', known)], NOW);
	return reasonFor(bid, expected(bid, wish(), knowledge), among);
};

describe('the reason', () => {
	it('of one’s own device is that it is one’s own, whatever else it is', () => {
		for (const known of [undefined, {}])
			expect(reason(known, 0, { offers: 1, tried: true }, true)).toBe('your own device');
	});

	it('of one that did well is what was measured here', () => {
		expect(reason({})).toBe('measured 20 tokens a second here, answered once, free now');
		expect(reason({ jobs: 2 })).toBe('measured 20 tokens a second here, answered twice, free now');
		expect(reason({ jobs: 3 })).toBe('measured 20 tokens a second here, answered 3 times, free now');
		expect(reason({}, 0, { offers: 1, tried: true })).toBe('measured 20 tokens a second here, answered once, free now');
	});

	it('says its speed with one digit below ten, and whole from there on', () => {
		const speed = (tokensPerSecond: number) => /measured (\S+) /.exec(reason({ tokensPerSecond }))?.[1];
		expect([speed(0.04), speed(9.94), speed(10), speed(10.5), speed(123.4)]).toEqual(['0.0', '9.9', '10', '11', '123']);
	});

	it('says when it is free, from a second of waiting on', () => {
		const free = (waitMs?: number) => reason({}, waitMs).split(', ').at(-1);
		expect([free(), free(999), free(1_000), free(1_001)]).toEqual([
			'free now',
			'free now',
			'free in 1 s',
			'free in 2 s'
		]);
	});

	it('names no speed that was measured with another model, or not at all', () => {
		expect(reason({ model: 'other' })).toBe('answered here once, free now');
		expect(reason({ tokensPerSecond: 0, jobs: 2 }, 4_000)).toBe('answered here twice, free in 4 s');
	});

	it('of the only one that nobody can tell anything good of is that it is the only one', () => {
		expect(reason(undefined, 0, { offers: 1, tried: true })).toBe('the only offer');
		expect(reason({ broken: 2 }, 0, { offers: 1, tried: false })).toBe('the only offer');
	});

	it('of one that failed here tells so', () => {
		expect(reason({ broken: 2 })).toBe('did not always answer here, but the best of 3 offers');
		expect(reason({ broken: 0.001, kept: 0 })).toBe('did not always answer here, but the best of 3 offers');
	});

	it('of a newcomer is that it is new, and why it comes before others', () => {
		expect(reason()).toBe(NEW);
		expect(reason(undefined, 0, { offers: 3, tried: true })).toBe('new here, tried so that it can show what it does');
		// What it did is forgotten by now.
		expect(reason({ kept: 0, broken: 0 })).toBe(NEW);
	});
});
