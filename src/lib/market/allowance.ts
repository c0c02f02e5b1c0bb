/** So much at once and so much in the long run, as a value: time is an argument, and a fresh one is full. */

/** What is left of an allowance; undefined stands for a full one. */
export interface Allowance {
	/** May be below zero: what was spent before it was known how much it would be. */
	readonly left: number;
	/** Monotonic ms. */
	readonly at: number;
}

export interface Pace {
	/** The most that is there at once. */
	readonly burst: number;
	/** What comes back in each millisecond. */
	readonly perMs: number;
}

/** What is there at `now` (monotonic ms). A clock that goes back brings nothing and takes nothing. */
export function left(allowance: Allowance | undefined, pace: Pace, now: number): number {
	if (allowance === undefined) return pace.burst;
	return Math.min(pace.burst, allowance.left + Math.max(0, now - allowance.at) * pace.perMs);
}

/** After `cost` was spent, whether it was there or not. */
export function spend(allowance: Allowance | undefined, pace: Pace, cost: number, now: number): Allowance {
	return { left: left(allowance, pace, now) - cost, at: now };
}

/** Milliseconds until `cost` is there; 0 when it is. */
export function readyInMs(allowance: Allowance | undefined, pace: Pace, cost: number, now: number): number {
	return Math.max(0, Math.ceil((Math.min(cost, pace.burst) - left(allowance, pace, now)) / pace.perMs));
}
