/** What can be proved of how this profile answered others, from its own receipts. Pure. Counts only: a score of one's own would be a claim. */
import type { ReceiptRecord } from '#lib/ports/store.ts';
import { paces } from './pace.ts';
import type { JobLine } from './contribution.svelte.ts';

export interface Standing {
	/** Answers whose receipt the asker signed too: the only ones that prove anything to somebody else. */
	readonly signedByBoth: number;
	/** Receipts that only this node signed. */
	readonly signedHere: number;
	/** Answers that broke off after the asker had acknowledged a part of them. */
	readonly cutShort: number;
	/** Unix ms of the oldest of these; undefined when there is none. */
	readonly since: number | undefined;
}

/** Counts the receipts of answers given here; those of answers received say nothing of this node. */
export function standingOf(
	records: readonly Pick<ReceiptRecord, 'kind' | 'role' | 'createdAt' | 'counterpart'>[]
): Standing {
	const given = records.filter(({ role }) => role === 'executor');
	const sealed = given.filter(({ kind }) => kind === 'sealed');
	const signedByBoth = sealed.filter(({ counterpart }) => counterpart !== undefined).length;
	return {
		signedByBoth,
		signedHere: sealed.length - signedByBoth,
		cutShort: given.length - sealed.length,
		since: given.length === 0 ? undefined : Math.min(...given.map(({ createdAt }) => createdAt))
	};
}

/** The middle of the speeds at which the last jobs were answered, tokens a second; undefined before there is one. */
export function usualPace(jobs: readonly JobLine[]): number | undefined {
	const sorted = paces(jobs).toSorted((a, b) => a - b);
	return sorted[(sorted.length - 1) >> 1];
}
