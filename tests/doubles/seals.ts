/**
 * A cheap stand-in for Ed25519 that is still checked: a signature verifies only if it was made with the secret of that very public key
 * over those very bytes. For the simulator, where a real check would cost a millisecond each.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { concat, equalBytes } from '#lib/protocol/encode.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

export class Seals implements Crypto {
	readonly #secrets = new Map<string, Uint8Array>();

	signer(secret: Uint8Array): Signer {
		const publicKey = sha256(concat(Uint8Array.of(1), secret));
		this.#secrets.set(bytesToHex(publicKey), secret);
		return { publicKey, sign: async (preimage) => mark(secret, preimage) };
	}

	async verify(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): Promise<boolean> {
		const secret = this.#secrets.get(bytesToHex(publicKey));
		return secret !== undefined && equalBytes(signature, mark(secret, preimage));
	}

	/** A certified node of the account whose secret is given. */
	async identity(
		accountSecret: Uint8Array,
		nodeSecret: Uint8Array,
		now: number
	): Promise<Identity & { readonly peer: string }> {
		const account = this.signer(accountSecret);
		const node = this.signer(nodeSecret);
		return {
			account: formatDid(account.publicKey),
			accountKey: account.publicKey,
			node,
			certificate: await certify(account, node.publicKey, now),
			kept: 'device',
			peer: formatPeerId(node.publicKey)
		};
	}
}

function mark(secret: Uint8Array, preimage: Uint8Array): Uint8Array {
	return concat(sha256(concat(Uint8Array.of(2), secret, preimage)), sha256(concat(Uint8Array.of(3), secret, preimage)));
}
