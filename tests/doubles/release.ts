/** Releases made on the spot: keys of a line, and releases signed by as many of them as a test wants. Never a real key: seeds are counted. */
import { sha256 } from '@noble/hashes/sha2.js';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Signer } from '#lib/ports/keys.ts';
import { cosign, draft, type CoSigned } from '#lib/protocol/co-signed.ts';
import type { Kind } from '#lib/protocol/envelope.ts';
import { encodeFiles, type ReleaseFile } from '#lib/protocol/release-files.ts';
import { releaseKeys, type ReleaseKeys } from '#lib/protocol/release-keys.ts';
import { releaseManifest, type ReleaseManifest } from '#lib/protocol/release.ts';
import { publicKeyOfSeed, signWithSeed, verifySignature } from '#lib/protocol/signature.ts';
import { encodeChain, PARTS, type SignedParts } from '#lib/survival/release.ts';

/** The rule itself, on noble: what the service worker uses. */
export const realCrypto: Crypto = { verify: async (key, text, signature) => verifySignature(key, text, signature) };

/** Key number `n`. */
export function testSigner(n: number): Signer {
	const seed = sha256(new TextEncoder().encode(`fireweed test key ${n}`));
	const publicKey = publicKeyOfSeed(seed);
	return { publicKey, sign: async (text) => signWithSeed(seed, text) };
}

/** Names and keys of test keys, as they stand in a role. */
export const keysOf = (...numbers: readonly number[]) =>
	numbers.map((n) => ({ name: `Key ${n}`, key: testSigner(n).publicKey }));

export const T0 = 1_800_000_000_000;

/** A set of keys: release keys 1, 2, 3 of which two must sign, directory keys 11, 12 of which one must. */
export function keysBody(change: Partial<ReleaseKeys> = {}): ReleaseKeys {
	return {
		line: 'fireweed-test',
		version: 1,
		release: { threshold: 2, keys: keysOf(1, 2, 3) },
		directory: { threshold: 1, keys: keysOf(11, 12) },
		issuedAt: T0,
		extensions: {},
		...change
	};
}

/** A body under the signatures of these test keys. */
export async function signed<T>(kind: Kind<T>, body: T, signers: readonly number[]): Promise<CoSigned<T>> {
	let document = draft(kind, body);
	for (const n of signers) document = await cosign(kind, document, testSigner(n));
	return document;
}

export const signedKeys = (body: ReleaseKeys, signers: readonly number[]) => signed(releaseKeys, body, signers);

export const TEST_FILES: readonly ReleaseFile[] = ['index.html', '_app/a.js', 'service-worker.js'].map((path) => ({
	path,
	sha256: sha256(new TextEncoder().encode(path)),
	bytes: path.length
}));

/** What a manifest says of files. */
export interface Listing {
	readonly encoded: Uint8Array;
	readonly files: Uint8Array;
	readonly count: number;
	readonly bytes: number;
}

export function listing(files: readonly ReleaseFile[] = TEST_FILES): Listing {
	const encoded = encodeFiles(files);
	return {
		encoded,
		files: sha256(encoded),
		count: files.length,
		bytes: files.reduce((sum, { bytes }) => sum + bytes, 0)
	};
}

/** A manifest's body. */
export function manifestBody(change: Partial<ReleaseManifest> = {}, of: Listing = listing()): ReleaseManifest {
	return {
		line: 'fireweed-test',
		keys: 1,
		sequence: 5,
		name: '0.2.0',
		app: CID.createV1(0x70, createDigest(0x12, sha256(of.encoded))),
		files: of.files,
		count: of.count,
		bytes: of.bytes,
		issuedAt: T0,
		expiresAt: T0 + 90 * 86_400_000,
		extensions: {},
		...change
	};
}

/** A whole signed release: `body` under `signers`, with `chain` (encoded sets of keys, the first is the root) and `files`. */
export async function release(
	chain: readonly Uint8Array[],
	body: ReleaseManifest = manifestBody(),
	signers: readonly number[] = [1, 2],
	files: Uint8Array = listing().encoded
): Promise<SignedParts> {
	return { keys: encodeChain(chain), manifest: (await signed(releaseManifest, body, signers)).bytes, files };
}

/** The files of a served folder, by path. */
export type Site = Record<string, Uint8Array | string>;

/**
 * A folder of these files with its signed documents. `chain` is the line's keys (the first is the root), `change` what the manifest says
 * otherwise.
 */
export async function site(
	chain: readonly Uint8Array[],
	files: Record<string, string>,
	change: Partial<ReleaseManifest> = {},
	signers: readonly number[] = [1, 2]
): Promise<Site> {
	const text = (value: string) => new TextEncoder().encode(value);
	const listed = Object.entries(files).map(([path, content]) => ({
		path,
		sha256: sha256(text(content)),
		bytes: text(content).length
	}));
	const of = listing(listed);
	const parts = await release(chain, manifestBody(change, of), signers, of.encoded);
	return {
		...files,
		[PARTS.keys.path]: parts.keys,
		[PARTS.manifest.path]: parts.manifest,
		[PARTS.files.path]: parts.files
	};
}
