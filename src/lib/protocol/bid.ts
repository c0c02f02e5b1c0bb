/**
 * Answers to an announcement: JobBidV1 binds its sender until it expires; JobInterestV1 says "could, after loading" or "could, but is full".
 *
 * The bid commits to the executor's half of the sampler seed before it knows the originator's, so neither steers the draws.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, utf8 } from './encode.ts';
import { kind, type BodyOf } from './envelope.ts';
import { MAX_ADDRESS, MAX_ADDRESSES, MAX_BID_VALID_MS, MAX_GOSSIP_MESSAGE, MAX_PRICE } from './limits.ts';
import { offeredModel } from './model.ts';
import { bytes, extensions, fields, integer, link, list, optional, stamp, text, word } from './shape.ts';

export const jobBid = kind(
	'JobBid',
	1,
	fields({
		job: bytes(16),
		/** The announcement as it was read, so that nobody can bid on other terms. */
		announcement: link,
		model: offeredModel,
		/** Microcredits per 1,000 tokens. */
		pricePer1k: integer(0, MAX_PRICE),
		/** Expected time from assignment to the first token. */
		firstTokenMs: integer(0, 3_600_000),
		/** Of that, how long others come first; absent: nobody does. */
		waitMs: optional(integer(0, 3_600_000)),
		milliTokensPerSecond: integer(0, 1_000_000_000),
		/** Self-declared. */
		region: optional(text(32, 1)),
		addresses: list(text(MAX_ADDRESS, 1), MAX_ADDRESSES),
		/** commitNonce(executor nonce). */
		nonceCommitment: bytes(32),
		validMs: integer(100, MAX_BID_VALID_MS),
		issuedAt: stamp,
		extensions
	}),
	MAX_GOSSIP_MESSAGE - 1024
);
export type JobBid = BodyOf<typeof jobBid>;

export const jobInterest = kind(
	'JobInterest',
	1,
	fields({
		job: bytes(16),
		announcement: link,
		model: text(64, 1),
		/** Until the model would be loaded, or until a place may be free. */
		readyInMs: integer(0, 3_600_000),
		/** Why not now; absent: its model is not loaded. */
		why: optional(word('loading', 'busy')),
		issuedAt: stamp,
		extensions
	}),
	1024
);
export type JobInterest = BodyOf<typeof jobInterest>;

/** SHA-256 under a tag of its own. */
export function commitNonce(nonce: Uint8Array): Uint8Array {
	return sha256(concat(utf8('fireweed/nonce/1'), nonce));
}

/** The sampler's seed: both halves, bound to the job and the epoch in which they met. It outlives that epoch when another executor goes on. */
export function seedOf(
	job: Uint8Array,
	epoch: number,
	originatorNonce: Uint8Array,
	executorNonce: Uint8Array
): Uint8Array {
	return sha256(
		concat(utf8('fireweed/seed/1'), job, Uint8Array.of(epoch >>> 8, epoch & 255), originatorNonce, executorNonce)
	);
}
