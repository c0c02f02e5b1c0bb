/** One private key in the form this browser can hold it: a non-extractable CryptoKey where WebCrypto knows Ed25519, a seed elsewhere. */
import { base64url } from 'multiformats/bases/base64';
import type { Signer } from '#lib/ports/keys.ts';
import { PUBLIC_KEY_BYTES, publicKeyOfSeed, SEED_BYTES, signWithSeed } from '#lib/protocol/signature.ts';
import { ED25519, owned } from './native.ts';

/** What the keys database keeps; both forms survive a structured clone. */
export type KeyMaterial =
	| { readonly form: 'native'; readonly publicKey: Uint8Array; readonly key: CryptoKey }
	| { readonly form: 'seed'; readonly publicKey: Uint8Array; readonly seed: Uint8Array };

/** Source of randomness that exists in insecure contexts too, unlike `subtle`. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/** DER before the 32-byte seed in a PKCS #8 Ed25519 key (RFC 8410, section 7). */
const PKCS8_HEAD = Uint8Array.of(
	0x30,
	0x2e,
	0x02,
	0x01,
	0x00,
	0x30,
	0x05,
	0x06,
	0x03,
	0x2b,
	0x65,
	0x70,
	0x04,
	0x22,
	0x04,
	0x20
);

/** A fresh key. `subtle` must be proven (native.ts) or undefined. */
export async function newMaterial(subtle: SubtleCrypto | undefined, random: FillRandom): Promise<KeyMaterial> {
	if (subtle !== undefined) {
		// Generated inside, so that its private half never stands in the page's memory.
		const pair = await subtle.generateKey(ED25519, false, ['sign', 'verify']);
		if ('privateKey' in pair) {
			const publicKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey));
			return { form: 'native', publicKey, key: pair.privateKey };
		}
	}
	return materialOfSeed(newSeed(random), undefined);
}

/** The material of a known seed; for account keys, whose seed must be able to leave under a passphrase. */
export async function materialOfSeed(seed: Uint8Array, subtle: SubtleCrypto | undefined): Promise<KeyMaterial> {
	if (subtle === undefined) return { form: 'seed', publicKey: publicKeyOfSeed(seed), seed: owned(seed) };
	const pkcs8 = Uint8Array.of(...PKCS8_HEAD, ...seed);
	const key = await subtle.importKey('pkcs8', pkcs8, ED25519, false, ['sign']);
	const told = await publicKeyOf(pkcs8, subtle).catch(() => undefined);
	pkcs8.fill(0);
	const publicKey = told?.length === PUBLIC_KEY_BYTES ? told : publicKeyOfSeed(seed);
	return { form: 'native', publicKey, key };
}

/**
 * A copy that may leave again tells its public half (RFC 8037, section 2): noble's tables for the same cost a slow phone a quarter of a second.
 * Rejects, or gives something of another length, where a browser does not write such keys.
 */
async function publicKeyOf(pkcs8: Uint8Array<ArrayBuffer>, subtle: SubtleCrypto): Promise<Uint8Array> {
	const copy = await subtle.importKey('pkcs8', pkcs8, ED25519, true, ['sign']);
	const { x } = await subtle.exportKey('jwk', copy);
	return base64url.baseDecode(x ?? '');
}

export function newSeed(random: FillRandom): Uint8Array<ArrayBuffer> {
	return random(new Uint8Array(SEED_BYTES));
}

/** A signer that gives its private half to nobody. `subtle` is needed for native material only. */
export function signerOf(material: KeyMaterial, subtle: SubtleCrypto | undefined): Signer {
	const publicKey = owned(material.publicKey);
	if (material.form === 'seed') {
		return { publicKey, sign: (preimage) => Promise.resolve(signWithSeed(material.seed, preimage)) };
	}
	if (subtle === undefined) throw new TypeError('native key material needs WebCrypto');
	return {
		publicKey,
		sign: async (preimage) => new Uint8Array(await subtle.sign(ED25519, material.key, owned(preimage)))
	};
}
