/**
 * The account key as a file under a passphrase (docs/spec/identity.md). Version 1: PBKDF2-HMAC-SHA-256 with 600,000 rounds (OWASP,
 * 2023) and a 16-byte salt makes an AES-256-GCM key; the file is DAG-CBOR. The rounds belong to the version and are not
 * read from the file, so that a hostile file cannot ask for an hour of work.
 *
 * AES-GCM cannot tell a wrong passphrase from a changed file: both are refused with the same code.
 */
import { decode, encode } from '@ipld/dag-cbor';
import { formatDid } from '#lib/protocol/did.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { publicKeyOfSeed, SEED_BYTES } from '#lib/protocol/signature.ts';
import type { FillRandom } from './material.ts';
import { owned } from './native.ts';

const TYPE = 'fireweed-account';
const VERSION = 1;
const PBKDF2_ROUNDS = 600_000;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
/** Length of the sealed text, so that the file says nothing of what stands in it. Far above the ~60 bytes used now. */
const PADDED_BYTES = 512;
/** A real file has about 620 bytes; anything longer is refused unread. */
export const MAX_ACCOUNT_FILE_BYTES = 4_096;
/** Refused in words when shorter; how good a passphrase is cannot be measured, how short it is can. In characters. */
export const MIN_PASSPHRASE = 8;

/** What the seal protects. */
export interface AccountSecret {
	/** 32 bytes, RFC 8032. */
	readonly seed: Uint8Array;
	/** Unix ms. */
	readonly createdAt: number;
}

/** Refusals: `insecure-context` (no WebCrypto here), `malformed` (passphrase shorter than `MIN_PASSPHRASE`). */
export async function sealAccount(
	secret: AccountSecret,
	passphrase: string,
	subtle: SubtleCrypto | undefined,
	random: FillRandom
): Promise<Uint8Array> {
	if (subtle === undefined) throw new Refusal('insecure-context');
	if ([...passphrase].length < MIN_PASSPHRASE) throw new Refusal('malformed', 'the passphrase is too short');
	const head = {
		type: TYPE,
		version: VERSION,
		salt: random(new Uint8Array(SALT_BYTES)),
		nonce: random(new Uint8Array(NONCE_BYTES))
	};
	const key = await keyOf(passphrase, head.salt, 'encrypt', subtle);
	const params = { name: 'AES-GCM', iv: head.nonce, additionalData: owned(encode(head)) };
	const plain = padded(encode({ createdAt: secret.createdAt, seed: secret.seed }));
	const box = new Uint8Array(await subtle.encrypt(params, key, plain));
	plain.fill(0);
	return encode({ ...head, box });
}

/**
 * Refusals: `oversized`, `malformed` and `not-canonical` (not an account file), `unknown-version` (made by a later app), `'wrong-passphrase'`
 * (or a changed file), `insecure-context`.
 */
export async function openAccount(
	file: Uint8Array,
	passphrase: string,
	subtle: SubtleCrypto | undefined
): Promise<AccountSecret & { readonly account: string }> {
	if (subtle === undefined) throw new Refusal('insecure-context');
	const { salt, nonce, box } = parseFile(file);
	const key = await keyOf(passphrase, salt, 'decrypt', subtle);
	const additionalData = owned(encode({ type: TYPE, version: VERSION, salt, nonce }));
	let plain: Uint8Array;
	try {
		plain = new Uint8Array(await subtle.decrypt({ name: 'AES-GCM', iv: nonce, additionalData }, key, box));
	} catch {
		throw new Refusal('wrong-passphrase', 'wrong passphrase or changed file');
	}
	const { createdAt, seed } = fields(decodeMap(unpadded(plain)));
	plain.fill(0);
	if (!isBytes(seed, SEED_BYTES) || !Number.isSafeInteger(createdAt)) throw new Refusal('malformed', 'account secret');
	return { seed: owned(seed), createdAt: Number(createdAt), account: formatDid(publicKeyOfSeed(seed)) };
}

interface AccountFile {
	readonly salt: Uint8Array<ArrayBuffer>;
	readonly nonce: Uint8Array<ArrayBuffer>;
	readonly box: Uint8Array<ArrayBuffer>;
}

function parseFile(file: Uint8Array): AccountFile {
	if (file.length > MAX_ACCOUNT_FILE_BYTES) throw new Refusal('oversized', 'account file');
	const map = decodeMap(file);
	const { type, version, salt, nonce, box } = fields(map);
	if (type !== TYPE) throw new Refusal('malformed', 'not an account file');
	if (version !== VERSION) throw new Refusal('unknown-version', 'account file');
	if (Object.keys(map).length !== 5 || !isBytes(salt, SALT_BYTES) || !isBytes(nonce, NONCE_BYTES)) {
		throw new Refusal('malformed', 'account file');
	}
	if (!(box instanceof Uint8Array)) throw new Refusal('malformed', 'account file');
	return { salt: owned(salt), nonce: owned(nonce), box: owned(box) };
}

/** Decoded, re-encoded and compared: the decoder takes more than the one canonical form (protocol.md 2). */
function decodeMap(bytes: Uint8Array): object {
	let value: unknown;
	try {
		value = decode(bytes);
	} catch {
		throw new Refusal('malformed', 'not DAG-CBOR');
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refusal('malformed', 'not a map');
	const again = encode(value);
	if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) throw new Refusal('not-canonical');
	return value;
}

function fields(map: object): Record<string, unknown> {
	return { ...map };
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
