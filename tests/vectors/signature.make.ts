/**
 * Builds tests/vectors/signature.json from the curve itself, so that each adversarial vector is a forgery that some verifier
 * in use would accept, not a guess. Run `node tests/vectors/signature.make.ts` to write the file again; the unit test
 * builds the list afresh and compares.
 *
 * Each vector names what a plain cofactorless and a cofactored (ZIP 215) verifier would say of its equation, as a reason to keep it.
 */
import { Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export interface SignatureVector {
	readonly name: string;
	readonly publicKey: string;
	readonly preimage: string;
	readonly signature: string;
	/** What the one rule says. */
	readonly valid: boolean;
}

const P = 2n ** 255n - 19n;
const L = Point.CURVE().n;
/** Secret scalars of the forger; any numbers will do. */
const a = 0x1234567890abcdef1234567890abcdef1234567890abcdefn;
const r = 0xfedcba0987654321fedcba0987654321n;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const number = (bytes: Uint8Array): bigint => BigInt(`0x${bytesToHex(Uint8Array.from(bytes).reverse())}`);
const encode = (value: bigint): Uint8Array => hexToBytes(value.toString(16).padStart(64, '0')).reverse();
const challenge = (R: Uint8Array, A: Uint8Array, M: Uint8Array): bigint => number(sha512(concatBytes(R, A, M))) % L;
const timesL = (point: Point): Point =>
	point
		.multiplyUnsafe(L / 2n)
		.double()
		.add(point);

/** A point of order exactly 8: the torsion part of the first curve point that has all of it. */
function pointOfOrder8(): Point {
	for (let y = 2n; ; y++) {
		try {
			const torsion = timesL(Point.fromBytes(encode(y)));
			if (!torsion.multiplyUnsafe(4n).is0()) return torsion;
		} catch {
			// not on the curve: next
		}
	}
}

/** The eight small-order points in canonical encoding, identity first. */
export function smallOrderKeys(): Uint8Array[] {
	const torsion = pointOfOrder8();
	return Array.from({ length: 8 }, (_, i) => torsion.multiplyUnsafe(BigInt(i)).toBytes());
}

/** Encodings of small-order points that a lenient decoder also takes: y + p where it fits, and x = 0 with the sign bit. */
function looseSmallOrder(): Uint8Array[] {
	const withSign = (bytes: Uint8Array): Uint8Array =>
		Uint8Array.from(bytes, (byte, i) => (i === 31 ? byte | 0x80 : byte));
	const loose = [encode(P), encode(P + 1n)];
	return [...loose, ...loose.map(withSign), withSign(encode(1n)), withSign(encode(P - 1n))];
}

/** Messages one after another until the challenge satisfies `wanted`: how a forger makes a torsion term vanish. */
function searchMessage(R: Uint8Array, A: Uint8Array, wanted: (k: bigint) => boolean): { M: Uint8Array; k: bigint } {
	for (let i = 0; ; i++) {
		const M = text(`message ${i}`);
		const k = challenge(R, A, M);
		if (wanted(k)) return { M, k };
	}
}

export function makeSignatureVectors(): SignatureVector[] {
	const vectors: SignatureVector[] = [];
	const add = (name: string, A: Uint8Array, M: Uint8Array, signature: Uint8Array, valid = false): void => {
		vectors.push({ name, publicKey: bytesToHex(A), preimage: bytesToHex(M), signature: bytesToHex(signature), valid });
	};
	const torsion = pointOfOrder8();
	const B = Point.BASE;
	const A = B.multiplyUnsafe(a).toBytes();
	const R = B.multiplyUnsafe(r).toBytes();
	const M = text('an honest message');
	const S = (k: bigint): Uint8Array => encode((r + k * a) % L);
	const honest = concatBytes(R, S(challenge(R, A, M)));

	for (const [name, key, message, signature] of RFC_8032)
		add(name, hexToBytes(key), hexToBytes(message), hexToBytes(signature), true);
	add('honest', A, M, honest, true);

	for (const [part, at] of [
		['R', 3],
		['S', 40]
	] as const) {
		add(
			`one bit of ${part} flipped`,
			A,
			M,
			honest.map((byte, i) => (i === at ? byte ^ 4 : byte))
		);
	}
	add(
		'one bit of the message flipped',
		A,
		M.map((byte, i) => (i === 2 ? byte ^ 1 : byte)),
		honest
	);
	add('the message is longer', A, concatBytes(M, text('!')), honest);
	add('another honest key', B.multiplyUnsafe(a + 1n).toBytes(), M, honest);
	add(
		'sign bit of the key flipped',
		A.map((byte, i) => (i === 31 ? byte ^ 0x80 : byte)),
		M,
		honest
	);
	add(
		'sign bit of R flipped',
		A,
		M,
		honest.map((byte, i) => (i === 31 ? byte ^ 0x80 : byte))
	);

	for (const [i, key] of smallOrderKeys().entries()) {
		const { M: chosen } = searchMessage(R, key, (k) => k % 8n === 0n);
		add(`small-order key ${i}, equation holds without cofactor`, key, chosen, concatBytes(R, encode(r)));
	}
	for (const [i, key] of looseSmallOrder().entries()) {
		const { M: chosen } = searchMessage(R, key, (k) => k % 8n === 0n);
		add(
			`small-order key in loose encoding ${i}, equation holds without cofactor`,
			key,
			chosen,
			concatBytes(R, encode(r))
		);
	}

	const mixed = B.multiplyUnsafe(a).add(torsion).toBytes();
	for (const [label, wanted] of [
		['without', (k: bigint) => k % 8n === 0n],
		['only with', (k: bigint) => k % 8n === 3n]
	] as const) {
		const { M: chosen, k } = searchMessage(R, mixed, wanted);
		add(`mixed-order key, equation holds ${label} cofactor`, mixed, chosen, concatBytes(R, S(k)));
	}
	for (let i = 1n; i < 8n; i++) {
		const mixedR = B.multiplyUnsafe(r).add(torsion.multiplyUnsafe(i)).toBytes();
		add(`mixed-order R ${i}, equation holds only with cofactor`, A, M, concatBytes(mixedR, S(challenge(mixedR, A, M))));
	}

	for (const [i, smallR] of smallOrderKeys().entries()) {
		const k = challenge(smallR, A, M);
		const label = i === 0 ? 'without' : 'only with';
		add(`small-order R ${i}, equation holds ${label} cofactor`, A, M, concatBytes(smallR, encode((k * a) % L)));
	}
	for (const [i, looseR] of looseSmallOrder().entries()) {
		const k = challenge(looseR, A, M);
		add(
			`small-order R in loose encoding ${i}, equation holds with cofactor`,
			A,
			M,
			concatBytes(looseR, encode((k * a) % L))
		);
	}

	// y from 2 to 18 also has a second encoding y + p. Nobody knows the scalars of these points, so the equation does not hold.
	for (let y = 2n; y < 19n; y++) add(`key with y = p + ${y}`, encode(P + y), M, honest);
	add('R with y = p + 3', A, M, concatBytes(encode(P + 3n), honest.subarray(32)));
	add('key not on the curve', encode(2n), M, honest);
	add('R not on the curve', A, M, concatBytes(encode(2n), honest.subarray(32)));
	add('key of 0xff bytes', new Uint8Array(32).fill(0xff), M, honest);

	const s = number(honest.subarray(32));
	for (let times = 1n; s + times * L < 2n ** 256n && times <= 3n; times++) {
		add(`S + ${times} L`, A, M, concatBytes(R, encode(s + times * L)));
	}
	add('S = L', A, M, concatBytes(R, encode(L)));
	add('S of 0xff bytes', A, M, concatBytes(R, new Uint8Array(32).fill(0xff)));
	add('all-zero signature', A, M, new Uint8Array(64));
	add('all-zero key and signature', new Uint8Array(32), M, new Uint8Array(64));

	for (const length of [0, 31]) add(`key of ${length} bytes`, A.subarray(0, length), M, honest);
	add('key of 33 bytes', concatBytes(A, Uint8Array.of(0)), M, honest);
	for (const length of [0, 32, 63]) add(`signature of ${length} bytes`, A, M, honest.subarray(0, length));
	add('signature of 65 bytes', A, M, concatBytes(honest, Uint8Array.of(0)));
	return vectors;
}

/** RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc). */
const RFC_8032 = [
	[
		'RFC 8032 test 1',
		'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
		'',
		'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
	],
	[
		'RFC 8032 test 2',
		'3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
		'72',
		'92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
	],
	[
		'RFC 8032 test 3',
		'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
		'af82',
		'6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'
	],
	[
		'RFC 8032 test SHA(abc)',
		'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
		'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
		'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704'
	]
] as const;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
	const path = new URL('./signature.json', import.meta.url);
	writeFileSync(path, `${JSON.stringify(makeSignatureVectors(), null, '\t')}\n`);
}
