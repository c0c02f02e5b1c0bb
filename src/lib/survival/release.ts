/**
 * Whether a release may be believed: one pure module for the page, the service worker and the scripts (docs/spec/release.md).
 *
 * Nothing here fetches, stores or looks at a clock. Each check answers one attack and is named by the code it refuses with;
 * tests/unit/release.test.ts fails without any one of them.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Crypto } from '#lib/ports/crypto.ts';
import { largestCoSigned, readCoSigned, signersOf } from '#lib/protocol/co-signed.ts';
import { decodeCanonical, encodeCanonical, equalBytes, toHex } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { decodeFiles, MAX_FILE_LIST, type ReleaseFile } from '#lib/protocol/release-files.ts';
import { DEVELOPMENT_LINE, MAX_KEYS_VERSION, releaseKeys, type ReleaseKeys } from '#lib/protocol/release-keys.ts';
import {
	comparePlaces,
	MAX_SEQUENCE_STEP,
	releaseManifest,
	type Place,
	type ReleaseManifest
} from '#lib/protocol/release.ts';
import { blob, list } from '#lib/protocol/shape.ts';

/** The three signed documents as they lie in `release/`, and the most bytes a reader takes of each: endless data ends there. */
export const PARTS = {
	keys: { path: 'release/keys.cbor', max: 128 * 1024 },
	manifest: { path: 'release/manifest.cbor', max: largestCoSigned(releaseManifest) },
	files: { path: 'release/files.cbor', max: MAX_FILE_LIST }
} as const;

/** What came, unbelieved. */
export type SignedParts = Readonly<Record<keyof typeof PARTS, Uint8Array>>;

/** What is believed beforehand. */
export interface Trust {
	/** The encoded first keys of the line, baked in. */
	readonly root: Uint8Array;
	/** Nothing before this is accepted: the place baked into this app. */
	readonly floor: Place;
	/** The furthest release accepted here before, and its name. */
	readonly held?: (Place & { readonly cid: string }) | undefined;
	/** Highest version of the keys ever verified here. */
	readonly keysSeen?: number | undefined;
}

/** A release whose every word is vouched for. Its files are still to be compared with `files`, one by one, as they come. */
export interface VerifiedRelease {
	readonly manifest: ReleaseManifest;
	/** Name of the manifest's body. */
	readonly cid: string;
	readonly files: readonly ReleaseFile[];
	/** The keys it was signed under. */
	readonly keys: ReleaseKeys;
	/** Who signed, by the names the keys have, and how many had to. */
	readonly signers: readonly string[];
	readonly needed: number;
	/** Its makers said it would not be the newest for so long: warn, never block. */
	readonly stale: boolean;
	/** Signed with the key that anyone can make. */
	readonly development: boolean;
	readonly parts: SignedParts;
}

/**
 * The newest keys of the line, followed link by link from the baked-in ones. Each set is signed by enough release keys of the set before
 * and by enough of its own. Refusals: as `readCoSigned` and `signersOf`, `other-line`, `broken-succession`, `too-few-keys`.
 */
export async function followKeys(encoded: Uint8Array, root: Uint8Array, crypto: Crypto): Promise<ReleaseKeys> {
	const first = readCoSigned(releaseKeys, root);
	const chain = chainShape.check(decodeCanonical(encoded, PARTS.keys.max), 'keys');
	let current: ReleaseKeys | undefined;
	for (const link of chain) {
		const document = readCoSigned(releaseKeys, link);
		const { body } = document;
		if (body.line !== first.body.line) throw new Refusal('other-line', body.line);
		if (current === undefined && !document.cid.equals(first.cid)) throw new Refusal('broken-succession', 'first keys');
		if (current !== undefined && body.version !== current.version + 1)
			throw new Refusal('broken-succession', `version ${body.version} after ${current.version}`);
		const roles = current === undefined ? [body.release] : [current.release, body.release];
		const allowed = roles.flatMap(({ keys }) => keys.map(({ key }) => key));
		const signers = await signersOf(releaseKeys, document, allowed, crypto);
		for (const role of roles) countKeys(role, signers);
		current = body;
	}
	// `chain` has at least one link.
	return current as ReleaseKeys;
}

const chainShape = list(blob(largestCoSigned(releaseKeys)), MAX_KEYS_VERSION, 1);

/** The file `keys.cbor`: all keys of the line from the first on. */
export function encodeChain(documents: readonly Uint8Array[]): Uint8Array {
	return encodeCanonical(chainShape.check(documents, 'keys'));
}

/** The documents in `keys.cbor`, unbelieved. Refusals: `oversized`, `malformed`, `not-canonical`. */
export function decodeChain(encoded: Uint8Array): readonly Uint8Array[] {
	return chainShape.check(decodeCanonical(encoded, PARTS.keys.max), 'keys');
}

/**
 * Believes a release or refuses it. `now` in Unix ms; it only decides `stale`. Rejects with a Refusal and nothing else: `oversized`,
 * `malformed`, `not-canonical`, `unknown-type`, `unknown-version`, `bad-signature`, `wrong-role`, `too-few-keys`, `other-line`,
 * `broken-succession`, `rolled-back`, `fast-forward`, `same-number`, `mixed-release`.
 */
export async function verifyRelease(
	parts: SignedParts,
	trust: Trust,
	crypto: Crypto,
	now: number
): Promise<VerifiedRelease> {
	const keys = await followKeys(parts.keys, trust.root, crypto);
	const head = await verifyManifest(parts.manifest, keys, crypto);
	judgePlace(head.manifest, head.cid, trust);
	return { ...head, files: listedFiles(parts.files, head.manifest), keys, ...marks(head.manifest, now), parts };
}

