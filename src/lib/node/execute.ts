/**
 * One job as its executor lives it: an assignment comes in over a direct channel, tokens go out, every 32 of them a signed checkpoint,
 * at the end one receipt. Every outcome has one.
 *
 * How it would be cheated: terms it never bid, a second assignment of the same job, another epoch's messages, a forged acknowledgement,
 * or an asker that reads and never acknowledges. What such an asker can have of it is one checkpoint's work.
 *
 * A channel may also begin with the word of an asker that comes back to a job it has here (docs/decisions/reattach.md).
 */
import type { Channel } from '#lib/ports/mesh.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { seedOf } from '#lib/protocol/bid.ts';
import { nodeCertificate, openCertificate } from '#lib/protocol/certificate.ts';
import { formatDid, parsePeerId } from '#lib/protocol/did.ts';
import { equalBytes, type Link } from '#lib/protocol/encode.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { open, peek, read, seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, retryMsOf } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { reattachJob } from '#lib/protocol/reattach.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { toHex } from '#lib/protocol/encode.ts';
import type { AssignJob } from '#lib/protocol/assignment.ts';
import { deliver, type Terms } from './deliver.ts';
import type { Desk, Place, Wanted } from './desk.ts';
import type { ContributeEvent } from './events.ts';
import { Inbox, pour, within, type JobMail } from './inbox.ts';
import type { KeptJobs } from './kept.ts';
import type { OpenBid } from './open-bids.ts';
import type { ExecutorPorts } from './ports.ts';
import { waitTurn } from './wait-turn.ts';

/** A channel that brings no assignment for this long is closed. */
export const ASSIGN_MS = 10_000;

/** Wishes that one channel may bring before its assignment: the second is for one whose bid ran out. */
const MAX_WISHES = 2;

/** Hands over an open bid of a job (hex), that of the name if it is there, once. */
export type TakeBid = (job: string, bid: Link) => OpenBid | undefined;

/** Answers a wish said to this node alone, by the account (`did:key`) that its asker has shown, if it has; undefined when it says nothing to it. */
export type AnswerWish = (
	announcement: Signed<JobAnnouncement>,
	account: string | undefined
) => Promise<Uint8Array | undefined>;

/**
 * Serves one channel to its end: a wish or two to be answered there, then one assignment. Never throws. `take` hands over the open bid of a job, once.
 */
export async function execute(
	channel: Channel,
	answer: AnswerWish,
	take: TakeBid,
	desk: Desk,
	ports: ExecutorPorts,
	stopping: AbortSignal,
	tell: (event: ContributeEvent) => void,
	kept: KeptJobs
): Promise<void> {
	const inbox = new Inbox<JobMail>(ports.clock);
	void pour(channel, inbox);
	try {
		const first = await firstOf(channel, inbox, answer, ports);
		// Somebody who asked several and chose another: nothing to tell of.
		if (first === undefined) return channel.abort();
		if (peek(first, MAX_CHANNEL_MESSAGE).type === reattachJob.type) {
			const request = await open(reattachJob, first, ports.crypto);
			await kept.reattach(request, channel, inbox).catch(async (error: unknown) => {
				await decline(request.body, error, channel, ports);
				throw error;
			});
			return;
		}
		const assignment = await open(assignJob, first, ports.crypto);
		await serve(assignment, channel, inbox, take, desk, ports, stopping, tell, kept);
	} catch (error) {
		if (codeOf(error) === 'internal') ports.log('execute-failed', { error: String(error) });
		tell({ type: 'refused', code: codeOf(error) });
		channel.abort();
	}
}

/**
 * Serves a channel for which there is no room: an assignment on it is told `busy` and when to come back, where a channel that is merely closed would
 * look like a node that was lost. One message is taken and nothing verified, so it costs less than any other channel. Never throws.
 */
export async function turnAway(
	channel: Channel,
	retryMs: () => number,
	ports: ExecutorPorts,
	stopping: AbortSignal
): Promise<void> {
	const tell = async () => {
		const { value } = await channel.messages[Symbol.asyncIterator]().next();
		await decline(read(assignJob, value).body, new Refusal('busy', 'channels', retryMs()), channel, ports);
	};
	// Whoever brings something else, or nothing, is closed without a word.
	await within(ports.clock, ASSIGN_MS, 'stalled', tell(), stopping).catch(() => undefined);
	channel.abort();
}

/**
 * What the channel brings after its wishes, before which it may show an account once; undefined when its asker only asked. Refusals: `stalled`,
 * `rate-limited`, `bad-certificate`, those of `open`.
 */
async function firstOf(
	channel: Channel,
	inbox: Inbox<JobMail>,
	answer: AnswerWish,
	ports: ExecutorPorts
): Promise<Uint8Array | undefined> {
	let account: string | undefined;
	for (let wishes = 0; ; wishes++) {
		let mail = await inbox.take(ASSIGN_MS);
		if (wishes === 0 && mail?.type === 'message' && typeOf(mail.bytes) === nodeCertificate.type) {
			account = await accountShown(mail.bytes, channel, ports);
			mail = await inbox.take(ASSIGN_MS);
		}
		if (mail?.type !== 'message') {
			if (wishes > 0) return undefined;
			throw new Refusal('stalled', 'no assignment');
		}
		if (typeOf(mail.bytes) !== jobAnnouncement.type) return mail.bytes;
		if (wishes >= MAX_WISHES) throw new Refusal('rate-limited', 'wishes');
		const said = await answer(await open(jobAnnouncement, mail.bytes, ports.crypto), account);
		if (said === undefined) return undefined;
		await channel.send(said);
	}
}

