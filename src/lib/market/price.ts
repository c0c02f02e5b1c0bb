/** What a job costs with this executor: a fixed price first; tiers, load and demand come with the economy. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { priceOf } from '#lib/protocol/policy.ts';

/** Microcredits per 1,000 tokens asked for the pocket model unless the contributor says otherwise: a tenth of a credit. */
export const DEFAULT_PRICE_PER_1K = 100_000;

/** The most this job can cost at `pricePer1k`: every prompt token and every answer token it allows. */
export function mostItCanCost(announcement: JobAnnouncement, pricePer1k: number): number {
	return priceOf(pricePer1k, announcement.promptTokens + announcement.maxTokens);
}

/** Whether the asker's bounds admit this price. */
export function withinBudget(announcement: JobAnnouncement, pricePer1k: number): boolean {
	const { maxPricePer1k, maxPrice } = announcement.policy;
	return pricePer1k <= maxPricePer1k && mostItCanCost(announcement, pricePer1k) <= maxPrice;
}
