/**
 * InvitationV1: one person hands another the way in, as a link, a picture or a line of text. It names relays at which the inviter can be
 * found; the inviter's own address follows from them, which keeps it small enough for a QR code.
 *
 * Attack answered: an invitation is a relay of a stranger's choosing, and a relay sees the address of whoever uses it. So it is signed,
 * it says by which account, and nothing is dialled before the person has seen that and said yes.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import { openCertificate } from './certificate.ts';
import { formatDid, formatPeerId } from './did.ts';
import { kind, open, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { MAX_ADDRESS } from './limits.ts';
import { checkLife } from './node-manifest.ts';
import { extensions, fields, list, optional, stamp, text } from './shape.ts';

export const invitation = kind(
	'Invitation',
	1,
	fields({
		/** Full relay addresses, each ending in the relay's own `/p2p/<id>`. */
		relays: list(text(MAX_ADDRESS, 1), 4, 1),
		/** What the inviter calls themselves: their word, shown as such. */
		name: optional(text(40, 1)),
		issuedAt: stamp,
		expiresAt: stamp,
		extensions
	}),
	2560
);
export type Invitation = BodyOf<typeof invitation>;

/** How long a fresh invitation holds: it is handed to somebody who means to come, not printed on a wall. */
export const INVITATION_LIFE_MS = 7 * 24 * 3600 * 1000;

/** An invitation whose signature and certificate hold. */
export interface OpenedInvitation {
	/** did:key of the inviter. */
	readonly account: string;
	readonly peer: string;
	readonly invitation: Invitation;
	/** Where the inviter can be dialled: over each of the relays. */
	readonly addresses: readonly string[];
}

/** Refusals: those of `open`, `bad-certificate`, `expired`, `clock-skew`, and `malformed` for a relay without its own id. */
export async function openInvitation(encoded: Uint8Array, crypto: Crypto, now: number): Promise<OpenedInvitation> {
	const signed = await open(invitation, encoded, crypto);
	const { body } = signed;
	if (!body.relays.every(isRelayAddress)) throw new Refusal('malformed', 'a relay address ends in /p2p/<its id>');
	checkLife(body, now);
	const { account } = await openCertificate(signed, crypto, now);
	const peer = formatPeerId(signed.signer);
	return {
		account: formatDid(account),
		peer,
		invitation: body,
		addresses: body.relays.map((relay) => `${relay}/p2p-circuit/webrtc/p2p/${peer}`)
	};
}

const RELAY_ADDRESS =
	/^\/(?:ip4|ip6|dns[46]?)\/[^/]+\/tcp\/\d{1,5}(?:\/tls(?:\/sni\/[^/]+)?)?\/wss?\/p2p\/[1-9A-HJ-NP-Za-km-z]{46,62}$/;

/** Whether a text looks like the address of a relay: one machine, reached over WebSockets, its id at the end, and no hop beyond it. */
export function isRelayAddress(address: string): boolean {
	return RELAY_ADDRESS.test(address);
}
