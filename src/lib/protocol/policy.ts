/**
 * ExecutionPolicy: what an originator asks of whoever answers. One table in docs/spec/policy.md.
 *
 * Only the public part is announced; whom an originator trusts by name stays at home, because a list of friends is a fingerprint.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { encodeCanonical } from './encode.ts';
import { MAX_PRICE } from './limits.ts';
import { bytes, fields, integer, list, optional, text, word, type Infer, type Shape } from './shape.ts';

/** The part that travels in an announcement and is hashed into the receipt. */
export const publicPolicy = fields({
	/** Microcredits per 1,000 tokens, prompt and answer counted alike: the RFC's max_acceptable_bid_tokens, exact. */
	maxPricePer1k: integer(0, MAX_PRICE),
	/** Microcredits for the whole job, all its executors together. */
	maxPrice: integer(0, MAX_PRICE),
	/** 0 … 1,000; 0 admits newcomers. */
	minStanding: integer(0, 1000),
	/** Self-declared regions that may answer; empty: any. */
	regions: list(text(32, 1), 16),
	/** e.g. `ort-wasm-1t`; absent: any. */
	engineClass: optional(text(32, 1)),
	/** Exact weights; absent: whatever goes under the model's name. */
	weightsHash: optional(bytes(32)),
	/** From the first assignment to the end of the answer, hand-overs included, milliseconds. */
	deadlineMs: integer(1_000, 3_600_000),
	/** How many executors shall answer independently. */
	redundancy: integer(1, 8),
	/** Standby executors that follow along. */
	hedge: integer(0, 3),
	/** To whom the text may be shown for checking (protocol.md 7). */
	disclose: word('none', 'named', 'any')
});
export type PublicPolicy = Infer<typeof publicPolicy>;

/** Whom the originator lets answer; decided at home among the bids. */
export type Trust =
	| { readonly who: 'anyone' }
	| { readonly who: 'standing'; readonly atLeast: number }
	/** `did:key` texts of accounts. */
	| { readonly who: 'these'; readonly accounts: readonly string[] };

export interface ExecutionPolicy extends PublicPolicy {
	readonly trust: Trust;
}

/** Anyone, up to ten credits per 1,000 tokens, ten minutes, one executor, nothing disclosed. */
export const DEFAULT_POLICY: ExecutionPolicy = {
	maxPricePer1k: 10_000_000,
	maxPrice: 100_000_000,
	minStanding: 0,
	regions: [],
	deadlineMs: 600_000,
	redundancy: 1,
	hedge: 0,
	disclose: 'none',
	trust: { who: 'anyone' }
};

/** The policy without what stays at home. */
export function publicPart(policy: ExecutionPolicy): PublicPolicy {
	const { trust: _kept, ...rest } = policy;
	return rest;
}

const trustShapes: { readonly [W in Trust['who']]: Shape<Extract<Trust, { readonly who: W }>> } = {
	anyone: fields({ who: word('anyone') }),
	standing: fields({ who: word('standing'), atLeast: integer(0, 1000) }),
	these: fields({ who: word('these'), accounts: list(text(128, 1), 1024) })
};

/** A policy as it was kept on this device. Refusal `malformed`. */
export function readPolicy(value: unknown): ExecutionPolicy {
	const { trust, ...rest } = Object(value) as { readonly trust?: { readonly who?: unknown } };
	const who = word('anyone', 'standing', 'these').check(trust?.who, 'policy.trust.who');
	return { ...publicPolicy.check(rest, 'policy'), trust: trustShapes[who].check(trust, 'policy.trust') };
}

/** SHA-256 of the canonical public part; stands in the receipt. */
export function policyHash(policy: PublicPolicy): Uint8Array {
	return sha256(encodeCanonical(policy));
}

/** What `tokens` cost, in microcredits, rounded up: nobody works for less than agreed. */
export function priceOf(pricePer1k: number, tokens: number): number {
	return Math.ceil((pricePer1k * tokens) / 1000);
}
