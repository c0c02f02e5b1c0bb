/**
 * A cheap stand-in for Ed25519 that is still checked: a signature verifies only if it was made with the secret of that very public key
 * over those very bytes. For the simulator, where a real check would cost a millisecond each.
 *
 * The mark is a keyed mix, not a cryptographic one: it finds every changed bit and every other key, and nobody in a simulation computes
 * collisions. A program that wants to forge has to do so without the secret, as in the world.
 */
import type { Crypto } from '#lib/ports/crypto.ts';
import type { Identity, Signer } from '#lib/ports/keys.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { concat, equalBytes } from '#lib/protocol/encode.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Digest } from './digest.ts';

export class Seals implements Crypto {
	readonly #secrets = new Map<string, Uint8Array>();
	/** Signatures checked, and of them refused. */
	checked = 0;
	refused = 0;

	signer(secret: Uint8Array): Signer {
		const publicKey = sha256(concat(Uint8Array.of(1), secret));
		this.#secrets.set(bytesToHex(publicKey), secret);
		return { publicKey, sign: async (preimage) => mark(secret, preimage) };
	}

	/** Forgets a key that nothing will be verified with any more. */
	forget(publicKey: Uint8Array): void {
		this.#secrets.delete(bytesToHex(publicKey));
	}

	async verify(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): Promise<boolean> {
		const secret = this.#secrets.get(bytesToHex(publicKey));
		const valid = secret !== undefined && equalBytes(signature, mark(secret, preimage));
		this.checked++;
		if (!valid) this.refused++;
		return valid;
	}

	/** A certified node of the account whose secret is given. */
	async identity(accountSecret: Uint8Array, nodeSecret: Uint8Array, now: number): Promise<Identity> {
		const account = this.signer(accountSecret);
		const node = this.signer(nodeSecret);
		return {
			account: formatDid(account.publicKey),
			accountKey: account.publicKey,
			node,
			certificate: await certify(account, node.publicKey, now),
			kept: 'device',
			peer: formatPeerId(node.publicKey),
			nodeSince: now
		};
	}
}

/** 64 bytes, all of which depend on every bit of both. */
function mark(secret: Uint8Array, preimage: Uint8Array): Uint8Array {
	const digest = new Digest();
	digest.bytes(secret);
	digest.bytes(preimage);
	const out = new Uint8Array(64);
	for (let at = 0; at < 64; at += 8) {
		digest.number(at);
		out.set(digest.value(), at);
	}
	return out;
}
