/** A node's Signer dressed as the private key that libp2p wants, so that the key itself may stay non-extractable. */
import { publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey, Ed25519PublicKey } from '@libp2p/interface';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Signer } from '#lib/ports/keys.ts';

function publicKeyOf(signer: Signer): Ed25519PublicKey {
	const key = publicKeyFromRaw(signer.publicKey);
	// publicKeyFromRaw tells the kind by length; a node key is Ed25519 and nothing else (protocol.md 1).
	if (key.type !== 'Ed25519') throw new Refusal('malformed', 'node key is not Ed25519');
	return key;
}

/**
 * libp2p's shape of an Ed25519 private key. Only `type`, `publicKey`, `sign` and `equals` are used by the parts we compose (measured:
 * noise, identify, relay reservations, WebRTC); `raw` would mean a key that can leave, so reading it is refused loudly.
 */
export function privateKeyOf(signer: Signer): Ed25519PrivateKey {
	const publicKey = publicKeyOf(signer);
	return {
		type: 'Ed25519',
		publicKey,
		get raw(): Uint8Array {
			throw new Refusal('internal', 'the node key does not leave its keeper');
		},
		equals(other) {
			return other !== undefined && other !== null && publicKey.equals(other.publicKey);
		},
		sign(data) {
			return signer.sign(data.subarray());
		}
	};
}
