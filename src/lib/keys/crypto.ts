/** The Crypto port: the one rule of protocol/signature, with the browser's arithmetic where that is proven and noble's elsewhere. */
import type { Crypto } from '#lib/ports/crypto.ts';
import { equationHolds, isAcceptableKey, precheckSignature } from '#lib/protocol/signature.ts';
import { ED25519, owned, provenSubtle } from './native.ts';

/** Keys remembered as acceptable. A node hears a few hundred peers; 1,024 entries of about 200 bytes are nothing. */
const MAX_REMEMBERED_KEYS = 1_024;

export interface CryptoInit {
	/** `globalThis.crypto?.subtle` in a tab; undefined runs on noble. */
	readonly subtle: SubtleCrypto | undefined;
}

/** The port, and which arithmetic it ended up with. */
export interface CheckedCrypto extends Crypto {
	readonly native: boolean;
}

/** Asks the native implementation its known questions first. Never rejects. */
export async function openCrypto({ subtle }: CryptoInit): Promise<CheckedCrypto> {
	return new RuleCrypto(await provenSubtle(subtle));
}

class RuleCrypto implements CheckedCrypto {
	readonly native: boolean;
	readonly #subtle: SubtleCrypto | undefined;
	/** Raw key text → imported key. Whether a key is acceptable depends on its bytes alone; "verified" would not, so it is never kept. */
	readonly #acceptable = new Map<string, CryptoKey | undefined>();

	constructor(subtle: SubtleCrypto | undefined) {
		this.#subtle = subtle;
		this.native = subtle !== undefined;
	}

	async verify(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): Promise<boolean> {
		// Copies: the answer must be about the bytes of this moment, whatever their owner does while we wait.
		const [key, message, bytes] = [owned(publicKey), owned(preimage), owned(signature)];
		if (!precheckSignature(bytes)) return false;
		const name = String.fromCharCode(...key.subarray(0, 64));
		const known = this.#acceptable.has(name);
		if (!known && !isAcceptableKey(key)) return false;
		let native = this.#acceptable.get(name);
		if (!known) native = await this.#importKey(key);
		this.#remember(name, native);
		if (this.#subtle !== undefined && native !== undefined) {
			try {
				return await this.#subtle.verify(ED25519, native, bytes, message);
			} catch {
				// A native failure says nothing about the signature: ask noble rather than blame the signer.
			}
		}
		return equationHolds(key, message, bytes);
	}

	async #importKey(key: Uint8Array<ArrayBuffer>): Promise<CryptoKey | undefined> {
		try {
			return await this.#subtle?.importKey('raw', key, ED25519, false, ['verify']);
		} catch {
			return undefined;
		}
	}

	/** Least recently used goes first: a Map keeps insertion order, so used again means inserted again. */
	#remember(name: string, key: CryptoKey | undefined): void {
		this.#acceptable.delete(name);
		this.#acceptable.set(name, key);
		if (this.#acceptable.size <= MAX_REMEMBERED_KEYS) return;
		const oldest = this.#acceptable.keys().next().value;
		if (oldest !== undefined) this.#acceptable.delete(oldest);
	}
}
