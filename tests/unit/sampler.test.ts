import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { exp, log } from '#lib/protocol/real.ts';
import {
	draw,
	gumbel,
	GREEDY,
	isLegitimate,
	topCandidates,
	truncate,
	type Candidate,
	type Sampling
} from '#lib/protocol/sampler.ts';
import vectors from '../vectors/sampler.json' with { type: 'json' };

const seed = new Uint8Array(32).map((_, i) => i * 7);
const plain: Sampling = { temperatureMilli: 1000, topK: 20, topPMilli: 1000 };

describe('real', () => {
	it('agrees with the language to 1e-15 relative', () => {
		fc.assert(
			fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
				expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-15 * Math.max(1, Math.abs(x)));
			})
		);
		fc.assert(
			fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (x) => {
				expect(Math.abs(log(x) - Math.log(x))).toBeLessThanOrEqual(1e-15 * Math.max(1, Math.abs(Math.log(x))));
			})
		);
	});
	it('keeps the edges', () => {
		expect(log(0)).toBe(Number.NEGATIVE_INFINITY);
		expect(log(-1)).toBeNaN();
		expect(log(1)).toBe(0);
		expect(exp(0)).toBe(1);
		expect(exp(-800)).toBe(0);
		expect(exp(800)).toBe(Number.POSITIVE_INFINITY);
		expect(log(5e-324)).toBeCloseTo(Math.log(5e-324), 10);
	});
});

describe('sampler', () => {
	it('ranks by logit, then by lower id', () => {
		const logits = Float32Array.from([1, 3, 3, 2, 3]);
		expect(topCandidates(logits, 4).map((c) => c.id)).toEqual([1, 2, 4, 3]);
		expect(topCandidates(logits, 2, [1]).map((c) => c.id)).toEqual([2, 4]);
	});
	it('equals a full sort', () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 80 }),
				fc.integer({ min: 1, max: 20 }),
				(values, count) => {
					const sorted = values.map((logit, id) => ({ id, logit })).sort((a, b) => b.logit - a.logit || a.id - b.id);
					expect(topCandidates(Float32Array.from(values), count)).toEqual(sorted.slice(0, count));
				}
			)
		);
	});
	it('refuses an engine that produces NaN, also behind better candidates', () => {
		expect(() => topCandidates(Float32Array.from([9, 8, Number.NaN]), 2)).toThrow(
			expect.objectContaining({ code: 'engine-failed' })
		);
	});
	it('is greedy at temperature 0', () => {
		const ranked = topCandidates(Float32Array.from([0, 5, 5, 1]), 4);
		expect(draw(ranked, GREEDY, seed, 3)).toBe(1);
		expect(draw(ranked, { ...plain, temperatureMilli: 0 }, seed, 3)).toBe(1);
	});
	it('cuts at the probability mass and keeps the one that crosses', () => {
		const ranked: Candidate[] = [
			{ id: 9, logit: Math.log(0.5) },
			{ id: 2, logit: Math.log(0.3) },
			{ id: 5, logit: Math.log(0.2) }
		];
		expect(truncate(ranked, { ...plain, topPMilli: 700 }).map((c) => c.id)).toEqual([2, 9]);
		expect(truncate(ranked, { ...plain, topPMilli: 400 }).map((c) => c.id)).toEqual([9]);
	});
	it('draws with the softmax frequencies', () => {
		const weights = [0.5, 0.3, 0.15, 0.05];
		const ranked = weights.map((weight, id) => ({ id, logit: Math.log(weight) }));
		const counts = [0, 0, 0, 0];
		const draws = 20_000;
		for (let position = 0; position < draws; position++) {
			const token = draw(ranked, plain, seed, position);
			counts[token] = (counts[token] as number) + 1;
		}
		// Chi-square with 3 degrees of freedom: 16.3 is the 0.1 % point.
		const chi = weights.reduce(
			(sum, weight, i) => sum + ((counts[i] as number) - weight * draws) ** 2 / (weight * draws),
			0
		);
		expect(chi).toBeLessThan(16.3);
	});
	it('gives a token the same noise whoever else is a candidate', () => {
		expect(gumbel(seed, 4, 77)).toBe(gumbel(seed, 4, 77));
		expect(gumbel(seed, 4, 77)).not.toBe(gumbel(seed, 5, 77));
		expect(gumbel(seed, 4, 77)).not.toBe(gumbel(seed, 4, 78));
	});
	it('accepts every honest draw made with slightly other logits', () => {
		fc.assert(
			fc.property(
				fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 24, maxLength: 24 }),
				fc.array(fc.double({ min: -1e-4, max: 1e-4, noNaN: true }), { minLength: 24, maxLength: 24 }),
				fc.nat(1000),
				fc.constantFrom(200, 700, 1000),
				fc.constantFrom(500, 900, 1000),
				(logits, noise, position, temperatureMilli, topPMilli) => {
					const sampling = { temperatureMilli, topK: 12, topPMilli };
					const executor = topCandidates(Float32Array.from(logits), 20);
					const auditor = topCandidates(Float32Array.from(logits.map((value, i) => value + (noise[i] as number))), 24);
					const token = draw(executor, sampling, seed, position);
					expect(isLegitimate(auditor, sampling, seed, position, token, 2e-4)).toBe(true);
				}
			),
			{ numRuns: 300 }
		);
	});
	it('refuses a steered draw', () => {
		let refused = 0;
		for (let position = 0; position < 200; position++) {
			const ranked = topCandidates(
				Float32Array.from({ length: 24 }, (_, id) => gumbel(seed, position, 1000 + id) * 2),
				24
			);
			const sampling = { temperatureMilli: 700, topK: 12, topPMilli: position % 2 === 0 ? 1000 : 900 };
			const token = draw(ranked, sampling, seed, position);
			const other = ranked.find((candidate) => candidate.id !== token) as Candidate;
			if (!isLegitimate(ranked, sampling, seed, position, other.id, 2e-4)) refused++;
		}
		expect(refused).toBeGreaterThan(195);
	});
	it('keeps its vectors', () => {
		for (const vector of vectors.draws) {
			const ranked = topCandidates(Float32Array.from(vector.logits), 20);
			expect(draw(ranked, vector.sampling, Uint8Array.from(vector.seed), vector.position)).toBe(vector.token);
		}
		for (const vector of vectors.gumbel) {
			expect(gumbel(Uint8Array.from(vector.seed), vector.position, vector.token)).toBe(vector.value);
		}
	});
});
