/**
 * Whether this device's clock is the odd one, from the times that others signed. Pure (docs/decisions/wrong-clock.md).
 *
 * One refused statement says that two clocks differ, and nothing of which is wrong. Names cost nothing, so those who hand the statements
 * on have a vote each, and not those who signed them; a false alarm is to be harder than a missing one, which only leaves things as they were.
 */
import type { PeerId } from '#lib/ports/mesh.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';

/** What one account's signed time says of this clock. */
export interface ClockWitness {
	/** `did:key` of the account. */
	readonly account: string;
	/** Neighbour that handed its statement on. */
	readonly from: PeerId;
	/** This clock less the signed time, ms: positive where this one is ahead. */
	readonly aheadMs: number;
}

/** Accounts that must agree before anything is said: with two, one of them may be the odd one. */
export const LEAST_ACCOUNTS = 3;

/** By how many ms this clock is ahead (negative: behind), when most of those who hand on what others signed bear it out; else undefined. */
export function clockError(witnesses: readonly ClockWitness[]): number | undefined {
	const votes = [...new Set(witnesses.map(({ from }) => from))].flatMap((from) => {
		const vote = voteOf(witnesses.filter((witness) => witness.from === from));
		return vote === undefined ? [] : [vote];
	});
	const wrong = votes.filter((aheadMs) => Math.abs(aheadMs) > CLOCK_SKEW_MS);
	const error = median(wrong);
	if (error === undefined) return undefined;
	const agreeing = wrong.filter((aheadMs) => near(aheadMs, error)).length;
	return 2 * agreeing > votes.length ? error : undefined;
}

/** What one neighbour's messages say: an error, about 0 when its clock and this one agree, or nothing. One account has one word. */
function voteOf(witnesses: readonly ClockWitness[]): number | undefined {
	const words = [...new Map(witnesses.map(({ account, aheadMs }) => [account, aheadMs])).values()];
	const middle = median(words);
	if (middle === undefined) return undefined;
	// To bear a clock out one is enough: whoever wants to raise an alarm has to silence them all.
	if (Math.abs(middle) <= CLOCK_SKEW_MS) return middle;
	const agreeing = words.filter((aheadMs) => near(aheadMs, middle)).length;
	return agreeing >= LEAST_ACCOUNTS && 2 * agreeing > words.length ? middle : undefined;
}

/** Those who agree with each other within the window may all be right by their own clocks. */
const near = (a: number, b: number): boolean => Math.abs(a - b) <= CLOCK_SKEW_MS;

/** The middle one by size; of two, the one that says less. Never a number that nobody said. */
function median(values: readonly number[]): number | undefined {
	const sorted = values.toSorted((a, b) => a - b);
	const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
	if (low === undefined || high === undefined) return undefined;
	return Math.abs(low) <= Math.abs(high) ? low : high;
}
