/**
 * DirectoryV1: a list of relays that the directory keys of a line vouch for (release-keys.ts). It travels with the keys it is signed under, as
 * SignedDirectory, so that it can be passed on by anybody: beside the app, by a relay, on paper.
 */
import { largestCoSigned } from './co-signed.ts';
import { decodeCanonical, encodeCanonical } from './encode.ts';
import { kind, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { isRelayAddress } from './invitation.ts';
import { MAX_ADDRESS } from './limits.ts';
import { MAX_KEYS_VERSION, MAX_NAME } from './release-keys.ts';
import { blob, extensions, fields, integer, list, stamp, text, word, type Shape } from './shape.ts';

/** Relays of one directory. */
export const MAX_DIRECTORY_RELAYS = 8;
/** Largest SignedDirectory in bytes, keys and all; as text it stays below what may be pasted. */
export const MAX_SIGNED_DIRECTORY = 12 * 1024;
const MAX_SEQUENCE = 1_000_000_000;

const relay: Shape<string> = {
	check: (value, path) => {
		const address = text(MAX_ADDRESS, 1).check(value, path);
		if (!isRelayAddress(address)) throw new Refusal('malformed', `${path}: a relay address ends in /p2p/<its id>`);
		return address;
	}
};

export const directory = kind(
	'Directory',
	1,
	fields({
		line: text(MAX_NAME, 1),
		/** Version of the keys it is signed under. */
		keys: integer(1, MAX_KEYS_VERSION),
		/** Counts the directories under these keys. */
		sequence: integer(0, MAX_SEQUENCE),
		relays: list(relay, MAX_DIRECTORY_RELAYS, 1),
		issuedAt: stamp,
		/** From here on a reader is warned, and asks others first. Nothing stops working. */
		expiresAt: stamp,
		extensions
	}),
	4096
);
export type Directory = BodyOf<typeof directory>;

const bundle = fields({
	type: word('SignedDirectory'),
	version: integer(1, 1),
	/** All keys of the line from the first on, as in `release/keys.cbor`. */
	keys: blob(MAX_SIGNED_DIRECTORY),
	document: blob(largestCoSigned(directory))
});

/** Both parts as one. Refusal `oversized`. */
export function encodeSignedDirectory(keys: Uint8Array, document: Uint8Array): Uint8Array {
	const encoded = encodeCanonical({ type: 'SignedDirectory', version: 1, keys, document });
	decodeSignedDirectory(encoded);
	return encoded;
}

/** The parts, unbelieved. Refusals: `oversized`, `malformed`, `not-canonical`. */
export function decodeSignedDirectory(encoded: Uint8Array): {
	readonly keys: Uint8Array;
	readonly document: Uint8Array;
} {
	return bundle.check(decodeCanonical(encoded, MAX_SIGNED_DIRECTORY), 'SignedDirectory');
}