const typeOf = (message: Uint8Array): string => peek(message, MAX_CHANNEL_MESSAGE).type;

/** The account that vouches for the node at the other end of this very channel, whose key the connection proved. Refusal `bad-certificate`. */
async function accountShown(certificate: Uint8Array, { peer }: Channel, ports: ExecutorPorts): Promise<string> {
	const shown = { signer: parsePeerId(peer), certificate };
	return formatDid((await openCertificate(shown, ports.crypto, ports.clock.now())).account);
}

/** Terms, a place in the queue, the engine, the receipt; what is refused before the engine is told to the asker with its code. */
async function serve(
	assignment: Signed<AssignJob>,
	channel: Channel,
	inbox: Inbox<JobMail>,
	take: TakeBid,
	desk: Desk,
	ports: ExecutorPorts,
	stopping: AbortSignal,
	tell: (event: ContributeEvent) => void,
	kept: KeptJobs
): Promise<void> {
	let place: Place | undefined;
	let ended: Extract<ContributeEvent, { type: 'ended' }> | undefined;
	let acknowledged = false;
	try {
		const terms = await agreeOn(assignment, channel, take, ports);
		const mine = desk.enter(wanted(terms, channel));
		place = mine;
		await waitTurn(mine, assignment, channel, inbox, ports, stopping);
		const heard = (event: ContributeEvent) => {
			// The engine is free now; the receipt may still be on its way.
			if (event.type === 'ended') {
				ended = event;
				mine.done();
			}
			tell(event);
		};
		acknowledged = await deliver(terms, channel, inbox, ports, stopping, heard, kept, () => mine.signedLate());
	} catch (error) {
		if (ended === undefined) await decline(assignment.body, error, channel, ports);
		throw error;
	} finally {
		place?.done();
		if (ended !== undefined) place?.learn({ tokens: ended.tokens, code: ended.code, acknowledged });
	}
}

function wanted({ assignment, announcement, sameAccount, pricePer1k }: Terms, { peer }: Channel): Wanted {
	const { job, epoch } = assignment.body;
	const { promptTokens, maxTokens, policy } = announcement.body;
	const id = `${toHex(job)}:${epoch}`;
	return { id, peer, sameAccount, pricePer1k, promptTokens, maxTokens, deadlineMs: policy.deadlineMs };
}

/** Terms that are exactly those of our own bid. Refusals: `expired`, `wrong-signer`, `terms-differ`, `bad-certificate`. */
async function agreeOn(
	assignment: Signed<AssignJob>,
	channel: Channel,
	take: TakeBid,
	ports: ExecutorPorts
): Promise<Terms> {
	const run = assignment.body;
	const open = take(toHex(run.job), run.bid);
	if (open === undefined) throw new Refusal('expired', 'no open bid for this job');
	const announced = open.announcement.body;
	if (!equalBytes(assignment.signer, open.announcement.signer)) throw new Refusal('wrong-signer', 'assignment');
	if (!run.bid.equals(open.bid.cid) || run.pricePer1k !== open.bid.body.pricePer1k)
		throw new Refusal('terms-differ', 'bid');
	if (run.minTokens !== announced.minTokens || run.maxTokens !== announced.maxTokens)
		throw new Refusal('terms-differ', 'length');
	if (run.continueFrom.length >= run.maxTokens) throw new Refusal('terms-differ', 'nothing left to answer');
	// The bid stands on the announced size; a larger prompt is another job. Given tokens are part of `maxTokens`: running them is never more work.
	if ((await ports.engine.countTokens(run.turns)) > announced.promptTokens) {
		throw new Refusal('terms-differ', 'prompt longer than announced');
	}
	const seedFrom = run.seedFrom ?? { ...run, executorNonce: open.nonce };
	if (run.seedFrom !== undefined && run.seedFrom.epoch >= run.epoch) throw new Refusal('terms-differ', 'seed');
	const sameAccount = run.kin !== undefined && (await isKin(run.kin, channel, ports));
	return {
		assignment,
		announcement: open.announcement,
		bid: open.bid,
		model: open.model,
		nonce: open.nonce,
		seed: seedOf(run.job, seedFrom.epoch, seedFrom.originatorNonce, seedFrom.executorNonce),
		pricePer1k: sameAccount ? 0 : run.pricePer1k,
		sameAccount
	};
}

/** Whether the peer at the other end of this very channel is certified by our own account. */
async function isKin(kin: Uint8Array, channel: Channel, ports: ExecutorPorts): Promise<boolean> {
	const certificate = await open(nodeCertificate, kin, ports.crypto);
	const { account, node, expiresAt } = certificate.body;
	return (
		equalBytes(certificate.signer, account) &&
		equalBytes(account, ports.identity.accountKey) &&
		equalBytes(node, parsePeerId(channel.peer)) &&
		expiresAt > ports.clock.now()
	);
}

async function decline(
	run: Pick<AssignJob, 'job' | 'epoch'>,
	error: unknown,
	channel: Channel,
	ports: ExecutorPorts
): Promise<void> {
	const waitMs = retryMsOf(error);
	const body = {
		job: run.job,
		epoch: run.epoch,
		state: 'refused' as const,
		code: codeOf(error),
		...(waitMs === undefined ? {} : { waitMs: Math.min(3_600_000, Math.ceil(waitMs)) }),
		issuedAt: ports.clock.now(),
		extensions: {}
	};
	const status = await seal(jobStatus, body, ports.identity.node);
	await channel.send(status.bytes).catch(() => undefined);
	await channel.close().catch(() => undefined);
}
