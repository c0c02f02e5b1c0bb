/** What a job costs with this executor: a fixed price first; tiers, load and demand come with the economy. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { priceOf } from '#lib/protocol/policy.ts';

/** Microcredits per 1,000 tokens asked for the pocket model unless the contributor says otherwise: a tenth of a credit. */
export const DEFAULT_PRICE_PER_1K = 100_000;

/** The most this job can cost at `pricePer1k`: every prompt token and every answer token it allows. */
export function mostItCanCost(announcement: JobAnnouncement, pricePer1k: number): number {
	return priceOf(pricePer1k, announcement.promptTokens + announcement.maxTokens);
}

/** Whether the asker's bounds admit this price after `spent` microcredits went to earlier executors of the job. */
export function withinBudget(announcement: JobAnnouncement, pricePer1k: number, spent = 0): boolean {
	const { maxPricePer1k, maxPrice } = announcement.policy;
	return pricePer1k <= maxPricePer1k && spent + mostItCanCost(announcement, pricePer1k) <= maxPrice;
}

/** The part of a job that one executor answered and can prove: by its receipt, or by its last acknowledged checkpoint. */
export interface Part {
	/** Microcredits per 1,000 tokens; 0 between nodes of one account. */
	readonly pricePer1k: number;
	/** Tokens that stood before it and were run again. */
	readonly startPosition: number;
	/** Tokens it can prove to have delivered. */
	readonly answerTokens: number;
	/** Microcredits, where a receipt says it. */
	readonly price: number | undefined;
}

/** What the parts cost together when the prompt alone has `promptTokens`. Nothing is owed for a part without proof. */
export function owedFor(parts: readonly Part[], promptTokens: number): number {
	const owed = ({ pricePer1k, startPosition, answerTokens, price }: Part) =>
		price ?? (answerTokens === 0 ? 0 : priceOf(pricePer1k, promptTokens + startPosition + answerTokens));
	return parts.reduce((sum, part) => sum + owed(part), 0);
}
