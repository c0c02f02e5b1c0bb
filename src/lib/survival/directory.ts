/** Whether a directory may be believed (docs/spec/directory.md): signed by enough directory keys of this app's line, and not older than what is known. Pure. */
import type { Crypto } from '#lib/ports/crypto.ts';
import { readCoSigned, signersOf } from '#lib/protocol/co-signed.ts';
import { decodeSignedDirectory, directory, type Directory } from '#lib/protocol/directory.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { DEVELOPMENT_LINE } from '#lib/protocol/release-keys.ts';
import type { Place } from '#lib/protocol/release.ts';
import { followKeys, judgePlace, type Trust } from './release.ts';

/** A directory whose every word is vouched for. */
export interface BelievedDirectory {
	readonly directory: Directory;
	/** Name of its body. */
	readonly cid: string;
	/** Who signed, by the names the keys have, and how many had to. */
	readonly signers: readonly string[];
	readonly needed: number;
	/** Its makers meant to have made a newer one by now: warn and ask others first, never block. */
	readonly stale: boolean;
	/** Signed with a key that anyone can make. */
	readonly development: boolean;
	readonly bytes: Uint8Array;
}

/** There is no directory before the first. */
const FLOOR: Place = { keys: 1, sequence: 0 };

/**
 * Believes a SignedDirectory or refuses it. `now` in Unix ms; it only decides `stale`. Rejects with a Refusal and nothing else: those of
 * `verifyRelease` except `mixed-release` for files.
 */
export async function believeDirectory(
	bytes: Uint8Array,
	trust: Pick<Trust, 'root' | 'held' | 'keysSeen'>,
	crypto: Crypto,
	now: number
): Promise<BelievedDirectory> {
	const parts = decodeSignedDirectory(bytes);
	const keys = await followKeys(parts.keys, trust.root, crypto);
	const document = readCoSigned(directory, parts.document);
	const { body } = document;
	if (body.line !== keys.line) throw new Refusal('other-line', body.line);
	if (body.keys < keys.version) throw new Refusal('rolled-back', `keys ${body.keys}, now ${keys.version}`);
	if (body.keys > keys.version) throw new Refusal('mixed-release', `keys ${body.keys}, here ${keys.version}`);
	const { threshold, keys: allowed } = keys.directory;
	const signed = await signersOf(
		directory,
		document,
		allowed.map(({ key }) => key),
		crypto
	);
	const signers = allowed.filter(({ key }) => signed.has(toHex(key))).map(({ name }) => name);
	if (signers.length < threshold) throw new Refusal('too-few-keys', `${signers.length} of ${threshold}`);
	const cid = document.cid.toString();
	judgePlace(body, cid, { ...trust, floor: FLOOR });
	const development = body.line === DEVELOPMENT_LINE;
	return { directory: body, cid, signers, needed: threshold, stale: now > body.expiresAt, development, bytes };
}
