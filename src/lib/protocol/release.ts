/**
 * ReleaseManifestV1: the few facts that the release keys vouch for. It names the app's folder by its CID and the list of its files by hash,
 * so it stays small enough to be passed from peer to peer as news.
 *
 * Its place in the order of releases is (`keys`, `sequence`): a change of keys begins a new count, which is how a number that thieves drove
 * up is left behind.
 */
import { CID } from 'multiformats/cid';
import { kind, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { MAX_KEYS_VERSION, MAX_NAME } from './release-keys.ts';
import { bytes, extensions, fields, integer, stamp, text, type Shape } from './shape.ts';

/** Furthest a release may be ahead of the last one known: a release a day for 27 years. More is a thief burning the numbers. */
export const MAX_SEQUENCE_STEP = 10_000;
const MAX_SEQUENCE = 1_000_000_000;
/** Most files and bytes of one release. Today: about 50 files and 28 MB. */
export const MAX_FILES = 2_000;
export const MAX_RELEASE_BYTES = 512 * 1024 * 1024;

/** CIDv1 of a UnixFS folder (dag-pb) under SHA-256. */
const folder: Shape<CID> = {
	check: (value, path) => {
		const cid = CID.asCID(value);
		if (cid?.version === 1 && cid.code === 0x70 && cid.multihash.code === 0x12 && cid.multihash.size === 32) return cid;
		throw new Refusal('malformed', `${path}: expected the CID of a folder`);
	}
};

export const releaseManifest = kind(
	'ReleaseManifest',
	1,
	fields({
		line: text(MAX_NAME, 1),
		/** Version of the keys it is signed by. */
		keys: integer(1, MAX_KEYS_VERSION),
		sequence: integer(0, MAX_SEQUENCE),
		/** What a person calls it, e.g. `0.2.0`. */
		name: text(MAX_NAME, 1),
		/** The app's folder, without the signed documents. */
		app: folder,
		/** SHA-256 of the encoded list of files (release-files.ts). */
		files: bytes(32),
		/** Files in that list, and their bytes together: known before anything is fetched. */
		count: integer(1, MAX_FILES),
		bytes: integer(1, MAX_RELEASE_BYTES),
		issuedAt: stamp,
		/** From here on a reader is warned that news may be kept from them. Nothing stops working. */
		expiresAt: stamp,
		extensions
	}),
	2048
);
export type ReleaseManifest = BodyOf<typeof releaseManifest>;

/** Where a release stands in its line. */
export type Place = Pick<ReleaseManifest, 'keys' | 'sequence'>;

/** Negative when `a` comes before `b`, 0 when they are the same place. */
export function comparePlaces(a: Place, b: Place): number {
	return a.keys - b.keys || a.sequence - b.sequence;
}
