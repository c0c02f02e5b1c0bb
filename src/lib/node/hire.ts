/** Step 6: a direct encrypted channel to the chosen executor; only now, and only there, does the prompt leave. */
import type { Channel } from '#lib/ports/mesh.ts';
import type { Choice } from '#lib/market/select.ts';
import type { Part } from '#lib/market/price.ts';
import { assignJob, type AssignJob, type SeedOrigin } from '#lib/protocol/assignment.ts';
import { commitNonce, seedOf } from '#lib/protocol/bid.ts';
import { equalBytes, type Link } from '#lib/protocol/encode.ts';
import { open, seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, isCode, Refusal, retryMsOf, type Code } from '#lib/protocol/errors.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import type { Wish } from './app.ts';
import type { AnnouncedJob } from './announce.ts';
import { whoBid, type RankedJob, type SignedBid } from './bidding.ts';
import type { ExecutorFacts, OriginateEvent } from './events.ts';
import { hangUpAll, isNewcomer, knock, KNOCKED, MAX_KNOCKED, newcomersFail } from './ask.ts';
import { Inbox, pour, type JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';
import { reach } from './reach.ts';
import { say } from './say.ts';
import type { Transcript } from './transcript.ts';

/** A job that an executor has accepted. */
export interface HiredJob {
	readonly job: AnnouncedJob;
	readonly executor: SignedBid;
	readonly assignment: Signed<AssignJob>;
	readonly seed: Uint8Array;
	/** What the seed was made of: later executors of the job go on with it. */
	readonly seedFrom: SeedOrigin;
	readonly channel: Channel;
	readonly inbox: Inbox<JobMail>;
	/** Monotonic ms when the policy's time is over. */
	readonly deadlineAt: number;
	/** Answer position the job began at, whoever began it. */
	readonly startedFrom: number;
	/** What earlier executors of the job can prove, oldest first. */
	readonly parts: readonly Part[];
	/** When another page of this profile began it: what that page had heard and shown. */
	readonly resumed?: Resumed;
}

/** What one page leaves to the next. */
export interface Resumed {
	readonly transcript: Transcript;
	/** Of this executor, up to the transcript's position. */
	readonly tokens: readonly number[];
	readonly text: string;
	/** Every token of the answer that was shown, and the text since this executor began; may be longer than what was kept of its frames. */
	readonly shown: { readonly tokens: readonly number[]; readonly text: string };
	readonly attempt: number;
}

/** Where an executor begins; earlier executors of the job leave it to the next. */
export interface Beginning extends Pick<HiredJob, 'startedFrom' | 'parts'> {
	readonly epoch: number;
	/** Every token shown so far. */
	readonly continueFrom: readonly number[];
	readonly predecessors: readonly Link[];
	/** Undefined for the first: its own nonces make the seed. */
	readonly seedFrom: SeedOrigin | undefined;
	/** Undefined for the first: its assignment starts the policy's time. */
	readonly deadlineAt: number | undefined;
}

/** Offers tried one after the other before the job counts as failed. */
export const MAX_TRIES = 8;
/** From one word of an executor to the next while its asker waits there. */
const ACCEPT_MS = 5_000;
/** In the queue of one executor, however often it says that it will be soon: the longest that one lets anybody wait, and a third. */
const QUEUE_MS = 40_000;
/** The same when another executor was lost and a person is reading. */
const QUEUE_NEXT_MS = 8_000;
/** For an assignment to leave: the executor waits 10 s for one (`ASSIGN_MS`), its prompt included. */
const SEND_MS = 12_000;
/** When to come back, where nothing was said of it. */
const SOON_MS = 1_000;
/** Longer than any place is held. */
const LONG_MS = 3_600_000;
/** Codes that say "not now" rather than "never". */
const NOT_NOW: readonly Code[] = ['busy', 'expired', 'rate-limited'];
/** How long one executor is waited for. */
export interface Patience {
	readonly reachMs: number;
	readonly wordMs: number;
}
/** For a new WebRTC connection over a relay, retries within included (measured p95 0.33 s, docs/spec/mesh.md). */
const REACH_MS = 15_000;
/** The same when somebody else offers, or a person is reading. */
const REACH_NEXT_MS = 5_000;
/** From the assignment to the first word, which is said at once, whatever the queue. A slow one is as good as none. */
const WORD_MS = 5_000;
/** The same when somebody else offers, or a person is reading. */
const WORD_NEXT_MS = 2_500;
/** Nobody else offers. */
const PATIENT: Patience = { reachMs: REACH_MS, wordMs: WORD_MS };
/** Somebody else does, or a person is reading. */
export const QUICK: Patience = { reachMs: REACH_NEXT_MS, wordMs: WORD_NEXT_MS };

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
				const hired = yield* queueing(choice.heard.executor, ports, (told) =>
					assign(job, choice, beginning, wish, ports, signal, patience, told)
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

/** Tells of its place in the queue while `work` waits there. */
async function* queueing<R>(
	executor: string,
	ports: NodePorts,
	work: (told: (waitMs: number) => void) => Promise<R>
): AsyncGenerator<OriginateEvent, R, void> {
	const news = new Inbox<number | undefined>(ports.clock);
	const done = work((waitMs) => news.put(waitMs)).finally(() => news.put(undefined));
	// Its failure is thrown below; until then nobody may call it unhandled.
	done.catch(() => undefined);
	for (;;) {
		const waitMs = await news.take(LONG_MS);
		if (waitMs === undefined) return done;
		yield { type: 'queued', executor, waitMs };
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

/** Reaches one bidder and has it accept. Refusals: those of `mesh.open` and of `acceptance`. */
export async function assign(
	job: AnnouncedJob,
	choice: Choice<SignedBid>,
	beginning: Beginning,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal,
	{ reachMs, wordMs }: Patience,
	queued: (waitMs: number) => void = () => undefined
): Promise<HiredJob> {
	const { bid, signed, executor, sameAccount } = choice.heard;
	const { epoch, continueFrom, predecessors, startedFrom, parts } = beginning;
	const { line: held } = choice.heard;
	// Its owner closes one that nobody uses after 10 s (`ASSIGN_MS`); the bid holds longer.
	const line = held?.inbox.idle === true ? held : undefined;
	if (line === undefined) held?.channel.abort();
	const channel = line?.channel ?? (await reach(executor, bid.addresses, reachMs, ports, signal));
	// A stop at any time until it has accepted ends the channel, and with it whatever is waited for.
	const cut = () => channel.abort();
	signal.addEventListener('abort', cut, { once: true });
	try {
		const body: AssignJob = {
			job: job.id,
			epoch,
			bid: signed.cid,
			turns: [...wish.turns],
			continueFrom: [...continueFrom],
			sampling: wish.sampling,
			minTokens: wish.minTokens,
			maxTokens: wish.maxTokens,
			pricePer1k: bid.pricePer1k,
			originatorNonce: ports.random.bytes(32),
			...(beginning.seedFrom === undefined ? {} : { seedFrom: beginning.seedFrom }),
			salt: ports.random.bytes(32),
			...(sameAccount ? { kin: ports.identity.certificate } : {}),
			predecessors: [...predecessors],
			issuedAt: ports.clock.now(),
			extensions: {}
		};
		const assignment = await seal(assignJob, body, job.key);
		const inbox = line?.inbox ?? new Inbox<JobMail>(ports.clock);
		if (line === undefined) void pour(channel, inbox);
		const deadlineAt = beginning.deadlineAt ?? ports.clock.monotonic() + job.policy.deadlineMs;
		if (signal.aborted) throw new Refusal('aborted');
		await say(channel, assignment.bytes, ports.clock, SEND_MS);
		const queueMs = beginning.deadlineAt === undefined ? QUEUE_MS : QUEUE_NEXT_MS;
		const executorNonce = await acceptance(inbox, choice.heard, body, ports, { wordMs, queueMs }, queued);
		const { originatorNonce } = body;
		const seedFrom = beginning.seedFrom ?? { epoch, originatorNonce, executorNonce };
		const seed = seedOf(job.id, seedFrom.epoch, seedFrom.originatorNonce, seedFrom.executorNonce);
		const hired = { job, executor: choice.heard, assignment, seed, seedFrom, channel, inbox };
		return { ...hired, deadlineAt, startedFrom, parts };
	} catch (error) {
		channel.abort();
		throw error;
	} finally {
		signal.removeEventListener('abort', cut);
	}
}

/**
 * The executor's nonce out of its `accepted`, which may come after a time in its queue. Refusals: its own code (`busy` with when to come back),
 * `declined`, `stalled`, `terms-differ`, `aborted`, or why the channel ended.
 */
export async function acceptance(
	inbox: Inbox<JobMail>,
	heard: SignedBid,
	assigned: AssignJob,
	ports: NodePorts,
	{ wordMs, queueMs } = { wordMs: WORD_MS, queueMs: QUEUE_MS },
	queued: (waitMs: number) => void = () => undefined
): Promise<Uint8Array> {
	const { clock, crypto } = ports;
	const end = clock.monotonic() + queueMs;
	let quietMs = wordMs;
	for (;;) {
		const mail = await inbox.take(Math.min(quietMs, Math.ceil(end - clock.monotonic())));
		quietMs = ACCEPT_MS;
		if (mail === undefined && clock.monotonic() >= end) throw new Refusal('busy', 'too long in its queue');
		if (mail === undefined) throw new Refusal('stalled', 'no word after the assignment');
		if (mail.type !== 'message') throw new Refusal(mail.type === 'ended' ? (mail.code ?? 'channel-closed') : 'aborted');
		const status: Signed<JobStatusUpdate> = await open(jobStatus, mail.bytes, crypto);
		if (!equalBytes(status.signer, heard.signed.signer)) throw new Refusal('wrong-signer', 'status');
		const { job, epoch, state, executorNonce, code, waitMs = 0 } = status.body;
		if (!equalBytes(job, assigned.job) || epoch !== assigned.epoch) throw new Refusal('wrong-job');
		if (state === 'queued') {
			if (clock.monotonic() + waitMs > end) throw new Refusal('busy', 'too long in its queue', waitMs);
			queued(waitMs);
			continue;
		}
		if (state !== 'accepted') throw new Refusal(isCode(code) ? code : 'declined', 'executor', status.body.waitMs);
		if (executorNonce === undefined || !equalBytes(commitNonce(executorNonce), heard.bid.nonceCommitment)) {
			throw new Refusal('terms-differ', 'the nonce is not the one committed to');
		}
		return executorNonce;
	}
}
