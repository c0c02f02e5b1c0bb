import { Point, verify as nobleVerify } from '@noble/ed25519';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
	isAcceptableKey,
	precheckSignature,
	publicKeyOfSeed,
	signWithSeed,
	verifySignature
} from '#lib/protocol/signature.ts';
import { makeSignatureVectors, smallOrderKeys } from '../vectors/signature.make.ts';
import vectors from '../vectors/signature.json' with { type: 'json' };

/** What a caller of plain WebCrypto gets, with nothing of ours before it. */
async function rawWebCrypto(publicKey: Uint8Array, preimage: Uint8Array, signature: Uint8Array): Promise<boolean> {
	try {
		const key = await crypto.subtle.importKey('raw', Uint8Array.from(publicKey), 'Ed25519', false, ['verify']);
		return await crypto.subtle.verify('Ed25519', key, Uint8Array.from(signature), Uint8Array.from(preimage));
	} catch {
		return false;
	}
}

describe('vectors', () => {
	test('are what the curve gives today', () => {
		expect(makeSignatureVectors()).toEqual(vectors);
	});

	test.each(vectors)('$name', async ({ publicKey, preimage, signature, valid }) => {
		const [key, message, bytes] = [hexToBytes(publicKey), hexToBytes(preimage), hexToBytes(signature)];
		expect(verifySignature(key, message, bytes)).toBe(valid);
		const native = precheckSignature(bytes) && isAcceptableKey(key) && (await rawWebCrypto(key, message, bytes));
		expect(native).toBe(valid);
	});

	test('bite: plain WebCrypto accepts a forgery and plain noble accepts many, and they differ', async () => {
		const accepted = { native: new Set<string>(), noble: new Set<string>() };
		// noble needs its hash slot; any signature of ours fills it.
		signWithSeed(new Uint8Array(32), new Uint8Array());
		for (const { name, publicKey, preimage, signature } of vectors.filter((vector) => !vector.valid)) {
			const [key, message, bytes] = [hexToBytes(publicKey), hexToBytes(preimage), hexToBytes(signature)];
			if (await rawWebCrypto(key, message, bytes)) accepted.native.add(name);
			if (key.length === 32 && bytes.length === 64 && nobleVerify(bytes, message, key)) accepted.noble.add(name);
		}
		expect([...accepted.native]).toContain('mixed-order key, equation holds without cofactor');
		expect(accepted.noble.size).toBeGreaterThanOrEqual(30);
		expect(accepted.noble.difference(accepted.native).size).toBeGreaterThanOrEqual(30);
	});
});

describe('keys', () => {
	test('all eight small-order points are refused as key and as R', () => {
		const keys = smallOrderKeys();
		expect(new Set(keys.map(bytesToHex)).size).toBe(8);
		for (const key of keys) {
			expect(Point.fromBytes(key).isSmallOrder()).toBe(true);
			expect(isAcceptableKey(key)).toBe(false);
			expect(precheckSignature(Uint8Array.of(...key, ...new Uint8Array(32)))).toBe(false);
		}
	});

	test('y + p is refused as key and, before any arithmetic, as R', () => {
		const loose = vectors.filter(({ name }) => /loose encoding|y = p \+/.test(name));
		expect(loose.length).toBeGreaterThan(20);
		for (const { name, publicKey, signature } of loose) {
			if (name.includes('key')) expect(isAcceptableKey(hexToBytes(publicKey)), name).toBe(false);
			else expect(precheckSignature(hexToBytes(signature)), name).toBe(false);
		}
	});

	test('every honest key is acceptable', () => {
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => isAcceptableKey(publicKeyOfSeed(seed))),
			{ numRuns: 30 }
		);
	});
});

const honestCase = fc.record({
	seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
	message: fc.uint8Array({ maxLength: 300 })
});

test('an honest signature verifies and equals the native one; one flipped bit anywhere never does', async () => {
	await fc.assert(
		fc.asyncProperty(honestCase, fc.nat(), async ({ seed, message }, at) => {
			const key = publicKeyOfSeed(seed);
			const signature = signWithSeed(seed, message);
			expect(verifySignature(key, message, signature)).toBe(true);
			expect(await rawWebCrypto(key, message, signature)).toBe(true);
			const all = Uint8Array.of(...key, ...signature, ...message);
			const bit = at % (all.length * 8);
			all[bit >> 3] = (all[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			expect(verifySignature(all.slice(0, 32), all.slice(96), all.slice(32, 96))).toBe(false);
		}),
		{ numRuns: 60 }
	);
});

test('random bytes never verify and never throw', () => {
	const bytes = fc.uint8Array({ maxLength: 80 });
	const exact = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
	fc.assert(
		fc.property(fc.oneof(bytes, exact(32)), bytes, fc.oneof(bytes, exact(64)), (key, message, signature) => {
			expect(verifySignature(key, message, signature)).toBe(false);
		}),
		{ numRuns: 200 }
	);
});
