/**
 * The other side of a running job as the executor hears it: acknowledgements, a cancel, the countersignature, the end of the channel.
 *
 * Heard while the engine works, so that a stop is obeyed within a step and not after it. One whose channel broke is away, not gone: it
 * may come back over another one (docs/decisions/reattach.md).
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
import type { Line } from './line.ts';
import type { ExecutorPorts } from './ports.ts';

/** Longer than any job may live (policy.deadlineMs); the channel's end comes first. */
const FOREVER_MS = 3_600_000;
/** Without an acknowledgement for this long an asker that is there counts as gone. */
const ACKNOWLEDGE_MS = 10_000;
/**
 * How long the engine may wait, in all of one job, for an asker that is away: a reload and a way back over a relay, measured 2 to 5 s here.
 * Longer would let whoever closes pages hold a stranger's engine.
 */
const AWAY_MS = 15_000;

/**
 * Checkpoints that may wait for their acknowledgement before the engine pauses. None while the asker is there: one interval is what a silent one can
 * gain, and an engine makes the next one meanwhile (STEPS_AHEAD), so that nothing waits for a way there and back. While it is away the engine goes on
 * for it; what is made then is not said before its turn (Line).
 */
const WAITING = { there: 0, away: 2 } as const;

export class Asker {
	/** Set once: the asker stopped the job. */
	cancelled = false;
	/** Set once: it broke the rules, or closed the channel in good order (`undefined` code), or is not waited for any more. */
	gone: { readonly code: Code | undefined } | undefined;
	/**
	 * Monotonic ms since when its connection is lost; undefined while it is there. One that ends the channel over a standing connection has
	 * given the job up.
	 */
	away: number | undefined;
	/** Checkpoints sent and not yet acknowledged, oldest first. */
	readonly waiting = new Map<string, Signed<Checkpoint>>();
	/** The newest acknowledged checkpoint, with its acknowledgement. */
	claim: { readonly checkpoint: Signed<Checkpoint>; readonly acknowledgement: Signed<Acknowledgement> } | undefined;
	/** CID of the claim that stands in the store; set by whoever puts it there. */
	kept: string | undefined;
	countersignature: Signed<ExecutionReceipt> | undefined;

	readonly #assignment: Signed<AssignJob>;
	readonly #ports: ExecutorPorts;
	readonly #line: Line;
	readonly #on: { readonly stop: () => void; readonly away: () => void };
	readonly #moved: Inbox<true>;
	#inbox: Inbox<JobMail> | undefined;
	/** Of AWAY_MS, what earlier absences have used. */
	#waited = 0;

	/** `on.stop` is called as soon as further work is of no use, `on.away` whenever its connection is lost. */
	constructor(
		assignment: Signed<AssignJob>,
		line: Line,
		ports: ExecutorPorts,
		on: { readonly stop: () => void; readonly away: () => void }
	) {
		this.#assignment = assignment;
		this.#line = line;
		this.#ports = ports;
		this.#on = on;
		this.#moved = new Inbox<true>(ports.clock);
		line.whenLost(() => this.#lose());
	}

	/** Reads this inbox, and none before it, until its channel ends. Never throws: a broken rule ends it as `gone`. */
	async attend(inbox: Inbox<JobMail>): Promise<void> {
		this.#inbox = inbox;
		this.away = undefined;
		this.#moved.put(true);
		try {
			for (;;) {
				const mail = await inbox.take(FOREVER_MS);
				if (this.#inbox !== inbox) return;
				if (mail === undefined || mail.type === 'stop') continue;
				if (mail.type === 'ended') {
					if (mail.code !== 'peer-lost') return this.dismiss(mail.code);
					return this.#lose();
				}
				await this.#hear(mail.bytes);
				this.#moved.put(true);
			}
		} catch (error) {
			if (this.#inbox === inbox) this.dismiss(codeOf(error));
		}
	}

	/** Waits until no more checkpoints want their acknowledgement than may; false when it is not waited for any longer. */
	async credit(stop: AbortSignal): Promise<boolean> {
		const { clock } = this.#ports;
		let from = clock.monotonic();
		for (;;) {
			const away = this.away !== undefined;
			const enough = this.waiting.size <= (away ? WAITING.away : WAITING.there);
			if (enough || stop.aborted || this.gone !== undefined) return true;
			const left = away ? AWAY_MS - this.#waited : from + ACKNOWLEDGE_MS - clock.monotonic();
			if (left <= 0) return false;
			const began = clock.monotonic();
			await this.#moved.take(left);
			if (!away) continue;
			this.#waited += clock.monotonic() - began;
			from = clock.monotonic();
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

	#lose(): void {
		if (this.away !== undefined) return;
		this.away = this.#ports.clock.monotonic();
		this.#on.away();
		this.#moved.put(true);
	}

	/** It is gone, or not waited for any more. */
	dismiss(code: Code | undefined): void {
		this.gone = { code };
		this.#on.stop();
		this.#moved.put(true);
	}

	async #hear(bytes: Uint8Array): Promise<void> {
		const { crypto } = this.#ports;
		const { type } = peek(bytes, MAX_CHANNEL_MESSAGE);
		if (type === jobCancel.type) {
			const cancel = await open(jobCancel, bytes, crypto);
			this.#fromAsker(cancel);
			this.cancelled = true;
			this.#on.stop();
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
		// Said again by one that came back and could not know that it had arrived.
		if (this.claim?.checkpoint.cid.equals(answer.body.checkpoint) === true) return;
		const checkpoint = this.waiting.get(answer.body.checkpoint.toString());
		if (checkpoint === undefined) throw new Refusal('terms-differ', 'acknowledgement of nothing');
		if (answer.body.tokens !== checkpoint.body.tokens || !equalBytes(answer.body.chain, checkpoint.body.chain)) {
			throw new Refusal('terms-differ', 'acknowledgement');
		}
		// Cumulative: what came before it is acknowledged too.
		for (const [cid, earlier] of this.waiting)
			if (earlier.body.tokens <= checkpoint.body.tokens) this.waiting.delete(cid);
		this.claim = { checkpoint, acknowledgement: answer };
		this.#line.confirmed(checkpoint.body.tokens);
	}

	#fromAsker(signed: Signed<{ readonly job: Uint8Array; readonly epoch: number }>): void {
		const { body, signer } = this.#assignment;
		if (!equalBytes(signed.signer, signer)) throw new Refusal('wrong-signer');
		if (!equalBytes(signed.body.job, body.job)) throw new Refusal('wrong-job');
		if (signed.body.epoch !== body.epoch) throw new Refusal('old-epoch');
	}
}
