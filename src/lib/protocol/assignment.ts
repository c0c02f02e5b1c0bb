/**
 * AssignJobV1 and JobCancelV1: sealed; they travel only on a direct encrypted channel to the chosen executor, signed by the job's key.
 *
 * Only here does the prompt leave. `epoch` counts assignments of the same job: after a false alarm two executors may live, and only the
 * newest epoch counts.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, encodeCanonical, utf8 } from './encode.ts';
import { kind, type BodyOf } from './envelope.ts';
import { MAX_ANSWER_TOKENS, MAX_CHANNEL_MESSAGE, MAX_PRICE, MAX_PROMPT_BYTES, MAX_TURNS } from './limits.ts';
import { MAX_CANDIDATES } from './sampler.ts';
import {
	blob,
	bytes,
	extensions,
	fields,
	integer,
	link,
	list,
	optional,
	stamp,
	text,
	word,
	type Infer
} from './shape.ts';

export const samplingShape = fields({
	temperatureMilli: integer(0, 2000),
	topK: integer(1, MAX_CANDIDATES),
	topPMilli: integer(1, 1000)
});

/** Where the seed of a continued job comes from: the first epoch that was accepted, and both halves of its seed. */
const seedOrigin = fields({ epoch: integer(1, 65_535), originatorNonce: bytes(32), executorNonce: bytes(32) });
export type SeedOrigin = Infer<typeof seedOrigin>;

const turn = fields({ role: word('system', 'user', 'assistant'), content: text(MAX_PROMPT_BYTES) });

export const assignJob = kind(
	'AssignJob',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		/** CID of the bid's body that is accepted. */
		bid: link,
		turns: list(turn, MAX_TURNS, 1),
		/** Answer tokens that already exist; the answer goes on after them. */
		continueFrom: list(integer(0, 2 ** 31), MAX_ANSWER_TOKENS),
		sampling: samplingShape,
		minTokens: integer(0, MAX_ANSWER_TOKENS),
		maxTokens: integer(1, MAX_ANSWER_TOKENS),
		/** Microcredits per 1,000 tokens, as bid. */
		pricePer1k: integer(0, MAX_PRICE),
		originatorNonce: bytes(32),
		/** After a hand-over the draws go on under the seed they began with (docs/decisions/hand-over.md); absent: this epoch's own nonces. */
		seedFrom: optional(seedOrigin),
		/** Keys the commitments of this job; known to both sides only. */
		salt: bytes(32),
		/** NodeCertificateV1 of the originator's node, given only to a node of the same account: such jobs are free. */
		kin: optional(blob(512)),
		/** CIDs of receipts of earlier parts of the same answer. */
		predecessors: list(link, 16),
		issuedAt: stamp,
		extensions
	}),
	MAX_CHANNEL_MESSAGE - 4096
);
export type AssignJob = BodyOf<typeof assignJob>;

export const jobCancel = kind(
	'JobCancel',
	1,
	fields({
		job: bytes(16),
		epoch: integer(1, 65_535),
		reason: word('stopped', 'deadline', 'replaced', 'refused'),
		issuedAt: stamp,
		extensions
	}),
	512
);
export type JobCancel = BodyOf<typeof jobCancel>;

/** Keyed commitment: HMAC-SHA-256 under the job's salt. Plain hashes of short prompts could be guessed (protocol.md 6). */
export function commit(salt: Uint8Array, label: string, value: unknown): Uint8Array {
	return hmac(sha256, salt, concat(utf8(`fireweed/commitment/1/${label}\0`), encodeCanonical(value)));
}
