/**
 * The code a new tab shows and an old one is given: which node waits, at which relays it can be found, and a secret that is good once.
 *
 * `FWM1:` and base32 of the bytes, which QR codes hold densest (ISO 18004, alphanumeric). It is no address that a browser opens: a link that
 * leads to "hand everything over" could be sent to anybody (docs/decisions/moving-directly.md).
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { base32upper } from 'multiformats/bases/base32';
import { formatPeerId, parsePeerId } from './did.ts';
import { concat, decodeCanonical, encodeCanonical, equalBytes } from './encode.ts';
import { Refusal } from './errors.ts';
import { isRelayAddress } from './invitation.ts';
import { bytes, fields, list, text } from './shape.ts';

/** Bytes of the secret: nobody guesses it, on the wire or off it. */
export const MOVE_SECRET_BYTES = 16;
/** Relays in a code; each makes the picture larger. */
export const MAX_CODE_RELAYS = 2;
/** Longest relay address in a code; longer ones make a picture no camera reads. */
export const MAX_CODE_ADDRESS = 200;
/** Longest text that is searched for a code. */
const MAX_PASTED = 4_096;
/** Bytes of a hash at the end: a code that lost a letter is known for that, and not for a peer that does not answer. */
const CHECK_BYTES = 4;
const MAX_BODY_BYTES = 600;
const CODE = /FWM1:([A-Z2-7]{16,1200})/;

export interface MoveCode {
	/** PeerId of the node that waits. */
	readonly peer: string;
	readonly relays: readonly string[];
	readonly secret: Uint8Array;
}

const shape = fields({
	node: bytes(32),
	relays: list(text(MAX_CODE_ADDRESS, 1), MAX_CODE_RELAYS, 1),
	secret: bytes(MOVE_SECRET_BYTES)
});

/** Refusal `malformed` for a peer that is none. */
export function formatMoveCode({ peer, relays, secret }: MoveCode): string {
	const body = encodeCanonical({ node: parsePeerId(peer), relays, secret });
	return `FWM1:${base32upper.baseEncode(concat(body, checkOf(body)))}`;
}

/** Finds the code in what was pasted or scanned. Refusals: `oversized`, `malformed`, `not-canonical`; `unknown-version` for a code of a later app. */
export function readMoveCode(pasted: string): MoveCode {
	if (pasted.length > MAX_PASTED) throw new Refusal('oversized', 'too long for a code');
	const text = pasted.toUpperCase();
	// With the words around it left out, or, where a line was broken on the way, with the gaps closed.
	const body = bodyIn(text) ?? bodyIn(text.replace(/\s+/g, ''));
	if (body === undefined) {
		throw new Refusal(/FWM[2-9]:/.test(text) ? 'unknown-version' : 'malformed', 'no code, or not the whole of it');
	}
	const { node, relays, secret } = shape.check(decodeCanonical(body, MAX_BODY_BYTES), 'code');
	if (!relays.every(isRelayAddress)) throw new Refusal('malformed', 'a relay address ends in /p2p/<its id>');
	return { peer: formatPeerId(node), relays, secret };
}

/** Where the node that waits can be dialled: over each of the relays. */
export function addressesOf({ peer, relays }: MoveCode): readonly string[] {
	return relays.map((relay) => `${relay}/p2p-circuit/webrtc/p2p/${peer}`);
}

/** The bytes of a code that is whole; undefined where there is none. */
function bodyIn(text: string): Uint8Array | undefined {
	const whole = decoded(CODE.exec(text)?.[1] ?? '');
	const body = whole.subarray(0, -CHECK_BYTES);
	return body.length > 0 && equalBytes(checkOf(body), whole.subarray(-CHECK_BYTES)) ? body : undefined;
}

function checkOf(body: Uint8Array): Uint8Array {
	return sha256(body).subarray(0, CHECK_BYTES);
}

function decoded(data: string): Uint8Array {
	try {
		return base32upper.baseDecode(data);
	} catch {
		return new Uint8Array();
	}
}
