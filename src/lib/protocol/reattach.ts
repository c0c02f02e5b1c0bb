/**
 * ReattachJobV1: an originator whose channel is gone (a reload, a crash, another network) takes its running job up again.
 *
 * The first message of a new channel, in place of an assignment, and signed by the job's own key like everything it says. Why the fields
 * are these, and how it would be cheated: docs/decisions/reattach.md.
 */
import { kind, type BodyOf } from './envelope.ts';
import { MAX_ANSWER_TOKENS, MAX_REATTACHES } from './limits.ts';
import { bytes, extensions, fields, integer, link, stamp } from './shape.ts';

export const reattachJob = kind(
	'ReattachJob',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		/** CID of the AssignJobV1 body: holds a salt, so only the two sides can name it. */
		assignment: link,
		/** The cursor: answer position up to which every token is safely kept. What comes after it is sent again. */
		tokens: integer(0, MAX_ANSWER_TOKENS),
		/** frame.chainNext over every frame up to the cursor: both sides hold the same words, or the job is not taken up. */
		chain: bytes(32),
		/** Answer position of the newest checkpoint that is kept; later ones are sent again. */
		checked: integer(0, MAX_ANSWER_TOKENS),
		/** 1, 2, 3 … in this epoch: one that is not higher than the last is a replay, or an older tab that comes late. */
		attempt: integer(1, MAX_REATTACHES),
		/** Node key at this end of the channel: a copy is of no use to anybody else. */
		node: bytes(32),
		issuedAt: stamp,
		extensions
	}),
	1024
);
export type ReattachJob = BodyOf<typeof reattachJob>;
