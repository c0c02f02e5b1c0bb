/**
 * What may be forwarded on a topic, decided alike by every tab and relay before it spreads anything.
 *
 * Only a forged or broken message is rejected. What is merely unknown (a later version, another kind) is ignored, so an old node never
 * punishes a new one, and a forwarder never pays for a signer.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Verdict } from '#lib/ports/mesh.ts';
import { openAccountEnd } from './account-end.ts';
import { jobAnnouncement } from './announcement.ts';
import { jobBid, jobInterest } from './bid.ts';
import { capabilityAdvertisement } from './capability.ts';
import { openCertificate } from './certificate.ts';
import { open, peek, type Kind } from './envelope.ts';
import { codeOf, type Code } from './errors.ts';
import { CLOCK_SKEW_MS, MAX_GOSSIP_MESSAGE } from './limits.ts';
import { releaseNews } from './release-news.ts';
import type { Topic } from './topic.ts';

interface Rule {
	readonly kind: Kind<{ readonly issuedAt: number }>;
	/** Signed by a node key, which needs its certificate; announcements are signed by a job key. */
	readonly certified: boolean;
}

/** Topic of statements that were signed ahead of time: they are as true tomorrow, so no clock judges them. */
const TIMELESS = 'fireweed/1/accounts';

const RULES: Readonly<Record<Exclude<Topic, typeof TIMELESS>, readonly Rule[]>> = {
	'fireweed/1/capabilities': [{ kind: capabilityAdvertisement, certified: true }],
	'fireweed/1/announcements': [{ kind: jobAnnouncement, certified: false }],
	'fireweed/1/bids': [
		{ kind: jobBid, certified: true },
		{ kind: jobInterest, certified: true }
	],
	'fireweed/1/releases': [{ kind: releaseNews, certified: true }]
};

/** Codes that say nothing bad about anybody. */
const HARMLESS: readonly Code[] = ['unknown-type', 'unknown-version', 'clock-skew', 'expired'];

/** Judges one message of a topic at wall time `now` (Unix ms). Never throws. */
export async function judgeGossip(topic: Topic, message: Uint8Array, crypto: Crypto, now: number): Promise<Verdict> {
	try {
		if (topic === TIMELESS) {
			await openAccountEnd(message, crypto);
			return 'accept';
		}
		const { type, version } = peek(message, MAX_GOSSIP_MESSAGE);
		const rule = RULES[topic].find((candidate) => candidate.kind.type === type && candidate.kind.version === version);
		if (rule === undefined) return 'ignore';
		const signed = await open(rule.kind, message, crypto);
		if (Math.abs(signed.body.issuedAt - now) > CLOCK_SKEW_MS) return 'ignore';
		if (rule.certified) await openCertificate(signed, crypto, now);
		return 'accept';
	} catch (error) {
		const code = codeOf(error);
		// An expired certificate looks like a bad one; a forwarder with another clock must not suffer for it.
		return HARMLESS.includes(code) || code === 'bad-certificate' ? 'ignore' : 'reject';
	}
}
