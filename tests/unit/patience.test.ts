/** How long a connection may be silent, from the silences on it that ended. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
	KNOWN_AFTER_MS,
	LEAST_PATIENCE_MS,
	PATIENCE_MS,
	patienceFrom,
	patienceMs,
	paused,
	type Patience
} from '#lib/mesh/patience.ts';

/** The pauses one after the other from `now` on. */
function after(patience: Patience, now: number, pauses: readonly number[]): { patience: Patience; now: number } {
	for (const pause of pauses) {
		now += pause;
		patience = paused(patience, pause, now);
	}
	return { patience, now };
}

/** A connection on which something came every `everyMs` for so long. */
const steady = (everyMs: number, forMs: number) =>
	after(patienceFrom(0), 0, Array<number>(Math.ceil(forMs / everyMs)).fill(everyMs));

const allowed = ({ patience, now }: { readonly patience: Patience; readonly now: number }) => patienceMs(patience, now);

describe('patience', () => {
	it('is whole with beats alone, and half where frames come without a break', () => {
		expect(allowed(steady(250, 60_000))).toBe(PATIENCE_MS);
		expect(allowed(steady(40, 60_000))).toBe(LEAST_PATIENCE_MS);
	});

	it('is five times the longest of the newest four pauses, so whole again with the first beat alone', () => {
		expect(allowed(steady(125, 60_000))).toBe(625);
		expect(allowed(steady(200, 60_000))).toBe(1_000);
		const calm = steady(40, 60_000);
		const beat = after(calm.patience, calm.now, [250]);
		expect(allowed(beat)).toBe(PATIENCE_MS);
		const then = (frames: number) => allowed(after(beat.patience, beat.now, Array<number>(frames).fill(40)));
		expect([then(1), then(3), then(4)]).toEqual([PATIENCE_MS, PATIENCE_MS, LEAST_PATIENCE_MS]);
	});

	it('is whole for the first five seconds', () => {
		expect(allowed(steady(40, KNOWN_AFTER_MS - 40))).toBe(PATIENCE_MS);
		expect(allowed(steady(40, KNOWN_AFTER_MS))).toBe(LEAST_PATIENCE_MS);
		expect(patienceMs(patienceFrom(7), 60_000)).toBe(PATIENCE_MS);
	});

	it('is twice the longest pause for half a minute to a minute after it', () => {
		const calm = steady(40, 60_000);
		const stuttered = after(calm.patience, calm.now, [450]);
		const later = (ms: number) => allowed(after(stuttered.patience, stuttered.now, Array<number>(ms / 40).fill(40)));
		expect(allowed(stuttered), 'one of the newest').toBe(PATIENCE_MS);
		expect([later(200), later(29_000), later(61_000)]).toEqual([900, 900, 600]);
		// A shorter one does not make it forgotten.
		const twice = after(stuttered.patience, stuttered.now, [400, 40, 40, 40, 40]);
		expect(allowed(twice)).toBe(900);
	});

	it('remembers of two spans only, each as long as it lasts', () => {
		let { patience, now } = steady(40, 20_000);
		({ patience, now } = after(patience, now, [500]));
		const at = now;
		while (allowed({ patience, now }) > LEAST_PATIENCE_MS) ({ patience, now } = after(patience, now, [40]));
		expect(now - at).toBeGreaterThan(30_000);
		expect(now - at).toBeLessThan(60_100);
		expect(patience.newest).toHaveLength(4);
	});

	it('never leaves its bounds, whatever a peer does', () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 200 }), (pauses) => {
				const ms = allowed(after(patienceFrom(0), 0, pauses));
				expect(ms).toBeGreaterThanOrEqual(LEAST_PATIENCE_MS);
				expect(ms).toBeLessThanOrEqual(PATIENCE_MS);
			})
		);
	});
});
