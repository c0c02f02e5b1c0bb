/**
 * What a person pasted, scanned or opened: an invitation, a node's own statement, a relay's address, or a list of relays. Whoever made it
 * is a stranger until the person has seen who signed it; reading dials nobody.
 */
import { base64url } from 'multiformats/bases/base64';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Found, SignedList } from '#lib/ports/doors.ts';
import { peek } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { invitation, isRelayAddress, openInvitation } from '#lib/protocol/invitation.ts';
import { nodeManifest, openNodeManifest } from '#lib/protocol/node-manifest.ts';
import { readDirectory } from './directory.ts';

/** Longest text that is looked at: a signed directory with all keys of its line. */
export const MAX_PASTED = 20_000;

/** A signed statement as text: base64url without padding and without multibase letter, as it stands in links. */
export function toCode(bytes: Uint8Array): string {
	return base64url.baseEncode(bytes);
}

/** The address that opens the app at `base` with an invitation. Behind `#`, so that the server of the app never sees it. */
export function invitationLink(base: string, code: string): string {
	return `${base.replace(/[#?].*$/, '')}#/join/${code}`;
}

/** What reading needs. */
export interface PastedContext {
	readonly crypto: Crypto;
	/** Unix ms. */
	readonly now: number;
	/** Whether this account or node was met before. */
	readonly met: (who: string) => boolean;
	/** Checks a SignedDirectory against the keys of this app. */
	readonly believe: (directory: Uint8Array) => Promise<SignedList>;
}

/**
 * Reads the text at wall time `now`. Refusals: `oversized`; `malformed` when it is none of these; `expired`, `bad-signature`,
 * `bad-certificate`, `wrong-signer`, `clock-skew` when it is and does not hold; for a directory those of `believe`, and `too-few-keys` when nobody
 * signed it.
 */
export async function readPasted(pasted: string, { crypto, now, met, believe }: PastedContext): Promise<Found> {
	if (pasted.length > MAX_PASTED) throw new Refusal('oversized', 'too long for an invitation');
	const text = pasted.trim();
	if (text.startsWith('{')) return { kind: 'directory', ...(await believe(readDirectory(text))) };
	if (text.startsWith('/')) {
		if (!isRelayAddress(text)) throw new Refusal('malformed', 'a relay address ends in /p2p/<its id>');
		return { kind: 'relay', address: text };
	}
	const bytes = bytesOf(/#\/join\/([\w-]+)$/.exec(text)?.[1] ?? text);
	const { type } = peek(bytes, nodeManifest.maxBytes);
	if (type === invitation.type) {
		const { account, peer, invitation: body, addresses } = await openInvitation(bytes, crypto, now);
		return {
			kind: 'invitation',
			signer: account,
			name: body.name,
			metBefore: met(account),
			peer,
			relays: body.relays,
			addresses,
			expiresAt: body.expiresAt
		};
	}
	const { account, peer, manifest } = await openNodeManifest(bytes, crypto, now);
	const signer = account ?? peer;
	const { role, addresses, expiresAt } = manifest;
	return { kind: 'node', role, signer, metBefore: met(signer), peer, addresses, document: bytes, expiresAt };
}

function bytesOf(code: string): Uint8Array {
	if (!/^[\w-]+$/.test(code)) throw new Refusal('malformed', 'not an invitation');
	try {
		return base64url.baseDecode(code);
	} catch {
		throw new Refusal('malformed', 'not an invitation');
	}
}
