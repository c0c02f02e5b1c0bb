/**
 * The two texts of an Ed25519 public key: `did:key:z6Mk…` for an account (W3C did:key method, multicodec ed25519-pub 0xed) and the
 * libp2p PeerId `12D3KooW…` for a node (libp2p peer-ids spec: identity multihash of the protobuf PublicKey).
 *
 * Both are read strictly: one key has one text, and whatever is not that text is refused with `malformed`. Whether a key
 * may sign is a different question (`isAcceptableKey` in signature.ts).
 */
import { base58btc } from 'multiformats/bases/base58';
import { Refusal } from './errors.ts';
import { PUBLIC_KEY_BYTES } from './signature.ts';

const DID_KEY = 'did:key:';
/** Unsigned varint of multicodec 0xed, `ed25519-pub`. */
const ED25519_PUB = Uint8Array.of(0xed, 0x01);
/** Identity multihash (0x00) of 36 bytes: protobuf KeyType = Ed25519 (08 01), Data = 32 bytes (12 20). */
const PEER_ID_HEAD = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

/** Refusal `malformed` when the key is not 32 bytes. */
export function formatDid(publicKey: Uint8Array): string {
	return DID_KEY + base58btc.encode(withHead(ED25519_PUB, publicKey));
}

/** The 32-byte key of a `did:key:z6Mk…`; Refusal `malformed` for anything that `formatDid` would not write. */
export function parseDid(text: string): Uint8Array {
	if (!text.startsWith(DID_KEY)) throw new Refusal('malformed', 'not a did:key');
	return keyOf(text.slice(DID_KEY.length), ED25519_PUB, 'did:key');
}

/** Refusal `malformed` when the key is not 32 bytes. */
export function formatPeerId(publicKey: Uint8Array): string {
	return base58btc.baseEncode(withHead(PEER_ID_HEAD, publicKey));
}

/** The 32-byte key of a `12D3KooW…`; Refusal `malformed` for any other text, CID-form PeerIds and other key types included. */
export function parsePeerId(text: string): Uint8Array {
	return keyOf(`z${text}`, PEER_ID_HEAD, 'PeerId');
}

/** Longest text is 56 characters; base58 decoding is quadratic, so a long hostile text is refused before it. */
const MAX_TEXT = 64;

function keyOf(text: string, head: Uint8Array, noun: string): Uint8Array {
	const bytes = text.length > MAX_TEXT ? undefined : decoded(text);
	if (bytes === undefined) throw new Refusal('malformed', `not a ${noun}`);
	const fits = bytes.length === head.length + PUBLIC_KEY_BYTES && head.every((byte, i) => byte === bytes[i]);
	// base58 has one text per byte string, but decoders differ in what else they let through: compare.
	if (!fits || base58btc.encode(bytes) !== text) throw new Refusal('malformed', `not an Ed25519 ${noun}`);
	return bytes.slice(head.length);
}

function decoded(text: string): Uint8Array | undefined {
	try {
		return base58btc.decode(text);
	} catch {
		return undefined;
	}
}

function withHead(head: Uint8Array, publicKey: Uint8Array): Uint8Array {
	if (publicKey.length !== PUBLIC_KEY_BYTES) throw new Refusal('malformed', 'an Ed25519 key has 32 bytes');
	const bytes = new Uint8Array(head.length + PUBLIC_KEY_BYTES);
	bytes.set(head);
	bytes.set(publicKey, head.length);
	return bytes;
}
