/** May this stranger spend my device now, and on what terms: a pure decision of the executor. */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import { withinBudget } from './price.ts';

/** What the executor knows of itself at this moment. */
export interface ExecutorView {
	readonly model: OfferedModel;
	/** `busy`: with another's job or with the person's own answer, which comes first. */
	readonly engine: 'ready' | 'busy' | 'loading';
	/** Until a loading model is ready, ms. */
	readonly readyInMs: number;
	/** What a stranger's job would find in the queue: how long it waits, or when to come back. */
	readonly queue: { readonly waitMs: number } | { readonly retryMs: number };
	readonly pricePer1k: number;
	readonly tokensPerSecond: number;
	readonly region: string | undefined;
}

export type Verdict =
	/** `firstTokenMs` holds `waitMs`, which is how long others come first. */
	| { readonly type: 'bid'; readonly pricePer1k: number; readonly firstTokenMs: number; readonly waitMs: number }
	| { readonly type: 'interest'; readonly readyInMs: number }
	/** It would, if there were room; said at once, so that nobody waits for a silence. */
	| { readonly type: 'busy'; readonly retryMs: number }
	| { readonly type: 'decline'; readonly why: 'another-model' | 'too-long' | 'price' | 'region' | 'deadline' };

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
	if (!('waitMs' in view.queue)) return { type: 'busy', retryMs: view.queue.retryMs };
	const { waitMs } = view.queue;
	const firstTokenMs = Math.ceil(waitMs + prefillMs(announcement.promptTokens, view.tokensPerSecond));
	if (firstTokenMs > policy.deadlineMs) return { type: 'decline', why: 'deadline' };
	return { type: 'bid', pricePer1k: view.pricePer1k, firstTokenMs, waitMs: Math.min(firstTokenMs, Math.ceil(waitMs)) };
}

/** Time to read a prompt, ms. */
export function prefillMs(promptTokens: number, tokensPerSecond: number): number {
	return (1000 * promptTokens) / Math.max(1, PREFILL_OVER_DECODE * tokensPerSecond);
}

/** Engine time that a job takes when its answer is as long as answers here usually are (`usualTokens`), ms. */
export function workMs(
	job: { readonly promptTokens: number; readonly maxTokens: number },
	tokensPerSecond: number,
	usualTokens: number
): number {
	const answer = (1000 * Math.min(job.maxTokens, usualTokens)) / Math.max(0.001, tokensPerSecond);
	return prefillMs(job.promptTokens, tokensPerSecond) + answer;
}
