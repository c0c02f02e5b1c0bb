/**
 * An account key: signs with a non-extractable key, and keeps its seed sealed beside it for one purpose, the export under a
 * passphrase. The sealing key is non-extractable too. This keeps the seed out of every object the app handles; it does not
 * protect against hostile script in this origin, which could do what the export does (protocol.md 10).
 */
import { formatDid } from '#lib/protocol/did.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { AccountSecret } from './accountfile.ts';
import type { AccountRecord } from './database.ts';
import { materialOfSeed, newSeed, type FillRandom } from './material.ts';
import { owned } from './native.ts';

/** The account's seed under an AES-256-GCM key that can only decrypt, and only inside this browser. */
export interface SealedSeed {
	readonly key: CryptoKey;
	readonly nonce: Uint8Array<ArrayBuffer>;
	readonly box: Uint8Array<ArrayBuffer>;
}

const NONCE_BYTES = 12;

/** A fresh account. `subtle` must be proven or undefined. */
export async function newAccount(
	createdAt: number,
	subtle: SubtleCrypto | undefined,
	random: FillRandom
): Promise<AccountRecord> {
	const seed = newSeed(random);
	try {
		return await accountOf({ seed, createdAt }, subtle, random);
	} finally {
		seed.fill(0);
	}
}

/** The record of a known seed, new or imported. */
export async function accountOf(
	{ seed, createdAt }: AccountSecret,
	subtle: SubtleCrypto | undefined,
	random: FillRandom
): Promise<AccountRecord> {
	const material = await materialOfSeed(seed, subtle);
	const sealed = subtle === undefined ? undefined : await seal(seed, subtle, random);
	return { did: formatDid(material.publicKey), createdAt, material, sealed };
}

/** What an export seals. The caller overwrites the seed when done. Refusal `internal` when the record holds none. */
export async function secretOf(record: AccountRecord, subtle: SubtleCrypto | undefined): Promise<AccountSecret> {
	const { createdAt, material, sealed } = record;
	if (material.form === 'seed') return { createdAt, seed: owned(material.seed) };
	if (sealed === undefined || subtle === undefined) throw new Refusal('internal', 'the account key has no seed here');
	const seed = await subtle.decrypt({ name: 'AES-GCM', iv: sealed.nonce }, sealed.key, sealed.box);
	return { createdAt, seed: new Uint8Array(seed) };
}

async function seal(seed: Uint8Array, subtle: SubtleCrypto, random: FillRandom): Promise<SealedSeed> {
	const nonce = random(new Uint8Array(NONCE_BYTES));
	const raw = random(new Uint8Array(32));
	const once = await subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
	const box = new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv: nonce }, once, owned(seed)));
	const key = await subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
	raw.fill(0);
	return { key, nonce, box };
}
