/** So much at once and so much in the long run: what is there, what it is after spending, and when there is enough. */
import { expect, it } from 'vitest';
import { left, readyInMs, spend } from '#lib/market/allowance.ts';

const PACE = { burst: 100, perMs: 0.5 };

it('is full at first, comes back with time, never holds more, and minds no clock that goes back', () => {
	expect(left(undefined, PACE, 7)).toBe(100);
	const at = (now: number) => left({ left: 20, at: 1_000 }, PACE, now);
	expect([at(1_000), at(1_010), at(1_159), at(1_160), at(9_999), at(0)]).toEqual([20, 25, 99.5, 100, 100, 20]);
});

it('goes below nothing when more was spent than there was', () => {
	expect(spend(undefined, PACE, 130, 7)).toEqual({ left: -30, at: 7 });
	expect(spend({ left: 20, at: 1_000 }, PACE, 5, 1_010)).toEqual({ left: 20, at: 1_010 });
});

it('says when there is enough, in whole milliseconds, and of more than it ever holds when it is full', () => {
	const ready = (cost: number, now = 1_000) => readyInMs({ left: 20, at: 1_000 }, PACE, cost, now);
	expect([ready(19), ready(20), ready(20.1), ready(30), ready(30, 1_005)]).toEqual([0, 0, 1, 20, 15]);
	expect(ready(1_000)).toBe(160);
	expect(readyInMs(undefined, PACE, 1_000, 0)).toBe(0);
});
