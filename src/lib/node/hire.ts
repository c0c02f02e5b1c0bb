/** Step 6: a direct encrypted channel to the chosen executor; only now, and only there, does the prompt leave. */
import { codeOf, Refusal, retryMsOf, type Code } from '#lib/protocol/errors.ts';
import type { Wish } from './app.ts';
import { hangUpAll, isNewcomer, knock, KNOCKED, MAX_KNOCKED, newcomersFail } from './ask.ts';
import { assign, PATIENT, QUICK } from './assign.ts';
import { whoBid, type RankedJob, type SignedBid } from './bidding.ts';
import type { ExecutorFacts, OriginateEvent } from './events.ts';
import type { Beginning, HiredJob } from './hired-job.ts';
import { Inbox } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** Offers tried one after the other before the job counts as failed. */
export const MAX_TRIES = 8;
/** When to come back, where nothing was said of it. */
const SOON_MS = 1_000;
/** Longer than any place is held. */
const LONG_MS = 3_600_000;
/** Codes that say "not now" rather than "never". */
const NOT_NOW: readonly Code[] = ['busy', 'expired', 'rate-limited'];

/**
 * Yields `queued` and `assigned`; returns the accepted job, under `firstEpoch` or one of the next. Refusals: `aborted`; `busy`, when one of those
 * tried might take it later; else that of the last executor tried. Whoever had its try is added to `tried`; after each the rest are weighed anew.
 */
export async function* hire(
	ranked: RankedJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal,
	firstEpoch = 1,
	tried = new Set<string>()
): AsyncGenerator<OriginateEvent, HiredJob, void> {
	const { continueFrom } = wish;
	const { job } = ranked;
	const first = { continueFrom, startedFrom: continueFrom.length, predecessors: [], parts: [] };
	const weigh = (bids: readonly SignedBid[]) =>
		ports.registry.rank(bids, job.announcement.body, job.policy, ports.clock.monotonic());
	/** Those who were shown the prompt. */
	const had = new Set<string>();
	const left = () => choices.map(({ heard }) => heard).filter(({ executor }) => !tried.has(executor));
	const rest = () => weigh([...answered.filter(({ executor }) => !had.has(executor)), ...left()]);
	let last = new Refusal('no-bids');
	let laterMs: number | undefined;
	const full: string[] = [];
	const answered: SignedBid[] = [];
	let wary = newcomersFail(ports);
	let knocked = KNOCKED;
	let { choices } = ranked;
	/** Whose way is kept, once somebody listens to it. */
	let taken: SignedBid | undefined;
	try {
		for (let tries = 0; tries < MAX_TRIES;) {
			if (signal.aborted) throw new Refusal('aborted');
			const [choice] = choices;
			if (choice === undefined) break;
			const isNew = (heard: SignedBid) => heard.line === undefined && isNewcomer(heard, ports);
			if (wary && isNew(choice.heard)) {
				const those = left().filter(isNew).slice(0, knocked);
				for (const { executor } of those) tried.add(executor);
				const here = await knock(those, job, ports, signal);
				if (here.length === 0) knocked = Math.min(MAX_KNOCKED, 2 * knocked);
				answered.push(...here);
				choices = rest();
				continue;
			}
			tried.add(choice.heard.executor);
			had.add(choice.heard.executor);
			const patience = choices.length > 1 ? QUICK : PATIENT;
			const beginning: Beginning = {
				...first,
				epoch: firstEpoch + tries++,
				seedFrom: undefined,
				deadlineAt: undefined
			};
			try {
				const hired = yield* queueing(choice.heard.executor, ports, signal, (told, until) =>
					assign(job, choice, beginning, wish, ports, until, patience, told)
				);
				try {
					yield { type: 'assigned', executor: facts(choice.heard), reason: choice.reason };
					taken = hired.executor;
				} finally {
					if (taken === undefined) hired.channel.abort();
				}
				return hired;
			} catch (error) {
				if (signal.aborted) throw new Refusal('aborted');
				ports.log('executor-not-hired', { code: codeOf(error) });
				last = new Refusal(codeOf(error), 'executor');
				ports.registry.failed(whoBid(choice.heard), last.code, 'hiring');
				if (NOT_NOW.includes(last.code)) {
					full.push(choice.heard.executor);
					laterMs = Math.min(laterMs ?? Infinity, retryMsOf(error) ?? SOON_MS);
				} else wary = true;
				choices = rest();
			}
		}
	} finally {
		hangUpAll(answered, taken);
	}
	// Who was full may have room later.
	for (const executor of full) tried.delete(executor);
	throw laterMs === undefined ? last : new Refusal('busy', 'executor', laterMs);
}

/** Tells of its place in the queue while `work` waits there. A reader that leaves gives the place up. */
async function* queueing(
	executor: string,
	ports: NodePorts,
	signal: AbortSignal,
	work: (told: (waitMs: number) => void, until: AbortSignal) => Promise<HiredJob>
): AsyncGenerator<OriginateEvent, HiredJob, void> {
	const news = new Inbox<number | undefined>(ports.clock);
	const left = new AbortController();
	const until = AbortSignal.any([signal, left.signal]);
	const done = work((waitMs) => news.put(waitMs), until).finally(() => news.put(undefined));
	// Its failure is thrown below; until then nobody may call it unhandled.
	done.catch(() => undefined);
	for (;;) {
		const waitMs = await news.take(LONG_MS);
		if (waitMs === undefined) return done;
		let stays = false;
		try {
			yield { type: 'queued', executor, waitMs };
			stays = true;
		} finally {
			if (!stays) {
				left.abort();
				void done.then(
					({ channel }) => channel.abort(),
					() => undefined
				);
			}
		}
	}
}

/** What a person wants to know of a bidder. */
export function facts(heard: SignedBid): ExecutorFacts {
	return {
		id: heard.executor,
		account: heard.account,
		sameAccount: heard.sameAccount,
		region: heard.bid.region,
		model: heard.bid.model.id,
		modelName: heard.bid.model.name,
		pricePer1k: heard.sameAccount ? 0 : heard.bid.pricePer1k
	};
}
