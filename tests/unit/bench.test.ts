import { describe, expect, test } from 'vitest';
import { arrivalRate, engineRate, firstTokenMs, longestGapMs, orderAt, WAYS, type Run } from '../../bench/run.ts';
import { atLeast, atMost, estimate, quantile, spread } from '../../bench/summary.ts';

const run: Run = {
	way: 'mesh',
	tokensAt: [50, 60, 70, 100],
	endedAt: 110,
	engine: { tokens: 4, decodeMs: 40, prefillMs: 20 },
	firstOf: {},
	roundTripMs: 1
};

describe('numbers of one answer', () => {
	test('the rate as it arrived leaves the wait for the first token out', () => {
		expect(firstTokenMs(run)).toBe(50);
		expect(arrivalRate(run)).toBe(60);
		expect(engineRate(run)).toBe(100);
		expect(longestGapMs(run)).toBe(30);
	});

	test('every way is first, second and third equally often', () => {
		for (const place of [0, 1, 2])
			expect(new Set([0, 1, 2].map((turn) => orderAt(turn)[place]))).toEqual(new Set(WAYS));
		expect(orderAt(3)).toEqual(orderAt(0));
	});
});

describe('summaries', () => {
	test('quartiles lie between samples by straight line', () => {
		expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
		expect(spread([4, 1, 3, 2, 5])).toEqual({ count: 5, median: 3, p25: 2, p75: 4, least: 1, most: 5 });
	});

	test('the interval holds the median, is the same each time, and closes when samples agree', () => {
		const samples = Array.from({ length: 25 }, (_, i) => 1 + (i % 7) / 100);
		const found = estimate(samples);
		expect(found.low).toBeLessThanOrEqual(found.median);
		expect(found.high).toBeGreaterThanOrEqual(found.median);
		expect(found.low).toBeLessThan(found.high);
		expect(estimate(samples)).toEqual(found);
		expect(estimate([2, 2, 2, 2])).toMatchObject({ low: 2, median: 2, high: 2 });
	});

	test('nineteen intervals in twenty hold the true median', () => {
		// A fixed stream of uniform numbers: the true median is one half.
		let state = 1;
		const chance = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
		let held = 0;
		for (let i = 0; i < 60; i += 1) {
			const { low, high } = estimate(Array.from({ length: 24 }, chance));
			if (low <= 0.5 && high >= 0.5) held += 1;
		}
		expect(held).toBeGreaterThanOrEqual(53);
	}, 60_000);

	test('an aim inside the interval is undecided', () => {
		const found = estimate([0.93, 0.94, 0.95, 0.96, 0.97]);
		expect(atLeast(found, 0.95)).toBe('undecided');
		expect(atLeast(found, 0.92)).toBe('met');
		expect(atLeast(found, 0.98)).toBe('missed');
		expect(atMost(found, 0.98)).toBe('met');
		expect(atMost(found, 0.92)).toBe('missed');
	});
});
