/** Where one of several executors stands against what is shown: behind it, ahead of it, or parted from it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { standing, type Said, type Told } from '#lib/market/race.ts';

const BEHIND = { type: 'behind' };
const PARTED = { type: 'parted' };
const shown: Said = { tokens: [1, 2, 3, 4], text: 'abcd' };
/** From the second token on. */
const told = (tokens: readonly number[], text: string): Told => ({ tokens, text, after: { tokens: 1, characters: 1 } });

describe('a teller', () => {
	it('that told nothing new is behind', () => {
		for (const [tokens, text] of [
			[[], ''],
			[[2], 'b'],
			[[2, 3, 4], 'bcd'],
			// A token may hold back its letters until the next.
			[[2, 3], 'b']
		] as const)
			expect(standing(shown, told(tokens, text), 0)).toEqual(BEHIND);
	});

	it('that goes on from what is shown is ahead by what comes next', () => {
		expect(standing(shown, told([2, 3, 4, 5, 6], 'bcdef'), 0)).toEqual({ type: 'ahead', tokens: [5, 6], text: 'ef' });
		expect(standing(shown, told([2, 3, 4, 5], 'bcd'), 0)).toEqual({ type: 'ahead', tokens: [5], text: '' });
		const start = { tokens: [9], text: 'z', after: { tokens: 0, characters: 0 } };
		expect(standing({ tokens: [], text: '' }, start, 0)).toEqual({ type: 'ahead', tokens: [9], text: 'z' });
	});

	it('has parted with the first, the last or any token that is another', () => {
		for (const tokens of [[9], [2, 9], [2, 3, 9], [9, 3, 4], [2, 3, 9, 5]])
			expect(standing(shown, told(tokens, 'bcde'.slice(0, tokens.length)), 0)).toEqual(PARTED);
	});

	it('has parted with other letters of the same tokens, behind as well as ahead', () => {
		expect(standing(shown, told([2, 3], 'bx'), 0)).toEqual(PARTED);
		expect(standing(shown, told([2, 3, 4], 'bcde'), 0)).toEqual(PARTED);
		expect(standing(shown, told([2, 3, 4, 5], 'bcxe'), 0)).toEqual(PARTED);
		expect(standing(shown, told([2, 3, 4, 5], 'bc'), 0)).toEqual(PARTED);
	});

	it('is not compared again where it was found to agree', () => {
		expect(standing(shown, told([9, 3, 4, 5], 'bcde'), 1)).toEqual({ type: 'ahead', tokens: [5], text: 'e' });
		expect(standing(shown, told([2, 9, 4, 5], 'bcde'), 1)).toEqual(PARTED);
	});
});

it('what is shown with what a teller is ahead by is what that teller told', () => {
	const letters = (tokens: readonly number[]) => tokens.map((token) => String.fromCharCode(97 + token)).join('');
	const tokens = fc.array(fc.nat(2), { maxLength: 8 });
	fc.assert(
		fc.property(tokens, tokens, fc.nat(8), (a, b, from) => {
			const after = Math.min(from, a.length);
			const teller = { tokens: b, text: letters(b), after: { tokens: after, characters: after } };
			const found = standing({ tokens: a, text: letters(a) }, teller, 0);
			const whole = [...a.slice(0, after), ...b];
			const common = Math.min(a.length, whole.length);
			const agree = letters(whole).slice(0, common) === letters(a).slice(0, common);
			expect(found.type).toBe(!agree ? 'parted' : whole.length > a.length ? 'ahead' : 'behind');
			if (found.type === 'ahead') expect([...a, ...found.tokens]).toEqual(whole);
		})
	);
});
