/** Who may go on with an answer that somebody else began, best first: a pure decision of the originator. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { sameClass, sameTokens, type OfferedModel } from '#lib/protocol/model.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { acceptable, type BidHeard, type Choice, type Rank } from './select.ts';

/** What is known of the job when its executor is lost. */
export interface Interrupted {
	readonly announcement: JobAnnouncement;
	readonly policy: ExecutionPolicy;
	/** The model whose tokens were shown. */
	readonly model: OfferedModel;
	/** PeerIds of those who were lost in this job; they do not get it again. */
	readonly struckOff: ReadonlySet<string>;
	/** `did:key` of their accounts: whoever runs many nodes shall not lose many epochs of one job. */
	readonly accounts: ReadonlySet<string>;
	/** Microcredits that earlier executors can claim. */
	readonly spent: number;
}

/** An executor's own clock began its bid earlier than we heard it: a bid in its last moments is none. */
const LAST_MOMENTS_MS = 1_000;

/**
 * Ranks the bids that read the same tokens: the bit-exact class before others, accounts that lost nothing of this job (and our own) before those that
 * did, then the order of `rank`. `now` is monotonic ms.
 */
export function successors<B extends BidHeard>(
	heard: readonly B[],
	job: Interrupted,
	now: number,
	rank: Rank
): Choice<B>[] {
	const { announcement, policy, model, struckOff, accounts, spent } = job;
	const fit = heard.filter(
		(candidate) =>
			!struckOff.has(candidate.executor) &&
			sameTokens(candidate.bid.model, model) &&
			acceptable(candidate, announcement, policy, now + LAST_MOMENTS_MS, spent)
	);
	const exact = ({ bid }: B) => Number(sameClass(bid.model, model));
	const trusted = ({ sameAccount, account }: B) => Number(sameAccount || !accounts.has(account));
	return [...rank(fit, announcement, policy, now)].sort(
		(a, b) => exact(b.heard) - exact(a.heard) || trusted(b.heard) - trusted(a.heard)
	);
}
