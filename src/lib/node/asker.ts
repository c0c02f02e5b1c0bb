/**
 * The other side of a running job as the executor hears it: acknowledgements, a cancel, the countersignature, the end of the channel.
 *
 * Heard while the engine works, so that a stop is obeyed within a step and not after it.
 */
import type { AssignJob } from '#lib/protocol/assignment.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import { acknowledgement, type Acknowledgement, type Checkpoint } from '#lib/protocol/checkpoint.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, peek, type Signed } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { receiptCountersignature, type ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { Inbox, type JobMail } from './inbox.ts';
import type { ExecutorPorts } from './ports.ts';

/** Longer than any job may live (policy.deadlineMs); the channel's end comes first. */
const FOREVER_MS = 3_600_000;

export class Asker {
	/** Set once: the asker stopped the job. */
	cancelled = false;
	/** Set once: the channel ended or broke the rules; `undefined` code means it was closed in good order. */
	gone: { readonly code: Code | undefined } | undefined;
	/** Checkpoints sent and not yet acknowledged, oldest first. */
	readonly waiting = new Map<string, Signed<Checkpoint>>();
	/** The newest acknowledged checkpoint, with its acknowledgement. */
	claim: { readonly checkpoint: Signed<Checkpoint>; readonly acknowledgement: Signed<Acknowledgement> } | undefined;
	/** CID of the claim that stands in the store; set by whoever puts it there. */
	kept: string | undefined;
	countersignature: Signed<ExecutionReceipt> | undefined;

	readonly #assignment: Signed<AssignJob>;
	readonly #ports: ExecutorPorts;
	readonly #stop: () => void;
	readonly #moved: Inbox<true>;

	/** `stop` is called as soon as further work is of no use. */
	constructor(assignment: Signed<AssignJob>, ports: ExecutorPorts, stop: () => void) {
		this.#assignment = assignment;
		this.#ports = ports;
		this.#stop = stop;
		this.#moved = new Inbox<true>(ports.clock);
	}

	/** Reads the inbox until the channel ends. Never throws: a broken rule ends it as `gone`. */
	async attend(inbox: Inbox<JobMail>): Promise<void> {
		try {
			for (;;) {
				const mail = await inbox.take(FOREVER_MS);
				if (mail === undefined || mail.type === 'stop') continue;
				if (mail.type === 'ended') {
					this.#leave(mail.code);
					return;
				}
				await this.#hear(mail.bytes);
				this.#moved.put(true);
			}
		} catch (error) {
			this.#leave(codeOf(error));
		}
	}

	/** Waits until `done` holds, the asker is gone, or `ms` have passed; returns whether it holds. */
	async until(done: () => boolean, ms: number): Promise<boolean> {
		const { clock } = this.#ports;
		const end = clock.monotonic() + ms;
		while (!done() && this.gone === undefined) {
			const left = end - clock.monotonic();
			if (left <= 0) break;
			await this.#moved.take(left);
		}
		return done();
	}

	#leave(code: Code | undefined): void {
		this.gone = { code };
		this.#stop();
		this.#moved.put(true);
	}

	async #hear(bytes: Uint8Array): Promise<void> {
		const { crypto } = this.#ports;
		const { type } = peek(bytes, MAX_CHANNEL_MESSAGE);
		if (type === jobCancel.type) {
			const cancel = await open(jobCancel, bytes, crypto);
			this.#fromAsker(cancel);
			this.cancelled = true;
			this.#stop();
		} else if (type === acknowledgement.type) {
			const answer = await open(acknowledgement, bytes, crypto);
			this.#fromAsker(answer);
			this.#acknowledged(answer);
		} else if (type === receiptCountersignature.type) {
			const countersignature = await open(receiptCountersignature, bytes, crypto);
			this.#fromAsker(countersignature);
			this.countersignature = countersignature;
		}
	}

	#acknowledged(answer: Signed<Acknowledgement>): void {
		const checkpoint = this.waiting.get(answer.body.checkpoint.toString());
		if (checkpoint === undefined) throw new Refusal('terms-differ', 'acknowledgement of nothing');
		if (answer.body.tokens !== checkpoint.body.tokens || !equalBytes(answer.body.chain, checkpoint.body.chain)) {
			throw new Refusal('terms-differ', 'acknowledgement');
		}
		// Cumulative: what came before it is acknowledged too.
		for (const [cid, earlier] of this.waiting)
			if (earlier.body.tokens <= checkpoint.body.tokens) this.waiting.delete(cid);
		this.claim = { checkpoint, acknowledgement: answer };
	}

	#fromAsker(signed: Signed<{ readonly job: Uint8Array; readonly epoch: number }>): void {
		const { body, signer } = this.#assignment;
		if (!equalBytes(signed.signer, signer)) throw new Refusal('wrong-signer');
		if (!equalBytes(signed.body.job, body.job)) throw new Refusal('wrong-job');
		if (signed.body.epoch !== body.epoch) throw new Refusal('old-epoch');
	}
}
