/** One bidder is reached, is given the job with its prompt, and accepts it or does not. */
import type { Choice } from '#lib/market/select.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, seedOf } from '#lib/protocol/bid.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, seal, type Signed } from '#lib/protocol/envelope.ts';
import { isCode, Refusal } from '#lib/protocol/errors.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import type { AnnouncedJob } from './announce.ts';
import type { Wish } from './app.ts';
import type { SignedBid } from './bidding.ts';
import type { Beginning, HiredJob } from './hired-job.ts';
import { Inbox, pour, type JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';
import { reach } from './reach.ts';
import { say } from './say.ts';

/** From one word of an executor to the next while its asker waits there. */
const ACCEPT_MS = 5_000;
/** In the queue of one executor, however often it says that it will be soon: the longest that one lets anybody wait, and a third. */
const QUEUE_MS = 40_000;
/** The same when another executor was lost and a person is reading. */
const QUEUE_NEXT_MS = 8_000;
/** For an assignment to leave: the executor waits 10 s for one (`ASSIGN_MS`), its prompt included. */
const SEND_MS = 12_000;
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
export const PATIENT: Patience = { reachMs: REACH_MS, wordMs: WORD_MS };
/** Somebody else does, or a person is reading. */
export const QUICK: Patience = { reachMs: REACH_NEXT_MS, wordMs: WORD_NEXT_MS };

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
