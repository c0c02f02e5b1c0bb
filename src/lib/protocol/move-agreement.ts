/**
 * What two tabs derive from one key agreement: six figures for two screens, tags, and the key the file is sealed under. Pure.
 *
 * Commit, answer, reveal, compare is the short authentication string of ZRTP (RFC 6189, 4.4.1 and 7) and of Matrix (`m.sas.v1`): the side
 * that speaks first is bound to its key before it sees the other's, so whoever stands between has one guess of a million for each code.
 * Keys are derived with HKDF-SHA-256 (RFC 5869), its salt the hash of all that was said.
 */
import { extract, expand } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { base32 } from 'multiformats/bases/base32';
import { concat, encodeCanonical, utf8 } from './encode.ts';

const DOMAIN = 'fireweed/move/1';
const KEY_BYTES = 32;
/** Figures to compare, and how many there are of them. */
export const MOVE_DIGITS = 6;
const NUMBERS = 1_000_000n;

/** The two ends, by their PeerIds. */
export interface MoveEnds {
	readonly oldPeer: string;
	readonly newPeer: string;
}

/** All that both sides have seen once the keys are known. */
export interface MoveTranscript extends MoveEnds {
	readonly commitment: Uint8Array;
	readonly newKey: Uint8Array;
	readonly oldKey: Uint8Array;
}

/** What both sides hold afterwards. */
export interface Agreed {
	/** Six figures, `042137`: the same on both screens unless somebody stands between. */
	readonly digits: string;
	/** What each side says once its person has compared. */
	readonly oldTag: Uint8Array;
	readonly newTag: Uint8Array;
	/** Seals the file; nobody types it. */
	readonly passphrase: string;
}

/** What the old tab says of its key before it shows it. */
export function commitTo(key: Uint8Array): Uint8Array {
	return hashOf('commitment', key);
}

/** Shows that the old tab has the code: without it a stranger's dial ends at the first message. */
export function helloTag(secret: Uint8Array, { oldPeer, newPeer }: MoveEnds, commitment: Uint8Array): Uint8Array {
	return hmac(sha256, secret, encodeCanonical([DOMAIN, 'hello', oldPeer, newPeer, commitment]));
}

/** Shows that the new tab made the code. */
export function answerTag(
	secret: Uint8Array,
	{ oldPeer, newPeer }: MoveEnds,
	commitment: Uint8Array,
	key: Uint8Array
): Uint8Array {
	return hmac(sha256, secret, encodeCanonical([DOMAIN, 'answer', oldPeer, newPeer, commitment, key]));
}

/** `shared`: the bare result of the key agreement. */
export function agree(shared: Uint8Array, secret: Uint8Array, transcript: MoveTranscript): Agreed {
	const { oldPeer, newPeer, commitment, newKey, oldKey } = transcript;
	const salt = hashOf('transcript', encodeCanonical([oldPeer, newPeer, commitment, newKey, oldKey]));
	const root = extract(sha256, concat(shared, secret), salt);
	const derive = (purpose: string) => expand(sha256, root, utf8(`${DOMAIN} ${purpose}`), KEY_BYTES);
	// Eight bytes for six figures: what the remainder favours is one in 2⁴⁴.
	const figures = derive('figures');
	const number = new DataView(figures.buffer, figures.byteOffset).getBigUint64(0) % NUMBERS;
	return {
		digits: String(number).padStart(MOVE_DIGITS, '0'),
		oldTag: derive('old confirms'),
		newTag: derive('new confirms'),
		passphrase: base32.baseEncode(derive('file'))
	};
}

/** Without a difference in time that tells how much of it was right. */
export function sameTag(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	let difference = 0;
	for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
	return difference === 0;
}

function hashOf(what: string, bytes: Uint8Array): Uint8Array {
	return sha256(encodeCanonical([DOMAIN, what, bytes]));
}