/** The manifest alone, under keys that were followed already: what a peer's news is checked with. Refusals as `verifyRelease`. */
export async function verifyManifest(
	encoded: Uint8Array,
	keys: ReleaseKeys,
	crypto: Crypto
): Promise<Pick<VerifiedRelease, 'manifest' | 'cid' | 'signers' | 'needed'>> {
	const document = readCoSigned(releaseManifest, encoded);
	const { body: manifest } = document;
	if (manifest.line !== keys.line) throw new Refusal('other-line', manifest.line);
	if (manifest.keys < keys.version) throw new Refusal('rolled-back', `keys ${manifest.keys}, now ${keys.version}`);
	if (manifest.keys > keys.version) throw new Refusal('mixed-release', `keys ${manifest.keys}, here ${keys.version}`);
	const allowed = keys.release.keys.map(({ key }) => key);
	const signers = await signersOf(releaseManifest, document, allowed, crypto);
	countKeys(keys.release, signers);
	const named = keys.release.keys.filter(({ key }) => signers.has(toHex(key))).map(({ name }) => name);
	return { manifest, cid: document.cid.toString(), signers: named, needed: keys.release.threshold };
}

/** Whether a release, or a directory, may follow what is known. Refusals: `rolled-back`, `same-number`, `fast-forward`. Pure. */
export function judgePlace(
	manifest: Place & Pick<ReleaseManifest, 'line'>,
	cid: string,
	{ floor, held, keysSeen }: Omit<Trust, 'root'>
): void {
	if (comparePlaces(manifest, floor) < 0)
		throw new Refusal('rolled-back', `${placeName(manifest)}, baked in ${placeName(floor)}`);
	if (manifest.keys < (keysSeen ?? 0)) throw new Refusal('rolled-back', `keys ${manifest.keys}, seen ${keysSeen}`);
	if (held !== undefined) {
		const order = comparePlaces(manifest, held);
		// A development build keeps its number while its files change all day.
		if (order === 0 && cid !== held.cid && manifest.line !== DEVELOPMENT_LINE) throw new Refusal('same-number');
		if (order < 0) throw new Refusal('rolled-back', `${placeName(manifest)}, held ${placeName(held)}`);
	}
	const from = held !== undefined && comparePlaces(held, floor) > 0 ? held : floor;
	// New keys begin a new count, which may not begin high either.
	const base = manifest.keys === from.keys ? from.sequence : 0;
	if (manifest.sequence > base + MAX_SEQUENCE_STEP)
		throw new Refusal('fast-forward', `${placeName(manifest)} after ${placeName(from)}`);
}

/** The newest set of keys in `keys.cbor`, as its own document; undefined when there are only the first ones. What peers pass on with a manifest. */
export function newestKeys(encoded: Uint8Array): Uint8Array | undefined {
	const chain = decodeChain(encoded);
	return chain.length > 1 ? chain.at(-1) : undefined;
}

/** What a peer passes on: a manifest, and the newest keys it may need beside those known. */
export interface ReleaseWord {
	readonly manifest: Uint8Array;
	readonly keySet: Uint8Array | undefined;
}

/** The chain of keys (encoded) with the newest set that a peer passed on; the chain itself when that is not newer. Unbelieved. Refusals as `readCoSigned`. */
export function chainWith(chain: Uint8Array, keySet: Uint8Array | undefined, root: Uint8Array): Uint8Array {
	if (keySet === undefined) return chain;
	const known = decodeChain(chain);
	const newest = readCoSigned(releaseKeys, known.at(-1) ?? root).body.version;
	const isNewer = readCoSigned(releaseKeys, keySet).body.version > newest;
	return isNewer ? encodeChain([...known, keySet]) : chain;
}

/**
 * A manifest that a peer passed on, under `chain` (encoded, known here). Refusals as `verifyRelease`; whether it is news, the caller compares.
 */
export async function believeNews(
	{ manifest, keySet }: ReleaseWord,
	chain: Uint8Array,
	root: Uint8Array,
	crypto: Crypto,
	now: number
): Promise<Pick<VerifiedRelease, 'manifest' | 'cid' | 'signers' | 'needed' | 'stale' | 'development'>> {
	const keys = await followKeys(chainWith(chain, keySet, root), root, crypto);
	const head = await verifyManifest(manifest, keys, crypto);
	return { ...head, ...marks(head.manifest, now) };
}

/** The files of a release, when the list is the one its manifest names. Refusals: `oversized`, `mixed-release`, `malformed`. */
export function listedFiles(encoded: Uint8Array, manifest: ReleaseManifest): readonly ReleaseFile[] {
	if (encoded.length > PARTS.files.max) throw new Refusal('oversized', 'list of files');
	if (!equalBytes(sha256(encoded), manifest.files)) throw new Refusal('mixed-release', 'list of files');
	const files = decodeFiles(encoded);
	const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
	if (files.length !== manifest.count || bytes !== manifest.bytes)
		throw new Refusal('mixed-release', 'the list of files is not as long as was signed');
	return files;
}

function countKeys(role: ReleaseKeys['release'], signers: ReadonlySet<string>): void {
	const count = role.keys.filter(({ key }) => signers.has(toHex(key))).length;
	if (count < role.threshold) throw new Refusal('too-few-keys', `${count} of ${role.threshold}`);
}

function marks(manifest: ReleaseManifest, now: number): Pick<VerifiedRelease, 'stale' | 'development'> {
	return { stale: now > manifest.expiresAt, development: manifest.line === DEVELOPMENT_LINE };
}

function placeName({ keys, sequence }: Place): string {
	return `${keys}.${sequence}`;
}
