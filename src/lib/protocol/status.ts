/** JobStatusUpdateV1: the executor accepts (and reveals its half of the seed), lets it wait, declines, or tells that it failed. */
import { kind, type BodyOf } from './envelope.ts';
import { bytes, extensions, fields, integer, optional, stamp, text, word } from './shape.ts';

export const jobStatus = kind(
	'JobStatusUpdate',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		/** `queued`: it has a place in the executor's queue, and may be told so again; `accepted` or `refused` follows. */
		state: word('queued', 'accepted', 'refused', 'failed'),
		/** With `accepted`: opens the bid's nonceCommitment. */
		executorNonce: optional(bytes(32)),
		/** With `refused` and `failed`: a code of errors.ts. */
		code: optional(text(40, 1)),
		/** With `queued`: ms until its turn is expected. With `refused` and the code `busy`: ms after which asking again makes sense. */
		waitMs: optional(integer(0, 3_600_000)),
		issuedAt: stamp,
		extensions
	}),
	1024
);
export type JobStatusUpdate = BodyOf<typeof jobStatus>;
