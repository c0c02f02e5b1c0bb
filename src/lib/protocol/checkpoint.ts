/**
 * CheckpointV1 every 32 tokens, signed by the executor's node key; AcknowledgementV1, the originator's cumulative answer, signed by the
 * job's key. Last checkpoint + acknowledgement is a claimable partial receipt when either side vanishes (protocol.md 6).
 */
import { kind, type BodyOf } from './envelope.ts';
import { MAX_ANSWER_TOKENS } from './limits.ts';
import { bytes, extensions, fields, integer, link, optional, stamp } from './shape.ts';

export const checkpoint = kind(
	'Checkpoint',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		/** CID of the AssignJobV1 body: binds the terms. Not guessable, because that body holds a salt. */
		assignment: link,
		/** Answer position reached (continued tokens counted in). */
		tokens: integer(0, MAX_ANSWER_TOKENS),
		/** frame.chainNext over every frame so far. */
		chain: bytes(32),
		/** Merkle root over the top-20 logits since the previous checkpoint (protocol/logits). */
		logitsRoot: bytes(32),
		previous: optional(link),
		issuedAt: stamp,
		extensions
	}),
	1024
);
export type Checkpoint = BodyOf<typeof checkpoint>;

export const acknowledgement = kind(
	'Acknowledgement',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		checkpoint: link,
		tokens: integer(0, MAX_ANSWER_TOKENS),
		chain: bytes(32),
		issuedAt: stamp,
		extensions
	}),
	1024
);
export type Acknowledgement = BodyOf<typeof acknowledgement>;
