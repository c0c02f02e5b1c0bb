/**
 * JobAnnouncementV1: what is wanted and the most it will pay; never the prompt, never the account (protocol.md 3).
 *
 * Signed by a key made for this one job. Token bounds are coarse on purpose: an exact prompt length is a fingerprint.
 */
import { kind, type BodyOf } from './envelope.ts';
import { MAX_ANSWER_TOKENS, MAX_GOSSIP_MESSAGE } from './limits.ts';
import { publicPolicy } from './policy.ts';
import { bytes, extensions, fields, integer, optional, stamp, text } from './shape.ts';

export const jobAnnouncement = kind(
	'JobAnnouncement',
	1,
	fields({
		job: bytes(16),
		/** Model id; absent: any the policy admits. */
		model: optional(text(64, 1)),
		/** Power of two at or above the prompt's size in tokens, as far as the originator can tell. */
		promptTokens: integer(1, 2 ** 20),
		minTokens: integer(0, MAX_ANSWER_TOKENS),
		maxTokens: integer(1, MAX_ANSWER_TOKENS),
		policy: publicPolicy,
		/** How long bids are collected. */
		windowMs: integer(10, 60_000),
		issuedAt: stamp,
		extensions
	}),
	MAX_GOSSIP_MESSAGE - 1024
);
export type JobAnnouncement = BodyOf<typeof jobAnnouncement>;

/** The smallest power of two that holds `tokens`, at least 64. */
export function promptBucket(tokens: number): number {
	return Math.min(2 ** 20, Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, tokens)))));
}
