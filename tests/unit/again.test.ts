/** When one wish is asked again by itself, try by try, and when its person is asked instead. */
import { expect, it } from 'vitest';
import { askAgainIn, FLOOR_MS, MAX_AGAIN, MAX_PATIENCE_MS } from '#lib/market/again.ts';

it('never sooner than a second, and from the third try on twice as long each time', () => {
	expect(FLOOR_MS).toBe(1_000);
	const floors = [0, 1, 2, 3, 4, 5].map((times) => askAgainIn({ times, waitedMs: 0 }, 0, 0));
	expect(floors).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 16_000]);
});

it('when an executor said, if that is later, and spread over half of that time', () => {
	expect(askAgainIn({ times: 2, waitedMs: 0 }, 2_001, 0)).toBe(2_001);
	expect(askAgainIn({ times: 2, waitedMs: 0 }, 1_999, 0.5)).toBe(2_500);
	expect(askAgainIn({ times: 0, waitedMs: 0 }, 3_001, 0.5)).toBe(3_752);
});

it('six times, and for a minute in all; then its person decides', () => {
	expect([MAX_AGAIN, MAX_PATIENCE_MS]).toEqual([6, 60_000]);
	expect(askAgainIn({ times: 5, waitedMs: 44_000 }, 0, 0)).toBe(16_000);
	expect(askAgainIn({ times: 5, waitedMs: 44_001 }, 0, 0)).toBeUndefined();
	expect(askAgainIn({ times: 6, waitedMs: 0 }, 0, 0)).toBeUndefined();
});
