/** What `npm run mutants` says of its sample: the interval, the draw, and the page. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SeededRandom } from '../doubles/chance.ts';
import { report, shareWords, type Verdict } from '../mutation/report.ts';
import { draw, wilson } from '../mutation/sample.ts';

it('Wilson’s interval: known values, and always around the share', () => {
	const [low, high] = wilson(90, 100);
	expect([low, high].map((value) => value.toFixed(4))).toEqual(['0.8256', '0.9448']);
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 0, max: 1, noNaN: true }), (of, share) => {
			const hits = Math.round(of * share);
			const [least, most] = wilson(hits, of);
			expect(least).toBeGreaterThan(-1e-12);
			expect(most).toBeLessThan(1 + 1e-12);
			expect(least).toBeLessThanOrEqual(hits / of + 1e-12);
			expect(most).toBeGreaterThanOrEqual(hits / of - 1e-12);
		})
	);
});

it('draws without repeating, the same under one seed, all when there are no more', () => {
	const values = Array.from({ length: 50 }, (_, i) => i);
	const drawn = (seed: string) => {
		const random = new SeededRandom(seed);
		return draw(values, 20, (n) => random.below(n));
	};
	expect(drawn('a')).toEqual(drawn('a'));
	expect(drawn('a')).not.toEqual(drawn('b'));
	expect(new Set(drawn('a')).size).toBe(20);
	expect(draw(values, 99, () => 0)).toEqual(values);
});

it('names what nobody noticed, and counts who noticed the rest', () => {
	const verdict = (id: string, by: Verdict['by']): Verdict => ({
		mutant: { id, file: 'src/lib/node/hire.ts', line: 3, kind: 'LogicalOperator', before: 'a || b', after: 'a && b' },
		...{ by, check: by, timedOut: false, ran: 1, ms: 1 }
	});
	const page = report([verdict('1', 'simulator'), verdict('2', 'unit'), verdict('3', undefined)], 9, 'ash');
	expect(page).toContain(`by the simulator before any unit test: ${shareWords(1, 3)}`);
	expect(page).toContain(`or a unit test: ${shareWords(2, 3)}`);
	expect(page).toContain('| `node/hire.ts:3` | LogicalOperator | `a ¦¦ b` | `a && b` |  |');
	expect(shareWords(0, 0)).toBe('none drawn');
});
