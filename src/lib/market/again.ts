/** Everybody was busy: whether asking again by itself makes sense, and when. A pure decision of the originator. */

/** How often one wish is asked again before its person is asked. */
export const MAX_AGAIN = 6;
/** The most a person waits for a place without being asked, ms: after that they may rather have a smaller model on their own device. */
export const MAX_PATIENCE_MS = 60_000;
/** Never sooner, and each time twice as long: whoever says "at once" again and again does not make us hammer. */
export const FLOOR_MS = 1_000;
/** All who were refused at once come back spread over this part of their time, so that they do not meet again. */
const SPREAD = 0.5;

/** How often, and for how long, one wish has found everybody busy. */
export interface Patience {
	readonly times: number;
	/** Ms since it was asked first. */
	readonly waitedMs: number;
}

/**
 * Ms until the next try, or undefined when the person is to decide. `saidMs` is the shortest time that an executor gave: a liar that gives a
 * long one changes nothing when another is honest, and one that gives a short one gains a question more. `chance` in [0, 1).
 */
export function askAgainIn(patience: Patience, saidMs: number, chance: number): number | undefined {
	if (patience.times >= MAX_AGAIN) return undefined;
	const floor = FLOOR_MS * 2 ** Math.max(0, patience.times - 1);
	const ms = Math.ceil(Math.max(floor, saidMs) * (1 + SPREAD * chance));
	return patience.waitedMs + ms > MAX_PATIENCE_MS ? undefined : ms;
}
