/** What a job costs, what its asker's bounds admit, and what is owed for the parts of one that several answered. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_PRICE_PER_1K, mostItCanCost, owedFor, withinBudget } from '#lib/market/price.ts';
import { policy, wish } from '../fixtures/market.ts';

describe('a job', () => {
	it('costs at most every token of its prompt and every one it may answer, rounded up', () => {
		expect(mostItCanCost(wish({ promptTokens: 300, maxTokens: 200 }), DEFAULT_PRICE_PER_1K)).toBe(50_000);
		expect(mostItCanCost(wish({ promptTokens: 64, maxTokens: 1 }), 1)).toBe(1);
	});

	it('is within what its asker pays by the thousand, and in all with what was spent before', () => {
		const bounded = wish({ policy: policy({ maxPricePer1k: 1_000, maxPrice: 1_200 }) });
		expect([withinBudget(bounded, 1_000), withinBudget(bounded, 1_001)]).toEqual([true, false]);
		expect([withinBudget(bounded, 1_000, 200), withinBudget(bounded, 1_000, 201)]).toEqual([true, false]);
		expect(withinBudget(wish({ policy: policy({ maxPricePer1k: 2_000, maxPrice: 1_200 }) }), 1_201)).toBe(false);
	});
});

describe('what is owed', () => {
	const part = { pricePer1k: 1_000, startPosition: 0, answerTokens: 100, price: undefined };
	it('is what the receipt says, where there is one, also when that is nothing', () => {
		expect(owedFor([{ ...part, price: 7 }], 50)).toBe(7);
		expect(owedFor([{ ...part, price: 0 }], 50)).toBe(0);
		expect(owedFor([{ ...part, price: 9, answerTokens: 0 }], 50)).toBe(9);
	});

	it('else is for the prompt, for what stood before and was run again, and for what it can prove', () => {
		expect(owedFor([part], 50)).toBe(150);
		expect(owedFor([{ ...part, startPosition: 30 }], 50)).toBe(180);
		expect(owedFor([{ ...part, answerTokens: 1 }], 50)).toBe(51);
		expect(owedFor([{ ...part, startPosition: 30, answerTokens: 0 }], 50)).toBe(0);
	});

	it('is the sum of the parts, and nothing for none', () => {
		expect(owedFor([part, { ...part, startPosition: 100 }, { ...part, price: 7 }], 50)).toBe(150 + 250 + 7);
		expect(owedFor([], 50)).toBe(0);
	});
});
