/** How long to wait before trying a relay or a peer again. Pure: chance is an argument. */

/** First wait, ms: a restarted relay is usually back within a second. */
export const BACKOFF_FIRST_MS = 250;
/** Longest wait, ms: a tab should be back "within a few seconds", and 1,000 tabs then ask a dead relay 200 times a second, which it survives. */
export const BACKOFF_LONGEST_MS = 5_000;
/** 2^16 waits of the first length are far beyond the longest; a larger exponent would only overflow. */
const LARGEST_EXPONENT = 16;

/**
 * The wait before attempt `attempt` (0 = first retry), ms. `chance` in [0, 1) spreads it between half and full length, so that all
 * tabs of a relay that died together do not come back in one instant.
 */
export function backoffMs(attempt: number, chance: number): number {
	const exponent = Math.min(Math.max(0, Math.floor(attempt)), LARGEST_EXPONENT);
	const whole = Math.min(BACKOFF_FIRST_MS * 2 ** exponent, BACKOFF_LONGEST_MS);
	return whole * (0.5 + chance / 2);
}
