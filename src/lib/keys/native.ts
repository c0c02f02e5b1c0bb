/**
 * The browser's own Ed25519, used only after it answered known questions rightly. Without `crypto.subtle` (insecure context),
 * without Ed25519 (older browsers), or with a cofactored verifier, everything here runs on noble instead.
 */
import { hexToBytes } from '@noble/hashes/utils.js';

export const ED25519 = 'Ed25519';

/** A copy whose buffer is a plain ArrayBuffer, as WebCrypto's types want it; also freezes the value against later changes by the caller. */
export function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
	return new Uint8Array(bytes);
}

/** `subtle` when its Ed25519 verifies as the rule needs it to, else undefined. Never throws. */
export async function provenSubtle(subtle: SubtleCrypto | undefined): Promise<SubtleCrypto | undefined> {
	if (subtle === undefined) return undefined;
	try {
		for (const { publicKey, preimage, signature, valid } of KNOWN_ANSWERS) {
			const key = await subtle.importKey('raw', owned(hexToBytes(publicKey)), ED25519, false, ['verify']);
			const answer = await subtle.verify(ED25519, key, owned(hexToBytes(signature)), owned(hexToBytes(preimage)));
			if (answer !== valid) return undefined;
		}
		return subtle;
	} catch {
		return undefined;
	}
}

/**
 * From tests/vectors/signature.json: RFC 8032 test 2 (a verifier that knows Ed25519), the same with a wrong message (one that does not
 * say yes to everything), and a mixed-order R (one that is cofactorless; with a checked key this is the only place where a
 * cofactored one differs from the rule).
 */
export const KNOWN_ANSWERS = [
	{
		publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
		preimage: '72',
		signature:
			'92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
		valid: true
	},
	{
		publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
		preimage: '73',
		signature:
			'92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
		valid: false
	},
	{
		publicKey: 'fdd07d0bb562760cdb1ce08a937535c048a62e41bf2d1f5eb2b7701a78e1347c',
		preimage: '616e20686f6e657374206d657373616765',
		signature:
			'ca546e2e3c289f3ca313fbc0cd84a0e07bf7290bbaaa4ae9f433c00a49d7ea6659ed0bd97ff156b4000fb81ea9d0935136967c094078b4f79ffb0ce506a8a001',
		valid: false
	}
] as const;
