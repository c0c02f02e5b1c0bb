/** Steps 7, 8 and 10 at the executor: run the engine, send frames and checkpoints, pause for acknowledgements, seal the receipt. */
import type { GenerateEnd, Step } from '#lib/ports/engine.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { AssignJob } from '#lib/protocol/assignment.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { checkpoint as checkpointKind, type Checkpoint } from '#lib/protocol/checkpoint.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { chainNext, chainStart, encodeFrame } from '#lib/protocol/frame.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';
import { logitsLeaf, merkleRoot } from '#lib/protocol/logits.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';
import { receiptAvailable, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { Asker } from './asker.ts';
import type { ContributeEvent } from './events.ts';
import type { Inbox, JobMail } from './inbox.ts';
import type { KeptJobs } from './kept.ts';
import { Line, type Said } from './line.ts';
import { sealReceipt, type Ending } from './outcome.ts';
import type { ExecutorPorts } from './ports.ts';
import { keepPartial, keepSealed, quietly } from './record.ts';

/** What both sides agreed on. */
export interface Terms {
	readonly assignment: Signed<AssignJob>;
	readonly announcement: Signed<JobAnnouncement>;
	readonly bid: Signed<JobBid>;
	readonly model: OfferedModel;
	readonly nonce: Uint8Array;
	readonly seed: Uint8Array;
	readonly pricePer1k: number;
	readonly sameAccount: boolean;
}

/** How long the receipt waits for its countersignature. */
const COUNTERSIGN_MS = 5_000;
/** Codes that are the engine's own failure: the asker is still there and gets a receipt that says so. */
const ENGINE_CODES: readonly Code[] = [
	'engine-failed',
	'engine-not-ready',
	'engine-busy',
	'prompt-too-long',
	'out-of-memory'
];

/**
 * Runs the job to its receipt; resolves to whether its asker signed it too. Refusals mean that the asker is gone; what was earned until then is
 * kept. An asker that is only away may come back through `kept`, also after this has returned: `late` is called when it signs then.
 */
export async function deliver(
	terms: Terms,
	channel: Channel,
	inbox: Inbox<JobMail>,
	ports: ExecutorPorts,
	stopping: AbortSignal,
	tell: (event: ContributeEvent) => void,
	kept: KeptJobs,
	late: () => void
): Promise<boolean> {
	const stop = new AbortController();
	const give = () => stop.abort();
	stopping.addEventListener('abort', give);
	if (stopping.aborted) give();
	const { continueFrom } = terms.assignment.body;
	const line = new Line(channel, { tokens: continueFrom.length, chain: chainStart(terms.assignment.bodyBytes) });
	const asker = new Asker(terms.assignment, line, ports, {
		stop: give,
		away: () => void keepClaim(asker, terms, ports)
	});
	const seat = { terms, peer: channel.peer, asker, line };
	const answer = new Delivery(terms, line, ports);
	const startedAt = ports.clock.now();
	const job = toHex(terms.assignment.body.job);
	tell({ type: 'started', job, sameAccount: terms.sameAccount });
	try {
		await channel.send((await accepted(terms, ports)).bytes);
		kept.open(seat);
		void asker.attend(inbox);
		void note(terms, ports, startedAt, { state: 'running' });
		const { ending, end } = await run(answer, asker, terms, ports, stop, (tokens) =>
			tell({ type: 'progress', job, tokens })
		);
		const outcome = { ...answer.result(), ending, end, startedAt, endedAt: ports.clock.now() };
		const receipt = await sealReceipt(terms, outcome, ports);
		const cid = receipt.cid.toString();
		const { price } = receipt.body;
		await keepSealed({ receipt, countersignature: undefined, replaces: undefined }, 'executor', ports);
		await note(terms, ports, startedAt, {
			state: ending.status,
			tokens: answer.count,
			price,
			receipt: cid,
			code: ending.code
		});
		tell({ type: 'ended', job, status: ending.status, tokens: answer.count, price, receipt: cid, code: ending.code });
		await sayReceipt(receipt, answer, ports);
		const settle = () => countersigned(receipt, asker, terms, line, ports);
		const settled = await settle();
		if (settled === 'away') {
			kept.keep(seat, async () => {
				const then = await settle();
				if (then === 'signed') late();
				return then !== 'away';
			});
		}
		return settled === 'signed';
	} catch (error) {
		const code = codeOf(error);
		const receipt = await keepClaim(asker, terms, ports);
		await note(terms, ports, startedAt, { state: 'partial', tokens: answer.count, receipt, code });
		tell({ type: 'ended', job, status: 'partial', tokens: answer.count, price: 0, receipt, code });
		line.abort();
		throw error;
	} finally {
		kept.close(seat);
		stopping.removeEventListener('abort', give);
	}
}

/** The engine's run, step by step. Throws when the asker is gone. */
async function run(
	answer: Delivery,
	asker: Asker,
	terms: Terms,
	ports: ExecutorPorts,
	stop: AbortController,
	progress: (tokens: number) => void
): Promise<{ readonly ending: Ending; readonly end: GenerateEnd | undefined }> {
	const { turns, continueFrom, sampling, minTokens, maxTokens } = terms.assignment.body;
	// Strangers share no cache; one account's own devices have nothing to hide from each other.
	const scope = terms.sameAccount ? { cacheScope: 'account' } : {};
	const steps = ports.engine.generate(
		{ turns, continueFrom, sampling, minTokens, maxTokens, seed: terms.seed, ...scope },
		stop.signal
	);
	let overdue = false;
	try {
		for (;;) {
			const next = await steps.next().catch((error: unknown) => ({ failed: codeOf(error) }));
			if (asker.gone !== undefined) throw new Refusal(asker.gone.code ?? 'channel-closed');
			if ('failed' in next) {
				if (!ENGINE_CODES.includes(next.failed)) throw new Refusal(next.failed, 'engine');
				return { ending: { status: 'failed', code: next.failed }, end: undefined };
			}
			if (next.done === true) return { ending: endingOf(next.value, asker, overdue), end: next.value };
			const checkpoint = await answer.send(next.value);
			if (checkpoint === undefined) continue;
			asker.waiting.set(checkpoint.cid.toString(), checkpoint);
			progress(answer.count);
			// Should this tab be killed in the middle, what it has earned stands on its disk.
			await keepClaim(asker, terms, ports);
			if (await asker.credit(stop.signal)) continue;
			if (asker.away === undefined) throw new Refusal('no-acknowledgement');
			// Others want the engine; what was answered is sealed, and waits.
			overdue = true;
			stop.abort();
		}
	} finally {
		// Ends the engine's run also when the asker left in the middle.
		await steps.return(ABANDONED).catch(() => undefined);
	}
}

const ABANDONED: GenerateEnd = {
	reason: 'aborted',
	promptTokens: 0,
	cachedTokens: 0,
	droppedTurns: 0,
	tokens: 0,
	prefillMs: 0,
	decodeMs: 0
};

function endingOf(end: GenerateEnd, asker: Asker, overdue: boolean): Ending {
	if (asker.cancelled) return { status: 'cancelled', code: undefined };
	if (overdue) return { status: 'partial', code: 'no-acknowledgement' };
	// Our own person stopped contributing: the asker gets what there is.
	return end.reason === 'aborted' ? { status: 'partial', code: 'aborted' } : { status: 'success', code: undefined };
}

/** The answer as it goes out: frames, the chain over them, a checkpoint at every interval. */
class Delivery {
	readonly #terms: Terms;
	readonly #line: Line;
	readonly #ports: ExecutorPorts;
	readonly #tokens: number[] = [];
	#text = '';
	#chain: Uint8Array;
	#leaves: Uint8Array[] = [];
	#last: Signed<Checkpoint> | undefined;

	constructor(terms: Terms, line: Line, ports: ExecutorPorts) {
		this.#terms = terms;
		this.#line = line;
		this.#ports = ports;
		this.#chain = chainStart(terms.assignment.bodyBytes);
	}

	get count(): number {
		return this.#tokens.length;
	}

	result() {
		return { tokens: this.#tokens, text: this.#text, chain: this.#chain, last: this.#last };
	}

	/** Sends one step as a frame; at the end of an interval also its checkpoint, which it returns. */
	async send(step: Step): Promise<Signed<Checkpoint> | undefined> {
		const { job, epoch } = this.#terms.assignment.body;
		const frame = { job, epoch, sequence: this.count, position: step.position, tokens: [step.token], text: step.text };
		this.#tokens.push(step.token);
		this.#text += step.text;
		this.#chain = chainNext(this.#chain, frame);
		this.#leaves.push(logitsLeaf(step));
		await this.say('word', encodeFrame(frame));
		if (this.count % CHECKPOINT_TOKENS !== 0) return undefined;
		this.#last = await seal(checkpointKind, this.#checkpoint(), this.#ports.identity.node);
		this.#leaves = [];
		await this.say('checkpoint', this.#last.bytes);
		return this.#last;
	}

	/** Says something that stands behind every word so far. */
	async say(kind: Said['kind'], bytes: Uint8Array): Promise<void> {
		const tokens = this.#terms.assignment.body.continueFrom.length + this.count;
		await this.#line.say({ kind, tokens, chain: this.#chain, bytes });
	}

	#checkpoint(): Checkpoint {
		const { assignment } = this.#terms;
		const { job, epoch, continueFrom } = assignment.body;
		return {
			job,
			epoch,
			assignment: assignment.cid,
			tokens: continueFrom.length + this.count,
			chain: this.#chain,
			logitsRoot: merkleRoot(this.#leaves),
			...(this.#last === undefined ? {} : { previous: this.#last.cid }),
			issuedAt: this.#ports.clock.now(),
			extensions: {}
		};
	}
}

async function accepted(terms: Terms, ports: ExecutorPorts) {
	const { job, epoch } = terms.assignment.body;
	const state = 'accepted' as const;
	const body = { job, epoch, state, executorNonce: terms.nonce, issuedAt: ports.clock.now(), extensions: {} };
	return seal(jobStatus, body, ports.identity.node);
}

async function sayReceipt(receipt: Signed<ExecutionReceipt>, answer: Delivery, ports: ExecutorPorts): Promise<void> {
	const { job, epoch } = receipt.body;
	const available = { job, epoch, receipt: receipt.cid, issuedAt: ports.clock.now(), extensions: {} };
	await answer.say('end', (await seal(receiptAvailable, available, ports.identity.node)).bytes);
	await answer.say('end', receipt.bytes);
}

/**
 * Waits for the other signature. Without one the receipt stands with one signature, which is said where it is shown, and the last
 * acknowledged checkpoint beside it: by then the asker has the whole answer, and what it gains by keeping its signature back is the last
 * interval.
 */
async function countersigned(
	receipt: Signed<ExecutionReceipt>,
	asker: Asker,
	terms: Terms,
	line: Line,
	ports: ExecutorPorts
): Promise<'signed' | 'unsigned' | 'away'> {
	await asker.until(() => asker.countersignature !== undefined || asker.away !== undefined, COUNTERSIGN_MS);
	const { countersignature } = asker;
	const signed = countersignature?.cid.equals(receipt.cid) === true;
	if (signed) await keepSealed({ receipt, countersignature, replaces: asker.kept }, 'executor', ports);
	else await keepClaim(asker, terms, ports);
	if (countersignature === undefined && asker.away !== undefined && asker.gone === undefined) return 'away';
	await line.close();
	return signed ? 'signed' : 'unsigned';
}

/** Keeps the last acknowledged checkpoint, in place of the one kept before: what is claimable when either side vanishes. Returns its CID. */
async function keepClaim(asker: Asker, terms: Terms, ports: ExecutorPorts): Promise<string | undefined> {
	const { claim, kept: replaces } = asker;
	if (claim === undefined) return undefined;
	const cid = claim.checkpoint.cid.toString();
	if (cid === replaces) return cid;
	asker.kept = cid;
	const startPosition = terms.assignment.body.continueFrom.length;
	await keepPartial({ ...claim, bid: terms.bid, startPosition, replaces }, 'executor', ports);
	return cid;
}

interface Progress {
	readonly state: 'running' | ExecutionReceipt['status'];
	readonly tokens?: number;
	readonly price?: number;
	readonly receipt?: string | undefined;
	readonly code?: Code | undefined;
}

async function note(terms: Terms, ports: ExecutorPorts, startedAt: number, progress: Progress): Promise<void> {
	const { job, epoch } = terms.assignment.body;
	const { state, tokens = 0, price = 0, receipt, code } = progress;
	const row = {
		id: `${toHex(job)}:${epoch}`,
		createdAt: startedAt,
		endedAt: state === 'running' ? undefined : ports.clock.now(),
		model: terms.model.id,
		state,
		tokens,
		price,
		sameAccount: terms.sameAccount,
		receipt,
		code
	};
	await quietly(ports, ports.store.assigned.put(row));
}
