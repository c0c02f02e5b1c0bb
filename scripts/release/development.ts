/**
 * What signs a development build: one key that anyone can make from the words below. It proves nothing and is not meant to; it lets a
 * checkout go the very same way through loader and verifier as a real release, and every screen says what it is.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cosign, draft } from '../../src/lib/protocol/co-signed.ts';
import { directoryText } from '../../src/lib/doors/directory.ts';
import { directory, encodeSignedDirectory, MAX_DIRECTORY_RELAYS } from '../../src/lib/protocol/directory.ts';
import { isRelayAddress } from '../../src/lib/protocol/invitation.ts';
import { DEVELOPMENT_LINE, releaseKeys } from '../../src/lib/protocol/release-keys.ts';
import { releaseManifest } from '../../src/lib/protocol/release.ts';
import { publicKeyOfSeed, signWithSeed } from '../../src/lib/protocol/signature.ts';
import { encodeChain, PARTS, type SignedParts } from '../../src/lib/survival/release.ts';
import { dagOf } from './dag.ts';
import { listOf, payloadOf, readFolder } from './folder.ts';

/** A build has no date: the same sources give the same bytes. This one is 2026-11-21, and a development build never goes stale. */
const ISSUED_AT = Date.UTC(2026, 10, 21);
const NEVER = 100_000_000_000_000;

const keyFor = (words: string) => {
	const seed = new Uint8Array(createHash('sha256').update(`fireweed development, not a secret: ${words}`).digest());
	const publicKey = publicKeyOfSeed(seed);
	return { publicKey, sign: async (text: Uint8Array) => signWithSeed(seed, text) };
};

const release = keyFor('release');
const doorkeeper = keyFor('directory');

/** The first keys of the development line, as `src/lib/survival/root.ts` bakes them in. */
export async function developmentKeys(): Promise<Uint8Array> {
	const body = {
		line: DEVELOPMENT_LINE,
		version: 1,
		release: { threshold: 1, keys: [{ name: 'nobody (development)', key: release.publicKey }] },
		directory: {
			threshold: 1,
			keys: [{ name: 'nobody (development directory)', key: doorkeeper.publicKey }]
		},
		issuedAt: ISSUED_AT,
		extensions: {}
	};
	return (await cosign(releaseKeys, draft(releaseKeys, body), release)).bytes;
}

/** A directory of the development line: `directory.json` of a server that runs a relay beside it. */
export async function developmentDirectory(relays: readonly string[]): Promise<string> {
	const body = {
		line: DEVELOPMENT_LINE,
		keys: 1,
		sequence: 0,
		relays: relays.filter(isRelayAddress).slice(0, MAX_DIRECTORY_RELAYS),
		issuedAt: ISSUED_AT,
		expiresAt: NEVER,
		extensions: {}
	};
	const { bytes } = await cosign(directory, draft(directory, body), doorkeeper);
	return directoryText(encodeSignedDirectory(encodeChain([await developmentKeys()]), bytes));
}

/** Puts signed documents for the files of `root` into its `release/` folder. `name` is the app's version. */
export async function signDevelopment(root: string, name: string): Promise<void> {
	const payload = payloadOf(await readFolder(root));
	const list = listOf(payload);
	const body = {
		line: DEVELOPMENT_LINE,
		keys: 1,
		sequence: 0,
		name,
		app: (await dagOf(payload)).root,
		files: list.sha256,
		count: list.count,
		bytes: list.bytes,
		issuedAt: ISSUED_AT,
		expiresAt: NEVER,
		extensions: {}
	};
	await writeParts(root, {
		keys: encodeChain([await developmentKeys()]),
		manifest: (await cosign(releaseManifest, draft(releaseManifest, body), release)).bytes,
		files: list.encoded
	});
}

/** Writes the three documents where readers look for them. */
export async function writeParts(root: string, parts: SignedParts): Promise<void> {
	for (const part of ['keys', 'manifest', 'files'] as const) {
		const to = path.join(root, PARTS[part].path);
		await mkdir(path.dirname(to), { recursive: true });
		await writeFile(to, parts[part]);
	}
}
