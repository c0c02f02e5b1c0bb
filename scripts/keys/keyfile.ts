/**
 * A release or directory key as a file under a passphrase. JSON, so that a person sees whose it is; the secret is sealed with AES-256-GCM
 * under scrypt. The cost belongs to the version and is not read from the file, so that a hostile file cannot ask for an hour of work.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import type { Signer } from '../../src/lib/ports/keys.ts';
import type { RoleName } from '../../src/lib/protocol/release-keys.ts';
import { publicKeyOfSeed, signWithSeed } from '../../src/lib/protocol/signature.ts';

const KIND = 'fireweed release key';
const VERSION = 1;
/** 128 MiB and about half a second a guess (OWASP 2023: N = 2^17, r = 8, p = 1). */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };
/** Refused in words when shorter; how good a passphrase is cannot be measured, how short it is can. */
export const MIN_PASSPHRASE = 12;

/** What anyone may know of a key. */
export interface PublicKeyFile {
	/** Whom the holder says this is. */
	readonly name: string;
	readonly role: RoleName;
	/** Lower-case hexadecimal. */
	readonly key: string;
}

/** A key that was opened: it signs until the program ends. */
export interface OpenKey extends PublicKeyFile {
	readonly signer: Signer;
}

/** A sentence for the person at the terminal. */
export class KeyTrouble extends Error {}

/** A new key, sealed, and its public part. */
export function makeKey(name: string, role: RoleName, passphrase: string): { sealed: string; open: PublicKeyFile } {
	if ([...passphrase].length < MIN_PASSPHRASE)
		throw new KeyTrouble(`The passphrase is too short: at least ${MIN_PASSPHRASE} characters.`);
	const seed = randomBytes(32);
	const open = { name, role, key: Buffer.from(publicKeyOfSeed(seed)).toString('hex') };
	const salt = randomBytes(16);
	const nonce = randomBytes(12);
	const cipher = createCipheriv('aes-256-gcm', keyFrom(passphrase, salt), nonce);
	cipher.setAAD(aboutOf(open));
	const box = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()]);
	seed.fill(0);
	const [saltText, nonceText, boxText] = [salt, nonce, box].map((part) => part.toString('base64'));
	const file = { kind: KIND, version: VERSION, ...open, salt: saltText, nonce: nonceText, box: boxText };
	return { sealed: `${JSON.stringify(file, null, '\t')}\n`, open };
}

/** Opens a key file. Throws KeyTrouble when it is none, or when the passphrase does not fit. */
export function openKey(text: string, passphrase: string): OpenKey {
	const file = parsed(text);
	if (file['kind'] !== KIND || file['version'] !== VERSION)
		throw new KeyTrouble('This is not a key file of this version.');
	const open = publicPart(file);
	const [salt, nonce, box] = ['salt', 'nonce', 'box'].map((part) => Buffer.from(String(file[part]), 'base64'));
	try {
		const decipher = createDecipheriv('aes-256-gcm', keyFrom(passphrase, salt as Buffer), nonce as Buffer, {
			authTagLength: 16
		});
		decipher.setAAD(aboutOf(open));
		decipher.setAuthTag((box as Buffer).subarray(-16));
		const seed = Buffer.concat([decipher.update((box as Buffer).subarray(0, -16)), decipher.final()]);
		const publicKey = publicKeyOfSeed(seed);
		if (Buffer.from(publicKey).toString('hex') !== open.key)
			throw new KeyTrouble('The file names another key than it holds.');
		return { ...open, signer: { publicKey, sign: async (bytes) => signWithSeed(seed, bytes) } };
	} catch (error) {
		if (error instanceof KeyTrouble) throw error;
		throw new KeyTrouble('The passphrase does not fit, or the file was changed.');
	}
}

/** The public part of a key, out of a `.pub` or a key file. Throws KeyTrouble. */
export function publicPart(file: Record<string, unknown>): PublicKeyFile {
	const { name, role, key } = file;
	const isRole = role === 'release' || role === 'directory';
	if (typeof name !== 'string' || !isRole || typeof key !== 'string' || !/^[0-9a-f]{64}$/.test(key))
		throw new KeyTrouble('This is not a public key of a release line.');
	return { name, role, key };
}

/** Reads JSON into a map. Throws KeyTrouble. */
export function parsed(text: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === 'object' && value !== null) return { ...value };
	} catch {
		// Said below.
	}
	throw new KeyTrouble('This is not a key file.');
}

function keyFrom(passphrase: string, salt: Buffer): Buffer {
	// NFKC: the same passphrase typed on another keyboard must give the same bytes.
	return scryptSync(passphrase.normalize('NFKC'), salt, 32, SCRYPT);
}

/** Bound to the secret, so that a name or a role cannot be changed in the file. */
function aboutOf({ name, role, key }: PublicKeyFile): Buffer {
	return Buffer.from(JSON.stringify([KIND, VERSION, name, role, key]));
}
