/**
 * Whom to ask before everybody is asked: a pure choice of the originator, among those who state that they offer.
 *
 * Only those who did well here, or are one's own: they have seen this node's address before, so that asking tells nothing new to anybody but that it
 * asks again. And lenders of people one knows, who can be asked in no other way, and then before the others hear of it. How it would be cheated: docs/decisions/selection.md.
 */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { expect, type Knowledge } from './expect.ts';
import { withinBudget } from './price.ts';

/** The most that are asked directly (protocol.md 3). */
export const MAX_ASKED = 8;

/** A statement that somebody offers a model. */
export interface Stated {
	/** PeerId. */
	readonly executor: string;
	readonly account: string;
	readonly region: string | undefined;
	/** Model id. */
	readonly model: string;
	readonly tokensPerSecond: number;
	/** Microcredits per 1,000 tokens. */
	readonly pricePer1k: number;
	/** It is of the same account. */
	readonly free: boolean;
	readonly addresses: readonly string[];
	/** It answers only people it knows, and its person is one to whom this account may be shown. */
	readonly circle?: boolean;
}

/** The best first, each once. While a lender of people one knows can do it, nobody else but one's own is among them: others are not to hear of it. */
export function whomToAsk<S extends Stated>(
	stated: readonly S[],
	announcement: JobAnnouncement,
	policy: ExecutionPolicy,
	knowledge: Knowledge
): readonly S[] {
	const { model } = announcement;
	const { regions, trust, minStanding } = policy;
	const strangers = minStanding === 0 && !(trust.who === 'standing' && trust.atLeast > 0);
	const found = new Map<string, { readonly each: S; readonly cost: number }>();
	for (const each of stated) {
		if (model !== undefined && each.model !== model) continue;
		if (regions.length > 0 && (each.region === undefined || !regions.includes(each.region))) continue;
		if (trust.who === 'these' && !trust.accounts.includes(each.account)) continue;
		if (!each.free && (!strangers || !withinBudget(announcement, each.pricePer1k))) continue;
		const bid = {
			...{ firstTokenMs: 0, milliTokensPerSecond: 1000 * each.tokensPerSecond, addresses: [...each.addresses] },
			model: { id: each.model }
		};
		const expected = expect({ ...each, bid }, announcement, knowledge);
		if (!each.free && each.circle !== true && !expected.proven) continue;
		const cost = expected.endMs / Math.max(0.01, expected.odds);
		if (cost < (found.get(each.executor)?.cost ?? Infinity)) found.set(each.executor, { each, cost });
	}
	const all = [...found.values()];
	const among = all.some(({ each }) => each.circle === true);
	return all
		.filter(({ each }) => !among || each.circle === true || each.free)
		.sort(
			(a, b) =>
				Number(b.each.free) - Number(a.each.free) ||
				Number(b.each.circle === true) - Number(a.each.circle === true) ||
				a.cost - b.cost ||
				(a.each.executor < b.each.executor ? -1 : 1)
		)
		.slice(0, MAX_ASKED)
		.map(({ each }) => each);
}

/** Behind others for longer than this, somebody else may be sooner, and everybody is asked after all, ms. */
export const BEGINS_WITHIN_MS = 3_000;
