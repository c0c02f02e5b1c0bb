/** May this stranger spend my device now, and on what terms: a pure decision of the executor. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import { withinBudget } from './price.ts';

/** What the executor knows of itself at this moment. */
export interface ExecutorView {
	readonly model: OfferedModel;
	/** `busy` covers the person's own local answers too: they come first. */
	readonly engine: 'ready' | 'busy' | 'loading';
	/** Until a loading model is ready, ms. */
	readonly readyInMs: number;
	/** Bids out that may still be accepted, each a reservation. */
	readonly openBids: number;
	readonly pricePer1k: number;
	readonly tokensPerSecond: number;
	readonly region: string | undefined;
}

export type Verdict =
	| { readonly type: 'bid'; readonly pricePer1k: number; readonly firstTokenMs: number }
	| { readonly type: 'interest'; readonly readyInMs: number }
	| {
			readonly type: 'decline';
			readonly why: 'busy' | 'another-model' | 'too-long' | 'price' | 'region' | 'too-many-bids';
	  };

/** Reservations one node gives at once. A flood of announcements would otherwise be answered by a flood of bids. */
export const MAX_OPEN_BIDS = 16;
/** Prefill is taken as four times as fast as decoding: the lowest ratio measured on a CPU engine. */
const PREFILL_OVER_DECODE = 4;

export function admit(announcement: JobAnnouncement, view: ExecutorView): Verdict {
	const { model, policy } = announcement;
	const named = model === undefined || model === view.model.id;
	const weights = policy.weightsHash === undefined || equalBytes(policy.weightsHash, view.model.weightsHash);
	const engineClass = policy.engineClass === undefined || policy.engineClass === view.model.engineClass;
	if (!named || !weights || !engineClass) return { type: 'decline', why: 'another-model' };
	if (policy.regions.length > 0 && (view.region === undefined || !policy.regions.includes(view.region))) {
		return { type: 'decline', why: 'region' };
	}
	if (announcement.maxTokens > view.model.contextTokens) return { type: 'decline', why: 'too-long' };
	if (!withinBudget(announcement, view.pricePer1k)) return { type: 'decline', why: 'price' };
	if (view.engine === 'loading') return { type: 'interest', readyInMs: view.readyInMs };
	if (view.engine === 'busy') return { type: 'decline', why: 'busy' };
	if (view.openBids >= MAX_OPEN_BIDS) return { type: 'decline', why: 'too-many-bids' };
	const prefillMs = (1000 * announcement.promptTokens) / Math.max(1, PREFILL_OVER_DECODE * view.tokensPerSecond);
	return { type: 'bid', pricePer1k: view.pricePer1k, firstTokenMs: Math.min(3_600_000, Math.ceil(prefillMs)) };
}
