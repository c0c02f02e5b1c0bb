/** Other ways to choose among the same bids, to compare the real one with. What is asked of a bid, and everything after the choice, stays the same. */
import { knowledgeOf } from '#lib/market/expect.ts';
import { mostItCanCost } from '#lib/market/price.ts';
import { acceptable, type BidHeard, type Chance, type Rank } from '#lib/market/select.ts';
import { Registry, type Choosing, type RegistryPorts } from '#lib/node/registry.ts';
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';

export const POLICIES = ['ours', 'random', 'cheapest', 'least-loaded', 'fastest-claim'] as const;
export type Policy = (typeof POLICIES)[number];

export const isPolicy = (name: string): name is Policy => (POLICIES as readonly string[]).includes(name);

/** A node's way to choose. */
export function choosing(policy: Policy, ports: RegistryPorts): Choosing {
	const registry = new Registry(ports);
	if (policy === 'ours') return registry;
	const { chance } = registry;
	return {
		rank: by(ORDER[policy], chance),
		chance,
		explores: () => false,
		knowledge: () => knowledgeOf([], 0),
		proven: () => false,
		learn: () => undefined,
		failed: () => undefined
	};
}

/** Lower is better; equal ones are drawn by lot. */
const ORDER: Readonly<Record<Exclude<Policy, 'ours'>, (heard: BidHeard, announcement: JobAnnouncement) => number>> = {
	random: () => 0,
	cheapest: ({ bid, sameAccount }, announcement) => (sameAccount ? 0 : mostItCanCost(announcement, bid.pricePer1k)),
	'least-loaded': ({ bid }) => bid.waitMs ?? 0,
	// As it was before anything was remembered: the expected end by the bidder's own words.
	'fastest-claim': ({ bid }, { maxTokens }) =>
		bid.firstTokenMs + (1e6 * maxTokens) / Math.max(1, bid.milliTokensPerSecond)
};

function by(cost: (heard: BidHeard, announcement: JobAnnouncement) => number, chance: Chance): Rank {
	return (heard, announcement, policy, now) =>
		heard
			.filter((each) => acceptable(each, announcement, policy, now))
			.map((each) => ({ heard: each, cost: cost(each, announcement), lot: chance() }))
			.sort((a, b) => a.cost - b.cost || a.lot - b.lot)
			.map((each) => ({ heard: each.heard, reason: 'compared' }));
}
