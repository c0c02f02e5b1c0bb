/**
 * One executor as the originator hears it: frames are verified, checkpoints acknowledged, the receipt checked and countersigned.
 *
 * Once it is cut off, because another goes on, its words are refused, and what can still come of it is the receipt for what was shown.
 */
import { commit, jobCancel, type JobCancel } from '#lib/protocol/assignment.ts';
import {
	acknowledgement,
	checkpoint as checkpointKind,
	type Acknowledgement,
	type Checkpoint
} from '#lib/protocol/checkpoint.ts';
import { decodeCanonical, equalBytes, type Link } from '#lib/protocol/encode.ts';
import { open, seal, sealBytes, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { chainStart, decodeFrame, type Frame } from '#lib/protocol/frame.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { policyHash } from '#lib/protocol/policy.ts';
import {
	checkReceipt,
	executionReceipt,
	receiptCountersignature,
	type ExecutionReceipt
} from '#lib/protocol/receipt.ts';
import { mostPromptTokens } from './announce.ts';
import type { HiredJob } from './hired-job.ts';
import type { NodePorts } from './ports.ts';
import { keepPartial, keepSealed } from './record.ts';
import { part, say } from './say.ts';
import { agree, receive, type Transcript } from './transcript.ts';

/** What a message brought; undefined for one that says nothing the receipt will not say. */
export type Heard =
	| { readonly type: 'frame'; readonly frame: Frame }
	/** Verified; to be acknowledged. */
	| { readonly type: 'checkpoint'; readonly cid: Link }
	/** Checked, countersigned and kept; the channel is closing. */
	| { readonly type: 'receipt'; readonly receipt: Signed<ExecutionReceipt> };

export class Hearing {
	readonly hired: HiredJob;
	readonly #ports: NodePorts;
	readonly #tokens: number[] = [];
	#text = '';
	#transcript: Transcript;
	#acknowledged: Link | undefined;
	/** Verified and not acknowledged yet. */
	#owed: Signed<Checkpoint> | undefined;
	#cancelled = false;
	#cut = false;

	constructor(hired: HiredJob, ports: NodePorts) {
		this.hired = hired;
		this.#ports = ports;
		const { job, assignment } = hired;
		const { epoch, continueFrom, maxTokens } = assignment.body;
		this.#transcript = {
			job: job.id,
			epoch,
			assignment: assignment.cid,
			start: continueFrom.length,
			maxTokens,
			sequence: 0,
			position: continueFrom.length,
			chain: chainStart(assignment.bodyBytes),
			checked: continueFrom.length,
			lastCheckpoint: undefined
		};
		if (hired.resumed === undefined) return;
		const { transcript, tokens, text } = hired.resumed;
		this.#transcript = transcript;
		this.#tokens.push(...tokens);
		this.#text = text;
		this.#acknowledged = transcript.lastCheckpoint;
	}

	/** Answer position reached, continued tokens counted in. */
	get position(): number {
		return this.#transcript.position;
	}

	/** Tokens of this executor that both sides signed for. */
	get acknowledgedTokens(): number {
		return this.#transcript.checked - this.#transcript.start;
	}

	/** Tokens this executor delivered. */
	get tokens(): readonly number[] {
		return this.#tokens;
	}

	/** Words this executor delivered. */
	get text(): string {
		return this.#text;
	}

	/** CID of the newest acknowledged checkpoint. */
	get acknowledged(): Link | undefined {
		return this.#acknowledged;
	}

	/** It was asked to stop. */
	get cancelled(): boolean {
		return this.#cancelled;
	}

	/** Asks it to stop and to seal what it delivered; whether it takes that is not waited for. Never throws. */
	async cancel(reason: JobCancel['reason']): Promise<void> {
		this.#cancelled = true;
		const { job, assignment, channel } = this.hired;
		const { epoch } = assignment.body;
		const body = { job: job.id, epoch, reason, issuedAt: this.#ports.clock.now(), extensions: {} };
		const cancel = await seal(jobCancel, body, job.key);
		say(channel, cancel.bytes, this.#ports.clock).catch(() => undefined);
	}

	/** Another goes on: from now on its words are refused with `old-epoch`. */
	async cutOff(): Promise<void> {
		this.#cut = true;
		await this.cancel('replaced');
	}

	/** Refusals: whatever is wrong with the message; the state before it stands. */
	async hear(bytes: Uint8Array): Promise<Heard | undefined> {
		switch (typeOf(bytes)) {
			case 'Frame':
				return this.#frame(decodeFrame(bytes));
			case checkpointKind.type:
				return this.#checkpoint(bytes);
			case executionReceipt.type:
				return this.#receipt(bytes);
			default:
				// Of a later version, or nothing the receipt will not say: ignored, never rejected.
				return undefined;
		}
	}

	#frame(frame: Frame): Heard {
		if (this.#cut) throw new Refusal('old-epoch', 'another executor goes on');
		this.#transcript = receive(this.#transcript, frame);
		this.#tokens.push(...frame.tokens);
		this.#text += frame.text;
		return { type: 'frame', frame };
	}

	/**
	 * Keeps the newest checkpoint and tells the executor so. To be called once the words it covers are kept: whoever finds a checkpoint
	 * finds them too, and one that is not found is sent again. Whether it takes that is not waited for: a channel that breaks tells it.
	 */
	async acknowledge(): Promise<void> {
		const signed = this.#owed;
		this.#owed = undefined;
		if (signed === undefined) return;
		const { hired } = this;
		const acknowledgement = await this.#acknowledgement(signed.cid);
		const { signed: bid } = hired.executor;
		const startPosition = this.#transcript.start;
		const partial = { checkpoint: signed, acknowledgement, bid, startPosition, replaces: this.#replaced() };
		await keepPartial(partial, 'originator', this.#ports);
		this.#acknowledged = signed.cid;
		say(hired.channel, acknowledgement.bytes, this.#ports.clock).catch(() => undefined);
	}

	async #checkpoint(bytes: Uint8Array): Promise<Heard> {
		const signed = await open(checkpointKind, bytes, this.#ports.crypto);
		this.#fromExecutor(signed);
		this.#transcript = agree(this.#transcript, signed.body, signed.cid);
		this.#owed = signed;
		return { type: 'checkpoint', cid: signed.cid };
	}

	async #acknowledgement(checkpoint: Link): Promise<Signed<Acknowledgement>> {
		const { job, epoch, position, chain } = this.#transcript;
		const issuedAt = this.#ports.clock.now();
		const body: Acknowledgement = { job, epoch, checkpoint, tokens: position, chain, issuedAt, extensions: {} };
		return seal(acknowledgement, body, this.hired.job.key);
	}

	async #receipt(bytes: Uint8Array): Promise<Heard> {
		const { job, channel, inbox } = this.hired;
		const receipt = await open(executionReceipt, bytes, this.#ports.crypto);
		this.#fromExecutor(receipt);
		checkReceipt(receipt.body, this.#facts());
		const countersignature = await sealBytes(receiptCountersignature, receipt.bodyBytes, job.key);
		// Kept first: whatever becomes of the channel, the answer has its receipt and is not asked for again.
		await keepSealed({ receipt, countersignature, replaces: this.#replaced() }, 'originator', this.#ports);
		const { clock } = this.#ports;
		say(channel, countersignature.bytes, clock).catch(() => undefined);
		void part(channel, inbox, clock);
		return { type: 'receipt', receipt };
	}

	/** What a newer proof makes superfluous: nothing any more once the checkpoint stands in the next assignment. */
	#replaced(): string | undefined {
		return this.#cut ? undefined : this.#acknowledged?.toString();
	}

	#fromExecutor(signed: Signed<unknown>): void {
		if (!equalBytes(signed.signer, this.hired.executor.signed.signer)) throw new Refusal('wrong-signer');
	}

	#facts(): Parameters<typeof checkReceipt>[1] {
		const { job, executor, assignment, seed } = this.hired;
		const run = assignment.body;
		const { start, position, chain, lastCheckpoint } = this.#transcript;
		return {
			job: job.id,
			epoch: run.epoch,
			announcement: executor.bid.announcement,
			assignment: assignment.cid,
			policy: policyHash(job.announcement.body.policy),
			executorNode: executor.signed.signer,
			executorAccount: executor.accountKey,
			originator: job.key.publicKey,
			model: executor.bid.model,
			sampling: run.sampling,
			seed,
			startPosition: start,
			answerTokens: position - start,
			minTokens: run.minTokens,
			mostPromptTokens: mostPromptTokens(run),
			pricePer1k: executor.sameAccount ? 0 : run.pricePer1k,
			sameAccount: executor.sameAccount,
			cancelled: this.#cancelled,
			promptCommitment: commit(run.salt, 'prompt', run.turns),
			outputCommitment: commit(run.salt, 'output', { tokens: this.#tokens, text: this.#text }),
			chain,
			lastCheckpoint,
			predecessors: run.predecessors,
			assignedAt: run.issuedAt,
			now: this.#ports.clock.now()
		};
	}
}

/** What the map says it is; `malformed` and friends when it is none. */
function typeOf(bytes: Uint8Array): unknown {
	const value = decodeCanonical(bytes, MAX_CHANNEL_MESSAGE);
	return typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
}
