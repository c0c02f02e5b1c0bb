/** How many honest jobs were answered, and how sure that number is. */
import type { Counts } from './counts.ts';

export interface Share {
	/** Jobs of honest askers that were answered, or stopped by their own person. */
	readonly finished: number;
	readonly asked: number;
	/** Of those not finished: nobody could take them just then, and their asker was told so within seconds. */
	readonly refused: number;
	/** Share finished, and Wilson's interval at 95 %, in percent. */
	readonly percent: number;
	readonly low: number;
	readonly high: number;
}

/** Ends that say that nobody had room. */
const NO_ROOM = ['failed:no-bids', 'failed:busy'];
/** Two-sided, 95 %. */
const Z = 1.959964;

export function share({ ends }: Pick<Counts, 'ends'>): Share {
	const honest = Object.entries(ends).filter(([name]) => !name.startsWith('hostile'));
	const sum = (names: readonly string[]) => honest.reduce((all, [name, n]) => all + (names.includes(name) ? n : 0), 0);
	const asked = honest.reduce((all, [, n]) => all + n, 0);
	// A stop before anybody had the job ends as `aborted`.
	const finished = sum(['success', 'cancelled', 'failed:aborted', 'lost:aborted']);
	const { low, high } = wilson(finished, asked);
	const round = (part: number) => Math.round(part * 1e5) / 1e3;
	return {
		finished,
		asked,
		refused: sum(NO_ROOM),
		percent: round(asked === 0 ? 0 : finished / asked),
		low: round(low),
		high: round(high)
	};
}

/** Wilson's score interval (1927) for `hits` of `of`. */
export function wilson(hits: number, of: number): { readonly low: number; readonly high: number } {
	if (of === 0) return { low: 0, high: 1 };
	const p = hits / of;
	const middle = p + (Z * Z) / (2 * of);
	const spread = Z * Math.sqrt((p * (1 - p)) / of + (Z * Z) / (4 * of * of));
	const whole = 1 + (Z * Z) / of;
	return { low: Math.max(0, (middle - spread) / whole), high: Math.min(1, (middle + spread) / whole) };
}
