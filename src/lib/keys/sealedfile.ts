/**
 * A file under a passphrase: what the account file and the backup have in common (docs/spec/identity.md, docs/spec/moving.md).
 * PBKDF2-HMAC-SHA-256 with 600,000 rounds (OWASP, 2023) and a 16-byte salt makes an AES-256-GCM key; the file is one canonical DAG-CBOR map. The
 * rounds belong to the version and are not read from the file, so that a hostile file cannot ask for an hour of work.
 *
 * AES-GCM cannot tell a wrong passphrase from a changed file: both are refused with the same code.
 */
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { FillRandom } from './material.ts';
import { owned } from './native.ts';

const PBKDF2_ROUNDS = 600_000;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
/** Refused in words when shorter; how good a passphrase is cannot be measured, how short it is can. In characters. */
export const MIN_PASSPHRASE = 8;

/** One kind of sealed file. */
export interface SealedKind {
	readonly type: string;
	readonly version: number;
	/** Longest whole file, in bytes; longer ones are refused unread. */
	readonly maxBytes: number;
}

/** What a sealed file needs of the browser; `subtle` is undefined in an insecure context. */
export interface SealPlatform {
	readonly subtle: SubtleCrypto | undefined;
	readonly random: FillRandom;
}

/** Seals `plain`, which the caller has padded. Refusals: `insecure-context`, `malformed` (passphrase too short), `oversized`. */
export async function sealFile(
	{ type, version, maxBytes }: SealedKind,
	plain: Uint8Array<ArrayBuffer>,
	passphrase: string,
	{ subtle, random }: SealPlatform
): Promise<Uint8Array> {
	if (subtle === undefined) throw new Refusal('insecure-context');
	if ([...passphrase].length < MIN_PASSPHRASE) throw new Refusal('malformed', 'the passphrase is too short');
	const head = {
		type,
		version,
		salt: random(new Uint8Array(SALT_BYTES)),
		nonce: random(new Uint8Array(NONCE_BYTES))
	};
	const key = await keyOf(passphrase, head.salt, 'encrypt', subtle);
	const params = { name: 'AES-GCM', iv: head.nonce, additionalData: owned(encodeCanonical(head)) };
	const box = new Uint8Array(await subtle.encrypt(params, key, plain));
	const file = encodeCanonical({ ...head, box });
	if (file.length > maxBytes) throw new Refusal('oversized', type);
	return file;
}

/**
 * The padded text of a sealed file. Refusals: `oversized`, `malformed` and `not-canonical` (no file of this kind), `unknown-version` (made
 * by a later app), `wrong-passphrase` (or a changed file), `insecure-context`.
 */
export async function openFile(
	{ type, version, maxBytes }: SealedKind,
	file: Uint8Array,
	passphrase: string,
	subtle: SubtleCrypto | undefined
): Promise<Uint8Array> {
	if (subtle === undefined) throw new Refusal('insecure-context');
	const map = decodeCanonical(file, maxBytes);
	if (typeof map !== 'object' || map === null || Array.isArray(map)) throw new Refusal('malformed', 'not a map');
	const head: Record<string, unknown> = { ...map };
	if (head['type'] !== type) throw new Refusal('malformed', `not a ${type}`);
	if (head['version'] !== version) throw new Refusal('unknown-version', type);
	const { salt, nonce, box } = head;
	if (Object.keys(map).length !== 5 || !isBytes(salt, SALT_BYTES) || !isBytes(nonce, NONCE_BYTES)) {
		throw new Refusal('malformed', type);
	}
	if (!(box instanceof Uint8Array)) throw new Refusal('malformed', type);
	const key = await keyOf(passphrase, owned(salt), 'decrypt', subtle);
	const additionalData = owned(encodeCanonical({ type, version, salt, nonce }));
	try {
		const params = { name: 'AES-GCM', iv: owned(nonce), additionalData };
		return new Uint8Array(await subtle.decrypt(params, key, owned(box)));
	} catch {
		throw new Refusal('wrong-passphrase', 'wrong passphrase or changed file');
	}
}

function isBytes(value: unknown, length: number): value is Uint8Array {
	return value instanceof Uint8Array && value.length === length;
}

async function keyOf(
	passphrase: string,
	salt: Uint8Array<ArrayBuffer>,
	use: 'encrypt' | 'decrypt',
	subtle: SubtleCrypto
): Promise<CryptoKey> {
	// NFKC: the same passphrase typed on another keyboard must give the same bytes.
	const bytes = new TextEncoder().encode(passphrase.normalize('NFKC'));
	const base = await subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveKey']);
	const pbkdf2 = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: PBKDF2_ROUNDS };
	return subtle.deriveKey(pbkdf2, base, { name: 'AES-GCM', length: 256 }, false, [use]);
}
