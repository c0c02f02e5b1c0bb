/** Of the bids heard, these, best first, and why: a pure decision of the originator. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { withinBudget } from './price.ts';

/** A verified bid. */
export interface BidHeard {
	readonly bid: JobBid;
	/** PeerId of the signer. */
	readonly executor: string;
	/** `did:key` of its account. */
	readonly account: string;
	readonly sameAccount: boolean;
	/** Monotonic ms. */
	readonly heardAt: number;
}

export type Reason = 'your own device' | 'the only offer' | 'the fastest offer' | 'the cheapest of the fast offers';

export interface Choice<B extends BidHeard> {
	readonly heard: B;
	readonly reason: Reason;
}

/** Offers this much slower than the fastest still count as equally fast; among them the price decides. */
const AS_FAST = 1.25;

/** Expected milliseconds from assignment to the last token, by the bidder's own words. */
export function expectedEndMs(bid: JobBid, tokens: number): number {
	return bid.firstTokenMs + (1e6 * tokens) / Math.max(1, bid.milliTokensPerSecond);
}

/** Whether the bid keeps to what was announced and to the part of the policy that stayed at home. */
export function acceptable(
	heard: BidHeard,
	announcement: JobAnnouncement,
	policy: ExecutionPolicy,
	now: number,
	spent = 0
): boolean {
	const { bid } = heard;
	if (now - heard.heardAt > bid.validMs) return false;
	if (announcement.model !== undefined && bid.model.id !== announcement.model) return false;
	if (policy.weightsHash !== undefined && !equalBytes(policy.weightsHash, bid.model.weightsHash)) return false;
	if (policy.engineClass !== undefined && policy.engineClass !== bid.model.engineClass) return false;
	if (policy.regions.length > 0 && (bid.region === undefined || !policy.regions.includes(bid.region))) return false;
	if (policy.trust.who === 'these' && !policy.trust.accounts.includes(heard.account)) return false;
	// Standing is evidence weighed by one's own trust roots; without any, every stranger stands at 0.
	if (policy.minStanding > 0 || (policy.trust.who === 'standing' && policy.trust.atLeast > 0)) return heard.sameAccount;
	return withinBudget(announcement, bid.pricePer1k, spent);
}

/**
 * Ranks acceptable bids: nodes of the same account first (they are free), then the fast ones by price, then the rest by speed.
 * `now` is monotonic ms. Ties fall to the lower PeerId, so the result depends on nothing but its arguments.
 */
export function select<B extends BidHeard>(
	heard: readonly B[],
	announcement: JobAnnouncement,
	policy: ExecutionPolicy,
	now: number
): Choice<B>[] {
	const fit = heard.filter((candidate) => acceptable(candidate, announcement, policy, now));
	const end = (candidate: B) => expectedEndMs(candidate.bid, announcement.maxTokens);
	const fastest = Math.min(...fit.map(end));
	const fast = (candidate: B) => end(candidate) <= fastest * AS_FAST;
	const order = (a: B, b: B) =>
		Number(b.sameAccount) - Number(a.sameAccount) ||
		Number(fast(b)) - Number(fast(a)) ||
		(fast(a) ? a.bid.pricePer1k - b.bid.pricePer1k : 0) ||
		end(a) - end(b) ||
		(a.executor < b.executor ? -1 : 1);
	return [...fit]
		.sort(order)
		.map((candidate) => ({ heard: candidate, reason: reasonFor(candidate, fit, end(candidate) === fastest) }));
}

function reasonFor(chosen: BidHeard, fit: readonly BidHeard[], isFastest: boolean): Reason {
	if (chosen.sameAccount) return 'your own device';
	if (fit.length === 1) return 'the only offer';
	return isFastest ? 'the fastest offer' : 'the cheapest of the fast offers';
}
