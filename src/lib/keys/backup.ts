/**
 * The backup: account key, its pre-signed revocation and everything that was remembered, as one sealed file (docs/spec/moving.md).
 * Never a node key: two browsers that restored one backup must not sign as one node (protocol.md 1).
 *
 * The sealed text is packed and padded to a length that says little: 16 KiB at least, above it Padmé (Nikitin et al., 2019, section 4), which costs at
 * most 12 % and leaves only the magnitude.
 */
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_MOVED_BYTES } from '#lib/protocol/move.ts';
import { asSecret, MAX_ACCOUNT_FILE_BYTES, type AccountSecret, type OpenedSecret } from './accountfile.ts';
import { owned } from './native.ts';
import { openFile, sealFile, type SealPlatform } from './sealedfile.ts';

/** Longest backup in bytes. About two hundred thousand long answers, packed; a phone can still hold and open it. */
export const MAX_BACKUP_BYTES = MAX_MOVED_BYTES;
/** Longest unpacked text in bytes: a small file that unpacks to more is hostile, and is left before it fills the memory. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
/** Below this every backup has one length. */
const LEAST_PADDED_BYTES = 16 * 1024;
const LENGTH_BYTES = 4;
const KIND = { type: 'fireweed-backup', version: 1, maxBytes: MAX_BACKUP_BYTES };

/** What a backup holds. */
export interface BackupContents {
	readonly secret: AccountSecret;
	/** AccountRevocationV1, signed when the account was made; published by hand when the key is lost or stolen. */
	readonly revocation: Uint8Array;
	/** Unix ms. */
	readonly madeAt: number;
	/** Tables of the store. */
	readonly records: unknown;
}

/** Refusals: `insecure-context`, `malformed` (passphrase too short), `oversized`. */
export async function sealBackup(
	{ secret, revocation, madeAt, records }: BackupContents,
	passphrase: string,
	platform: SealPlatform
): Promise<Uint8Array> {
	const { createdAt, seed } = secret;
	const contents = encodeCanonical({ account: { createdAt, seed }, revocation, madeAt, records: present(records) });
	const packed = await through(contents, new CompressionStream('gzip'), MAX_BACKUP_BYTES);
	contents.fill(0);
	const plain = new Uint8Array(paddedLength(LENGTH_BYTES + packed.length));
	new DataView(plain.buffer).setUint32(0, packed.length);
	plain.set(packed, LENGTH_BYTES);
	try {
		return await sealFile(KIND, plain, passphrase, platform);
	} finally {
		plain.fill(0);
		packed.fill(0);
	}
}

/** Refusals: those of `openFile`; `malformed`, `not-canonical` and `oversized` also for what stands inside. */
export async function openBackup(
	file: Uint8Array,
	passphrase: string,
	subtle: SubtleCrypto | undefined
): Promise<Omit<BackupContents, 'secret'> & { readonly secret: OpenedSecret }> {
	const plain = await openFile(KIND, file, passphrase, subtle);
	const length = plain.length < LENGTH_BYTES ? 0 : new DataView(plain.buffer).getUint32(0);
	if (length === 0 || length > plain.length - LENGTH_BYTES) throw new Refusal('malformed', 'backup');
	const packed = plain.slice(LENGTH_BYTES, LENGTH_BYTES + length);
	const contents = await through(packed, new DecompressionStream('gzip'), MAX_UNPACKED_BYTES);
	const { account, revocation, madeAt, records }: Record<string, unknown> = {
		...(decodeCanonical(contents, MAX_UNPACKED_BYTES) ?? {})
	};
	[plain, packed, contents].forEach((bytes) => bytes.fill(0));
	if (!(revocation instanceof Uint8Array) || !Number.isSafeInteger(madeAt)) throw new Refusal('malformed', 'backup');
	return { secret: asSecret(account), revocation: owned(revocation), madeAt: Number(madeAt), records };
}

/** Whether a file can only be a backup: account files end far below the length at which backups begin. */
export function isBackup(file: Uint8Array): boolean {
	return file.length > MAX_ACCOUNT_FILE_BYTES;
}

/** The length that stands for every length of the same magnitude (Padmé). */
export function paddedLength(length: number): number {
	if (length <= LEAST_PADDED_BYTES) return LEAST_PADDED_BYTES;
	const exponent = Math.floor(Math.log2(length));
	const step = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1));
	return Math.ceil(length / step) * step;
}

/** DAG-CBOR has no form for a field that is undefined; such a field is simply not there. */
function present(value: unknown): unknown {
	if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
	if (Array.isArray(value)) return value.map(present);
	const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
	return Object.fromEntries(entries.map(([name, inner]) => [name, present(inner)]));
}

/** Bytes through a (de)compressor, never more than `max` out of it. Refusals `oversized`, `malformed`. */
async function through(
	bytes: Uint8Array,
	stream: CompressionStream | DecompressionStream,
	max: number
): Promise<Uint8Array<ArrayBuffer>> {
	const reader = new Blob([owned(bytes)]).stream().pipeThrough(stream).getReader();
	const parts: Uint8Array[] = [];
	let length = 0;
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) break;
			length += value.length;
			if (length > max) throw new Refusal('oversized', 'backup');
			parts.push(value);
		}
	} catch (error) {
		await reader.cancel().catch(() => undefined);
		throw error instanceof Refusal ? error : new Refusal('malformed', 'backup');
	}
	const whole = new Uint8Array(length);
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}
