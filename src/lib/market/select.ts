/**
 * Of the bids heard, these, best first, and why: a pure decision of the originator.
 *
 * Who is known is ranked by what was measured; newcomers, of whom nothing can be told apart but their claims, by lot within a factor of two. In a
 * job to explore in a newcomer goes first where somebody known stands behind it, so that anybody can earn a record.
 *
 * How it would be cheated: docs/decisions/selection.md.
 */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { priceOf, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { expect, newcomersOdds, NOTHING_KNOWN, type Expected, type Knowledge } from './expect.ts';
import { kindOf } from './known.ts';
import { withinBudget } from './price.ts';
import { reasonFor } from './reason.ts';

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

export interface Choice<B extends BidHeard> {
	readonly heard: B;
	/** For a person: kept with the job and shown with the answer. */
	readonly reason: string;
}

/** How bids are ranked: `select` with what is known, or another order to compare it with. `now` is monotonic ms. */
export type Rank = <B extends BidHeard>(
	heard: readonly B[],
	announcement: JobAnnouncement,
	policy: ExecutionPolicy,
	now: number,
	explore?: boolean
) => readonly Choice<B>[];

/** A number in [0, 1), another each time. */
export type Chance = () => number;

/** What a failed try costs: its silence, and a new connection, ms. */
const FAILED_MS = 5_000;
/** What a person would wait to save a credit, ms for a microcredit. */
const MS_PER_MICROCREDIT = 10_000 / 1_000_000;
/** Newcomers are drawn by lot as long as one is not expected to take longer than another by this part. */
const BY_LOT = 1;
/** Jobs in which a newcomer goes first though somebody known offers, if newcomers did well lately. */
export const EXPLORED = 1 / 8;
/** A newcomer is tried only if it is not expected to take longer than the best by more than this. */
const EXPLORED_SLOWER = 3;
/** A second newcomer of the same kind, or account, stands behind others: who fails together shall not be tried in a row. */
const SAME_KIND = 0.5;
const SAME_ACCOUNT = 2;

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

interface Candidate<B> {
	readonly heard: B;
	readonly expected: Expected;
	/** What choosing it costs, in ms: time, risk and price together. */
	readonly cost: number;
}

/**
 * Ranks acceptable bids: nodes of the same account first (they are free), then by what they are expected to cost in time, risk and money.
 * `now` is monotonic ms. Without `chance` the order depends on nothing but the other arguments.
 */
export function select<B extends BidHeard>(
	heard: readonly B[],
	announcement: JobAnnouncement,
	policy: ExecutionPolicy,
	now: number,
	knowledge: Knowledge = NOTHING_KNOWN,
	{ chance = () => 0, explore = false }: { readonly chance?: Chance; readonly explore?: boolean } = {}
): Choice<B>[] {
	const { maxTokens, promptTokens } = announcement;
	const candidates = heard
		.filter((each) => acceptable(each, announcement, policy, now))
		.map((each): Candidate<B> => {
			const expected = expect(each, announcement, knowledge);
			const { odds, endMs, known } = expected;
			const price = each.sameAccount ? 0 : priceOf(each.bid.pricePer1k, promptTokens + maxTokens);
			const sure = endMs + (FAILED_MS * (1 - odds)) / Math.max(0.01, odds) + price * MS_PER_MICROCREDIT;
			return { heard: each, expected, cost: known === undefined ? sure * (1 + BY_LOT * chance()) : sure };
		});
	const ranked = apart([...candidates].sort(byCost));
	const tried = explore ? explored(ranked) : undefined;
	const order = tried === undefined ? ranked : [tried, ...ranked.filter((each) => each !== tried)];
	return order.map((each) => ({
		heard: each.heard,
		reason: reasonFor(each.heard, each.expected, { offers: order.length, tried: each === tried })
	}));
}

/** Ties fall to the one that claims more, then to the lower PeerId. */
function byCost(a: Candidate<BidHeard>, b: Candidate<BidHeard>): number {
	return (
		Number(b.heard.sameAccount) - Number(a.heard.sameAccount) ||
		a.cost - b.cost ||
		b.heard.bid.milliTokensPerSecond - a.heard.bid.milliTokensPerSecond ||
		(a.heard.executor < b.heard.executor ? -1 : 1)
	);
}

/** Moves newcomers of a kind or account that stands before them already back a little, each by how many there are. */
function apart<B extends BidHeard>(ranked: readonly Candidate<B>[]): readonly Candidate<B>[] {
	const before = new Map<string, number>();
	const count = (name: string) => {
		const n = before.get(name) ?? 0;
		before.set(name, n + 1);
		return n;
	};
	return ranked
		.map((each) => {
			const { heard, expected, cost } = each;
			if (expected.known !== undefined || heard.sameAccount) return each;
			const kind = kindOf(heard.bid.addresses);
			const behind = (kind === '' ? 0 : SAME_KIND * count(`kind ${kind}`)) + SAME_ACCOUNT * count(heard.account);
			return { ...each, cost: cost * (1 + behind) };
		})
		.sort(byCost);
}

/** The newcomer that goes first when this is a job to explore in. */
function explored<B extends BidHeard>(ranked: readonly Candidate<B>[]): Candidate<B> | undefined {
	const [best] = ranked;
	if (best === undefined || best.heard.sameAccount || !best.expected.proven) return undefined;
	const newcomer = ranked.find(({ expected }) => expected.known === undefined);
	const slow = newcomer !== undefined && newcomer.expected.endMs > EXPLORED_SLOWER * best.expected.endMs;
	return slow ? undefined : newcomer;
}

/** Whether a job is one to explore in: the worse newcomers did lately, the seldomer. */
export function explores(knowledge: Knowledge, chance: Chance): boolean {
	return chance() >= 1 - EXPLORED * newcomersOdds(knowledge, '');
}
