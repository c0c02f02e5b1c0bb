/** Step 6: a direct encrypted channel to the chosen executor; only now, and only there, does the prompt leave. */
import type { Channel } from '#lib/ports/mesh.ts';
import type { Choice } from '#lib/market/select.ts';
import { assignJob, type AssignJob } from '#lib/protocol/assignment.ts';
import { commitNonce, seedOf } from '#lib/protocol/bid.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, isCode, Refusal } from '#lib/protocol/errors.ts';
import { jobStatus, type JobStatusUpdate } from '#lib/protocol/status.ts';
import type { Wish } from './app.ts';
import type { AnnouncedJob } from './announce.ts';
import type { RankedJob, SignedBid } from './bidding.ts';
import type { OriginateEvent } from './events.ts';
import { Inbox, pour, within, type JobMail } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** A job that an executor has accepted. */
export interface HiredJob {
	readonly job: AnnouncedJob;
	readonly executor: SignedBid;
	readonly assignment: Signed<AssignJob>;
	readonly seed: Uint8Array;
	readonly channel: Channel;
	readonly inbox: Inbox<JobMail>;
	/** Monotonic ms when the assignment left. */
	readonly assignedAt: number;
}

/** Offers tried one after the other before the job counts as failed. */
const MAX_TRIES = 4;
/** From assignment to the executor's word. It has promised in its bid, so a slow answer is as good as none. */
const ACCEPT_MS = 5_000;
/** For a new WebRTC connection over a relay, retries within included (measured p95 0.33 s, docs/spec/mesh.md). */
const REACH_MS = 15_000;

/** Yields `assigned`; returns the accepted job. Refusals: `aborted`, else that of the last executor tried. */
export async function* hire(
	ranked: RankedJob,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, HiredJob, void> {
	let last = new Refusal('no-bids');
	for (const [i, choice] of ranked.choices.slice(0, MAX_TRIES).entries()) {
		if (signal.aborted) throw new Refusal('aborted');
		try {
			const hired = await assign(ranked.job, choice, i + 1, wish, ports, signal);
			yield { type: 'assigned', executor: facts(choice.heard), reason: choice.reason };
			return hired;
		} catch (error) {
			if (signal.aborted) throw new Refusal('aborted');
			ports.log('executor-not-hired', { code: codeOf(error) });
			last = new Refusal(codeOf(error), 'executor');
		}
	}
	throw last;
}

function facts(heard: SignedBid): Extract<OriginateEvent, { type: 'assigned' }>['executor'] {
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

async function assign(
	job: AnnouncedJob,
	choice: Choice<SignedBid>,
	epoch: number,
	wish: Wish,
	ports: NodePorts,
	signal: AbortSignal
): Promise<HiredJob> {
	const { bid, signed, executor, sameAccount } = choice.heard;
	const channel = await within(ports.clock, REACH_MS, 'unreachable', ports.mesh.open(executor, bid.addresses, signal));
	try {
		const body: AssignJob = {
			job: job.id,
			epoch,
			bid: signed.cid,
			turns: [...wish.turns],
			continueFrom: [...wish.continueFrom],
			sampling: wish.sampling,
			minTokens: wish.minTokens,
			maxTokens: wish.maxTokens,
			pricePer1k: bid.pricePer1k,
			originatorNonce: ports.random.bytes(32),
			salt: ports.random.bytes(32),
			...(sameAccount ? { kin: ports.identity.certificate } : {}),
			predecessors: [],
			issuedAt: ports.clock.now(),
			extensions: {}
		};
		const assignment = await seal(assignJob, body, job.key);
		const inbox = new Inbox<JobMail>(ports.clock);
		void pour(channel, inbox);
		const assignedAt = ports.clock.monotonic();
		await channel.send(assignment.bytes);
		const status = await acceptance(inbox, choice.heard, body, ports);
		const seed = seedOf(job.id, epoch, body.originatorNonce, status);
		return { job, executor: choice.heard, assignment, seed, channel, inbox, assignedAt };
	} catch (error) {
		channel.abort();
		throw error;
	}
}

/** The executor's nonce out of its `accepted`. Refusals: its own code, `declined`, `stalled`, `terms-differ`, or why the channel ended. */
async function acceptance(
	inbox: Inbox<JobMail>,
	heard: SignedBid,
	assigned: AssignJob,
	ports: NodePorts
): Promise<Uint8Array> {
	const mail = await inbox.take(ACCEPT_MS);
	if (mail === undefined) throw new Refusal('stalled', 'no word after the assignment');
	if (mail.type !== 'message') throw new Refusal(mail.type === 'ended' ? (mail.code ?? 'channel-closed') : 'aborted');
	const status: Signed<JobStatusUpdate> = await open(jobStatus, mail.bytes, ports.crypto);
	if (!equalBytes(status.signer, heard.signed.signer)) throw new Refusal('wrong-signer', 'status');
	const { job, epoch, state, executorNonce, code } = status.body;
	if (!equalBytes(job, assigned.job) || epoch !== assigned.epoch) throw new Refusal('wrong-job');
	if (state !== 'accepted') throw new Refusal(isCode(code) ? code : 'declined');
	if (executorNonce === undefined || !equalBytes(commitNonce(executorNonce), heard.bid.nonceCommitment)) {
		throw new Refusal('terms-differ', 'the nonce is not the one committed to');
	}
	return executorNonce;
}
