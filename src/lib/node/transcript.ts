/**
 * The originator's reading of an answer as it comes in: a pure state that only a correct next frame or checkpoint moves on.
 *
 * How it would be cheated: frames doubled, left out, reordered, from another job or an earlier assignment, longer than allowed, or text
 * that differs from what is later signed. Each is a Refusal, and the state before it stands.
 */
import type { Link } from '#lib/protocol/encode.ts';
import { chainNext, type Frame } from '#lib/protocol/frame.ts';
import type { Checkpoint } from '#lib/protocol/checkpoint.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { CHECKPOINT_TOKENS } from '#lib/protocol/limits.ts';

export interface Transcript {
	readonly job: Uint8Array;
	readonly epoch: number;
	readonly assignment: Link;
	/** Answer position the run began at. */
	readonly start: number;
	readonly maxTokens: number;
	/** Sequence number the next frame must have. */
	readonly sequence: number;
	/** Answer position the next frame must begin at. */
	readonly position: number;
	readonly chain: Uint8Array;
	/** Position of the last verified checkpoint. */
	readonly checked: number;
	readonly lastCheckpoint: Link | undefined;
}

/** After one more frame. Refusals: `wrong-job`, `old-epoch`, `out-of-order`, `terms-differ`, `unknown-token` when longer than allowed. */
export function receive(transcript: Transcript, frame: Frame): Transcript {
	sameRun(transcript, frame);
	if (frame.sequence !== transcript.sequence) throw new Refusal('out-of-order', `frame ${frame.sequence}`);
	if (frame.position !== transcript.position) throw new Refusal('out-of-order', `position ${frame.position}`);
	const position = frame.position + frame.tokens.length;
	if (position > transcript.maxTokens) throw new Refusal('unknown-token', `${position} tokens`);
	// Work without a signature is worth nothing to either side: past one whole interval the executor owes a checkpoint.
	if (position - transcript.checked > 2 * CHECKPOINT_TOKENS) throw new Refusal('terms-differ', 'checkpoint overdue');
	return { ...transcript, sequence: frame.sequence + 1, position, chain: chainNext(transcript.chain, frame) };
}

/** After a checkpoint that agrees with every frame so far. Refusals: `wrong-job`, `old-epoch`, `out-of-order`, `terms-differ`. */
export function agree(transcript: Transcript, checkpoint: Checkpoint, cid: Link): Transcript {
	sameRun(transcript, checkpoint);
	// One that says nothing new would cost a verification, a signature and a place on the disk, as often as it likes.
	if (checkpoint.tokens !== transcript.position || checkpoint.tokens <= transcript.checked)
		throw new Refusal('out-of-order', `checkpoint at ${checkpoint.tokens}`);
	const previous = checkpoint.previous?.toString();
	const follows = previous === transcript.lastCheckpoint?.toString();
	if (
		!follows ||
		!checkpoint.assignment.equals(transcript.assignment) ||
		!equalBytes(checkpoint.chain, transcript.chain)
	) {
		throw new Refusal('terms-differ', 'checkpoint');
	}
	return { ...transcript, checked: checkpoint.tokens, lastCheckpoint: cid };
}

function sameRun(transcript: Transcript, message: { readonly job: Uint8Array; readonly epoch: number }): void {
	if (!equalBytes(message.job, transcript.job)) throw new Refusal('wrong-job');
	if (message.epoch < transcript.epoch) throw new Refusal('old-epoch', String(message.epoch));
	if (message.epoch > transcript.epoch) throw new Refusal('terms-differ', 'epoch of the future');
}
