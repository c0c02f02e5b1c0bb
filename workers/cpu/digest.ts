/** SHA-256 of bytes at hand, natively where the platform lets us: WebCrypto is missing on plain http that is not this machine. */
import { sha256 } from '@noble/hashes/sha2.js';
import { Refusal } from '#lib/protocol/errors.ts';
import type { RecordedFile } from '../messages.ts';

/** WebCrypto takes everything at once and copies it first; beyond this the copy would cost more than the slower way in pieces. */
const AT_ONCE_BYTES = 512 * 2 ** 20;
/** Of the slower way: a quarter of a second each, so that signs of life come between. */
const PIECE_BYTES = 32 * 2 ** 20;

export async function digest(bytes: Uint8Array<ArrayBuffer>, breathe?: () => Promise<void>): Promise<Uint8Array> {
	const subtle = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;
	if (subtle !== undefined && bytes.length <= AT_ONCE_BYTES) {
		return new Uint8Array(await subtle.digest('SHA-256', bytes));
	}
	const hash = sha256.create();
	for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
		hash.update(bytes.subarray(at, at + PIECE_BYTES));
		await breathe?.();
	}
	return hash.digest();
}

/** The hash of a file that is what was released; Refusal `weights-corrupt` for any other bytes. */
export async function verified(
	name: string,
	bytes: Uint8Array<ArrayBuffer>,
	file: RecordedFile,
	breathe?: () => Promise<void>
): Promise<Uint8Array> {
	if (bytes.length !== file.bytes)
		throw new Refusal('weights-corrupt', `${name}: ${bytes.length} bytes, not ${file.bytes}`);
	const hash = await digest(bytes, breathe);
	if (toHex(hash) !== file.sha256) throw new Refusal('weights-corrupt', `${name}: hash differs`);
	return hash;
}

export function toHex(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
