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
import type { RankedJob, SignedBid } from './bidding.ts';
import type { ExecutorFacts, OriginateEvent } from './events.ts';
import { Inbox, pour, within, type JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';
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
export const MAX_TRIES = 4;
/** From assignment to the executor's word, and from one word to the next while it waits. A slow answer is as good as none. */
const ACCEPT_MS = 5_000;
/** In the queue of one executor, however often it says that it will be soon: the longest that one lets anybody wait, and a third. */
const QUEUE_MS = 40_000;
/** The same when another executor was lost and a person is reading. */
const QUEUE_NEXT_MS = 8_000;
/** When to come back, where nothing was said of it. */
const SOON_MS = 1_000;
/** Longer than any place is held. */
const LONG_MS = 3_600_000;
/** Codes that say "not now" rather than "never". */
const NOT_NOW: readonly Code[] = ['busy', 'expired', 'rate-limited'];
/** For a new WebRTC connection over a relay, retries within included (measured p95 0.33 s, docs/spec/mesh.md). */
const REACH_MS = 15_000;
/** The same for a successor or a standby: shorter than for the first one, because a person is reading. */
export const REACH_NEXT_MS = 5_000;

/**
 * Yields `queued` and `assigned`; returns the accepted job, under `firstEpoch` or one of the next. Refusals: `aborted`; `busy`, when one of those
 * tried might take it later; else that of the last executor tried.
 */
export async function* hire(
	ranked: RankedJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal,
	firstEpoch = 1
): AsyncGenerator<OriginateEvent, HiredJob, void> {
	const { continueFrom } = wish;
	const first = { continueFrom, startedFrom: continueFrom.length, predecessors: [], parts: [] };
	let last = new Refusal('no-bids');
	let laterMs: number | undefined;
	for (const [i, choice] of ranked.choices.slice(0, MAX_TRIES).entries()) {
		if (signal.aborted) throw new Refusal('aborted');
		const beginning: Beginning = { ...first, epoch: firstEpoch + i, seedFrom: undefined, deadlineAt: undefined };
		try {
			const hired = yield* queueing(choice.heard.executor, ports, (told) =>
				assign(ranked.job, choice, beginning, wish, ports, signal, REACH_MS, told)
			);
			yield { type: 'assigned', executor: facts(choice.heard), reason: choice.reason };
			return hired;
		} catch (error) {
			if (signal.aborted) throw new Refusal('aborted');
			ports.log('executor-not-hired', { code: codeOf(error) });
			last = new Refusal(codeOf(error), 'executor');
			if (NOT_NOW.includes(last.code)) laterMs = Math.min(laterMs ?? Infinity, retryMsOf(error) ?? SOON_MS);
		}
	}
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
	reachMs = REACH_MS,
	queued: (waitMs: number) => void = () => undefined
): Promise<HiredJob> {
	const { bid, signed, executor, sameAccount } = choice.heard;
	const { epoch, continueFrom, predecessors, startedFrom, parts } = beginning;
	const channel = await within(ports.clock, reachMs, 'unreachable', ports.mesh.open(executor, bid.addresses, signal));
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
		const inbox = new Inbox<JobMail>(ports.clock);
		void pour(channel, inbox);
		const deadlineAt = beginning.deadlineAt ?? ports.clock.monotonic() + job.policy.deadlineMs;
		await channel.send(assignment.bytes);
		const stop = () => inbox.put({ type: 'stop' });
		signal.addEventListener('abort', stop, { once: true });
		const patience = beginning.deadlineAt === undefined ? QUEUE_MS : QUEUE_NEXT_MS;
		const executorNonce = await acceptance(inbox, choice.heard, body, ports, patience, queued).finally(() =>
			signal.removeEventListener('abort', stop)
		);
		const { originatorNonce } = body;
		const seedFrom = beginning.seedFrom ?? { epoch, originatorNonce, executorNonce };
		const seed = seedOf(job.id, seedFrom.epoch, seedFrom.originatorNonce, seedFrom.executorNonce);
		const hired = { job, executor: choice.heard, assignment, seed, seedFrom, channel, inbox };
		return { ...hired, deadlineAt, startedFrom, parts };
	} catch (error) {
		channel.abort();
		throw error;
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
	patienceMs = QUEUE_MS,
	queued: (waitMs: number) => void = () => undefined
): Promise<Uint8Array> {
	const { clock, crypto } = ports;
	const end = clock.monotonic() + patienceMs;
	for (;;) {
		const mail = await inbox.take(Math.min(ACCEPT_MS, Math.ceil(end - clock.monotonic())));
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
