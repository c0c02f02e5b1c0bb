/**
 * The one Ed25519 verification rule (docs/spec/signature.md). RFC 8032 leaves room for verifiers to differ on crafted inputs;
 * two honest nodes that differ would punish each other, so everything the RFC leaves open is closed here:
 *
 * 1. the key A is 32 bytes, canonical (y < p; x = 0 without sign bit), on the curve, not of small order, free of torsion;
 * 2. the signature is 64 bytes, S < L, R canonical and not of small order;
 * 3. the cofactorless equation: the encoding of [S]B − [k]A equals R byte for byte, k = SHA-512(R ‖ A ‖ M).
 *
 * Given (1), (3) refuses every R with torsion and every R off the curve. noble's own `verify` is cofactored and is not used.
 * WebCrypto (BoringSSL, OpenSSL) does (3) and part of (2) but not (1): run `isAcceptableKey` and `precheckSignature` before it.
 */
import { getPublicKey, hashes, Point, sign } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

export const PUBLIC_KEY_BYTES = 32;
export const SEED_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** Field prime 2^255 − 19 and group order L (RFC 8032, 5.1). */
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/**
 * The y coordinate of a point of order 8; its points are (±x, ±y). The other small-order points have y = 1 (the identity),
 * y = −1 (order 2) and y = 0 (order 4). tests/unit/signature.test.ts derives all eight from the curve.
 */
const Y_OF_ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n;
const SMALL_ORDER_Y: readonly bigint[] = [0n, 1n, P - 1n, Y_OF_ORDER_8, P - Y_OF_ORDER_8];

/**
 * True when a valid signature may exist under these bytes: rule 1. Costs about 1 ms. The answer depends on the bytes alone, so a
 * caller may remember it for a copy of them.
 */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
	if (publicKey.length !== PUBLIC_KEY_BYTES || !isCanonicalLargeY(publicKey)) return false;
	try {
		return Point.fromBytes(publicKey).isTorsionFree();
	} catch {
		return false;
	}
}

/** Rule 2, by comparing bytes only: cheap enough to run before any curve arithmetic or native call. */
export function precheckSignature(signature: Uint8Array): boolean {
	return (
		signature.length === SIGNATURE_BYTES &&
		isCanonicalLargeY(signature.subarray(0, 32)) &&
		littleEndian(signature.subarray(32)) < L
	);
}

/**
 * Rule 3 alone. Only meaningful after `isAcceptableKey` and `precheckSignature` both held; for callers that remember the former.
 * Throws when the key is not a point.
 */
export function equationHolds(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): boolean {
	const R = signature.subarray(0, 32);
	const k = littleEndian(sha512.create().update(R).update(publicKey).update(preimage).digest()) % L;
	const S = littleEndian(signature.subarray(32));
	const expected = Point.BASE.multiplyUnsafe(S).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k)).toBytes();
	return expected.every((byte, i) => byte === R[i]);
}

/** The whole rule, synchronous, on any platform. Never throws: malformed input is false. About 2 ms. */
export function verifySignature(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): boolean {
	return precheckSignature(signature) && isAcceptableKey(publicKey) && equationHolds(publicKey, preimage, signature);
}

/** The Ed25519 public key of a 32-byte seed (RFC 8032, 5.1.5). */
export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
	wireSha512();
	return getPublicKey(seed);
}

/** The 64-byte deterministic signature of `preimage` (RFC 8032, 5.1.6), for platforms without native Ed25519 and for simulators. */
export function signWithSeed(seed: Uint8Array, preimage: Uint8Array): Uint8Array {
	wireSha512();
	return sign(preimage, seed);
}

/** noble asks for its hash in a global slot; filled at the call because nothing may happen on import. */
function wireSha512(): void {
	hashes.sha512 ??= (message) => sha512(message);
}

/** y < p after the sign bit is taken off, and not one of the small-order y: covers every x = 0 too, since those have y = ±1. */
function isCanonicalLargeY(encoded: Uint8Array): boolean {
	const y = littleEndian(encoded) & (2n ** 255n - 1n);
	return y < P && !SMALL_ORDER_Y.includes(y);
}

function littleEndian(bytes: Uint8Array): bigint {
	let hex = '';
	for (let i = bytes.length - 1; i >= 0; i--) hex += (bytes[i] ?? 0).toString(16).padStart(2, '0');
	return BigInt(`0x${hex === '' ? '0' : hex}`);
}
