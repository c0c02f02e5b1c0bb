/** The account key alone as a file under a passphrase (docs/spec/identity.md). */
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { publicKeyOfSeed, SEED_BYTES } from '#lib/protocol/signature.ts';
import type { FillRandom } from './material.ts';
import { owned } from './native.ts';
import { openFile, sealFile } from './sealedfile.ts';

/** Length of the sealed text, so that the file says nothing of what stands in it. Far above the ~60 bytes used now. */
const PADDED_BYTES = 512;
/** A real file has about 620 bytes; anything longer is refused unread. */
export const MAX_ACCOUNT_FILE_BYTES = 4_096;
const KIND = { type: 'fireweed-account', version: 1, maxBytes: MAX_ACCOUNT_FILE_BYTES };

/** What the seal protects. */
export interface AccountSecret {
	/** 32 bytes, RFC 8032. */
	readonly seed: Uint8Array;
	/** Unix ms. */
	readonly createdAt: number;
}

/** An account secret and the account it makes. */
export type OpenedSecret = AccountSecret & { readonly account: string };

/** Refusals: `insecure-context` (no WebCrypto here), `malformed` (passphrase shorter than `MIN_PASSPHRASE`). */
export async function sealAccount(
	{ createdAt, seed }: AccountSecret,
	passphrase: string,
	subtle: SubtleCrypto | undefined,
	random: FillRandom
): Promise<Uint8Array> {
	const plain = padded(encodeCanonical({ createdAt, seed }));
	try {
		return await sealFile(KIND, plain, passphrase, { subtle, random });
	} finally {
		plain.fill(0);
	}
}

/**
 * Refusals: `oversized`, `malformed` and `not-canonical` (not an account file), `unknown-version` (made by a later app), `'wrong-passphrase'`
 * (or a changed file), `insecure-context`.
 */
export async function openAccount(
	file: Uint8Array,
	passphrase: string,
	subtle: SubtleCrypto | undefined
): Promise<OpenedSecret> {
	const plain = await openFile(KIND, file, passphrase, subtle);
	const secret = asSecret(decodeCanonical(unpadded(plain), PADDED_BYTES));
	plain.fill(0);
	return secret;
}

/** The secret in a decoded value. Refusal `malformed`. */
export function asSecret(value: unknown): OpenedSecret {
	const { createdAt, seed }: Record<string, unknown> = { ...(value ?? {}) };
	const isSeed = seed instanceof Uint8Array && seed.length === SEED_BYTES;
	if (!isSeed || !Number.isSafeInteger(createdAt)) throw new Refusal('malformed', 'account secret');
	return { seed: owned(seed), createdAt: Number(createdAt), account: formatDid(publicKeyOfSeed(seed)) };
}

/** Two bytes of length, big-endian, the text, zeros. */
function padded(text: Uint8Array): Uint8Array<ArrayBuffer> {
	const bytes = new Uint8Array(PADDED_BYTES);
	bytes.set([text.length >> 8, text.length & 0xff]);
	bytes.set(text, 2);
	return bytes;
}

function unpadded(bytes: Uint8Array): Uint8Array {
	const length = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
	if (bytes.length !== PADDED_BYTES || length > bytes.length - 2) throw new Refusal('malformed', 'account secret');
	return bytes.slice(2, 2 + length);
}
