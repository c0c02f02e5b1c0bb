/** What every Crypto must do: say of each vector of tests/vectors/signature.json what the one rule says, and never throw. */
import { hexToBytes } from '@noble/hashes/utils.js';
import type { Crypto } from '#lib/ports/crypto.ts';
import vectors from '../vectors/signature.json' with { type: 'json' };

/** Names of the vectors on which it differs from the rule; asked twice, since an implementation may remember keys. */
export async function cryptoDisagreements(crypto: Crypto): Promise<string[]> {
	const names = new Set<string>();
	for (const { name, publicKey, preimage, signature, valid } of [...vectors, ...vectors]) {
		const answer = await crypto.verify(hexToBytes(publicKey), hexToBytes(preimage), hexToBytes(signature));
		if (answer !== valid) names.add(name);
	}
	return [...names];
}

/** Names of the forgeries that this platform's plain Ed25519 takes: how much the rule adds to it. */
export async function forgeriesTakenBy(subtle: SubtleCrypto): Promise<string[]> {
	const names: string[] = [];
	for (const { name, publicKey, preimage, signature } of vectors.filter((vector) => !vector.valid)) {
		try {
			const key = await subtle.importKey('raw', new Uint8Array(hexToBytes(publicKey)), 'Ed25519', false, ['verify']);
			const bytes = new Uint8Array(hexToBytes(signature));
			if (await subtle.verify('Ed25519', key, bytes, new Uint8Array(hexToBytes(preimage)))) names.push(name);
		} catch {
			// Refused at the import: not taken.
		}
	}
	return names;
}
