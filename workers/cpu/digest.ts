/** SHA-256 of bytes at hand, natively where the platform lets us: WebCrypto is missing on plain http that is not this machine. */
import { sha256 } from '@noble/hashes/sha2.js';
import { Refusal } from '#lib/protocol/errors.ts';
import type { RecordedFile } from '../messages.ts';

export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
	const subtle = (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;
	return subtle === undefined ? sha256(bytes) : new Uint8Array(await subtle.digest('SHA-256', bytes));
}

/** The hash of a file that is what was released; Refusal `weights-corrupt` for any other bytes. */
export async function verified(name: string, bytes: Uint8Array<ArrayBuffer>, file: RecordedFile): Promise<Uint8Array> {
	if (bytes.length !== file.bytes)
		throw new Refusal('weights-corrupt', `${name}: ${bytes.length} bytes, not ${file.bytes}`);
	const hash = await digest(bytes);
	if (toHex(hash) !== file.sha256) throw new Refusal('weights-corrupt', `${name}: hash differs`);
	return hash;
}

export function toHex(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
