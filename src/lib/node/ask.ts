/**
 * A wish said to one executor over a channel of its own, and its bid heard there: nobody else learns of it, no flood on the topics is in its way,
 * and whoever does not answer is not shown the prompt.
 */
import { BEGINS_WITHIN_MS, whomToAsk } from '#lib/market/ask.ts';
import { newcomersOdds } from '#lib/market/expect.ts';
import type { Channel, PeerId } from '#lib/ports/mesh.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import type { AnnouncedJob } from './announce.ts';
import { admitBid, whoBid, type SignedBid } from './bidding.ts';
import type { OriginateEvent } from './events.ts';
import { Inbox, pour, type JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';
import { reach } from './reach.ts';
import { say } from './say.ts';

/** An open way to a bidder; its assignment may go there. */
export interface Line {
	readonly channel: Channel;
	readonly inbox: Inbox<JobMail>;
}

/** Newcomers that are asked at once whether they are there, when one of them was not; only who answers is shown the prompt. */
export const KNOCKED = 4;
/** While none of them answers, twice as many each time, up to so many. */
export const MAX_KNOCKED = 16;
/** For a new connection and the answer. Who is known is mostly connected, or was. */
const KNOWN_MS = 1_500;
/** The same for a newcomer, which answers at once or is of no use. */
const KNOCK_MS = 1_500;
/** After the first answer, for a better one: others are as far away. */
const BETTER_ANSWER_MS = 150;

/** What one said who was asked: a bid, or that it could, later. */
type Answer =
	| { readonly type: 'offer'; readonly offer: SignedBid }
	| { readonly type: 'later'; readonly executor: PeerId; readonly retryMs: number }
	| { readonly type: 'none'; readonly executor: PeerId; readonly code: Code };

/** Who can be asked; `circle`: only by somebody that shows its account. */
interface Askable {
	readonly executor: PeerId;
	readonly addresses: readonly string[];
	readonly circle?: boolean;
}

/** Asks one, which `signal` ends; `ms` bounds each step that takes no notice of it. Never rejects; an open way is left only with an offer. */
async function askOne(
	{ executor, addresses, circle }: Askable,
	job: AnnouncedJob,
	ms: number,
	ports: NodePorts,
	signal: AbortSignal
): Promise<Answer> {
	const { clock } = ports;
	let channel: Channel | undefined;
	try {
		channel = await reach(executor, addresses, ms, ports, signal);
		const inbox = new Inbox<JobMail>(clock);
		void pour(channel, inbox);
		if (circle === true) await say(channel, ports.identity.certificate, clock, ms);
		await say(channel, job.announcement.bytes, clock, ms);
		// Somebody else was sooner: its way is closed now, not when its time is over.
		const stop = () => inbox.put({ type: 'stop' });
		signal.addEventListener('abort', stop, { once: true });
		if (signal.aborted) stop();
		const mail = await inbox.take(ms).finally(() => signal.removeEventListener('abort', stop));
		if (signal.aborted) throw new Refusal('aborted');
		if (mail?.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
		if (mail?.type !== 'message') throw new Refusal('stalled');
		const word = await admitBid(mail.bytes, job, [job.announcement], ports);
		if (word?.type === 'offer' && word.executor === executor)
			return { type: 'offer', offer: { ...word.offer, line: { channel, inbox } } };
		channel.abort();
		if (word?.type === 'full') return { type: 'later', executor, retryMs: word.retryMs };
		if (word?.type === 'interest') return { type: 'later', executor, retryMs: word.readyInMs };
		return { type: 'none', executor, code: 'declined' };
	} catch (error) {
		channel?.abort();
		const code = codeOf(error);
		if (!signal.aborted) ports.log('asked-in-vain', { code });
		return { type: 'none', executor, code };
	}
}

/** Asks all at once; `enough` ends it a moment after it holds, everything else after `ms`. */
async function askAll(
	those: readonly Askable[],
	job: AnnouncedJob,
	ms: number,
	enough: (offers: readonly SignedBid[]) => boolean,
	ports: NodePorts,
	signal: AbortSignal
): Promise<readonly Answer[]> {
	const { clock } = ports;
	const came = new Inbox<Answer>(clock);
	const stop = new AbortController();
	const either = AbortSignal.any([signal, stop.signal]);
	for (const one of those)
		// Each has longer than it is waited for: who has merely not answered by the end is called off then, and has not failed.
		void askOne(one, job, 2 * ms, ports, either).then((answer) => {
			// Too late to be read: its way is closed.
			if (stop.signal.aborted) hangUp(answer);
			else came.put(answer);
		});
	const answers: Answer[] = [];
	let end = clock.monotonic() + ms;
	while (answers.length < those.length && clock.monotonic() < end && !signal.aborted) {
		const answer = await came.take(Math.ceil(end - clock.monotonic()));
		if (answer === undefined) break;
		answers.push(answer);
		if (enough(offersIn(answers))) end = Math.min(end, clock.monotonic() + BETTER_ANSWER_MS);
	}
	stop.abort();
	for (let more = came.poll(); more !== undefined; more = came.poll()) hangUp(more);
	return answers;
}

const offersIn = (answers: readonly Answer[]): readonly SignedBid[] =>
	answers.flatMap((answer) => (answer.type === 'offer' ? [answer.offer] : []));

function hangUp(answer: Answer): void {
	if (answer.type === 'offer') answer.offer.line?.channel.abort();
}

/** Closes the ways of all offers but `kept`'s. */
export function hangUpAll(offers: readonly SignedBid[], kept?: SignedBid): void {
	for (const { line, executor } of offers) if (line !== undefined && executor !== kept?.executor) line.channel.abort();
}

/** What those said who did well here before. */
export interface Asked {
	readonly offers: readonly SignedBid[];
	/** One of them is as good as what was expected: nobody else needs to be asked. */
	readonly enough: boolean;
	/** The shortest time that a lender of people one knows gave, which is full or loads: it is asked in no other way. */
	readonly laterMs?: number | undefined;
}

/** Yields `asked` and `bid`; returns what was offered, which is nothing where nobody is known. `except`: who had a try is not asked. */
export async function* askKnown(
	job: AnnouncedJob,
	ports: NodePorts,
	signal: AbortSignal,
	except: ReadonlySet<PeerId> = new Set()
): AsyncGenerator<OriginateEvent, Asked, void> {
	const { registry } = ports;
	const stated = ports.offers().filter(({ executor }) => !except.has(executor));
	const those = whomToAsk(stated, job.announcement.body, job.policy, registry.knowledge());
	if (those.length === 0) return { offers: [], enough: false };
	const circle = new Set(those.flatMap((one) => (one.circle ? [one.executor] : [])));
	yield { type: 'asked', job: job.hex, executors: those.length };
	const good = (offers: readonly SignedBid[]) => {
		const ranked = registry.rank(offers, job.announcement.body, job.policy, ports.clock.monotonic());
		return ranked.some(
			({ heard }) =>
				(heard.sameAccount || circle.has(heard.executor) || registry.proven(heard.executor)) &&
				(heard.bid.waitMs ?? 0) <= BEGINS_WITHIN_MS
		);
	};
	const answers = await askAll(those, job, KNOWN_MS, good, ports, signal);
	const offers = offersIn(answers);
	if (signal.aborted) {
		hangUpAll(offers);
		throw new Refusal('aborted');
	}
	for (const { executor, bid } of offers) yield { type: 'bid', executor, pricePer1k: bid.pricePer1k };
	const later = answers.flatMap((one) => (one.type === 'later' && circle.has(one.executor) ? [one.retryMs] : []));
	return { offers, enough: good(offers), laterMs: later.length > 0 ? Math.min(...later) : undefined };
}

/** Nothing is remembered of it. */
export const isNewcomer = ({ executor }: SignedBid, { registry }: NodePorts): boolean =>
	!registry.knowledge().executors.has(executor);

/** Two newcomers that stalled lately bring the odds below this (to 0.29); a single one does not (0.40). */
const WARY_BELOW = 0.35;

/** Whether newcomers failed lately, so that the next is asked whether it is there before it is shown anything. */
export const newcomersFail = ({ registry }: NodePorts): boolean => newcomersOdds(registry.knowledge(), '') < WARY_BELOW;

/** One that closes the way, as a lender does that was asked too often or is about to leave, or says no: it is there. */
const AT_HOME: readonly Code[] = ['channel-closed', 'declined'];

/**
 * Asks newcomers once more before one of them is shown the prompt, several at a time. Those who answer come back with an open way. Who is found not to
 * be there meanwhile is remembered as having failed; who has merely not answered by the end is not: a first connection may take longer than this.
 */
export async function knock(
	newcomers: readonly SignedBid[],
	job: AnnouncedJob,
	ports: NodePorts,
	signal: AbortSignal
): Promise<readonly SignedBid[]> {
	const those = newcomers.map(({ executor, bid }) => ({ executor, addresses: bid.addresses }));
	const answers = await askAll(those, job, KNOCK_MS, (offers) => offers.length > 0, ports, signal);
	for (const answer of answers) {
		if (answer.type !== 'none' || signal.aborted) continue;
		const silent = newcomers.find(({ executor }) => executor === answer.executor);
		// A name that nobody can dial weighs as much as silence: it costs as little.
		const code = AT_HOME.includes(answer.code) ? answer.code : 'stalled';
		if (silent !== undefined) ports.registry.failed(whoBid(silent), code, 'hiring');
	}
	return offersIn(answers);
}
