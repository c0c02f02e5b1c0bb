import { generateKeyPair, publicKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id';
import fc from 'fast-check';
import { base58btc } from 'multiformats/bases/base58';
import { describe, expect, test } from 'vitest';
import { formatDid, formatPeerId, parseDid, parsePeerId } from '#lib/protocol/did.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import vectors from '../vectors/did.json' with { type: 'json' };
import { hexToBytes } from '@noble/hashes/utils.js';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

function refusalOf(read: () => unknown): string {
	try {
		read();
	} catch (error) {
		return codeOf(error);
	}
	return 'accepted';
}

describe('vectors', () => {
	test.each(vectors)('$did', ({ key, did, peerId }) => {
		expect(formatDid(hexToBytes(key))).toBe(did);
		expect(formatPeerId(hexToBytes(key))).toBe(peerId);
		expect(parseDid(did)).toEqual(hexToBytes(key));
		expect(parsePeerId(peerId)).toEqual(hexToBytes(key));
	});
});

test('every key has one did and one PeerId, and they lead back to it', () => {
	fc.assert(
		fc.property(key, (bytes) => {
			expect(parseDid(formatDid(bytes))).toEqual(bytes);
			expect(parsePeerId(formatPeerId(bytes))).toEqual(bytes);
			expect(formatDid(bytes)).toMatch(/^did:key:z6Mk/);
			expect(formatPeerId(bytes)).toMatch(/^12D3KooW/);
		})
	);
});

test('libp2p writes and reads the same PeerId', async () => {
	for (let i = 0; i < 10; i++) {
		const pair = await generateKeyPair('Ed25519');
		const raw = pair.publicKey.raw;
		const text = peerIdFromPublicKey(publicKeyFromRaw(raw)).toString();
		expect(formatPeerId(raw)).toBe(text);
		expect(peerIdFromString(formatPeerId(raw)).publicKey?.raw).toEqual(raw);
	}
});

describe('what is not the one text is malformed', () => {
	const bytes = new Uint8Array(32).fill(7);
	const did = formatDid(bytes);
	const peerId = formatPeerId(bytes);
	const x25519 = `did:key:${base58btc.encode(Uint8Array.of(0xec, 0x01, ...bytes))}`;
	const overlong = `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x81, 0x00, ...bytes))}`;
	const did31 = `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...bytes.slice(1)))}`;
	const did33 = `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...bytes, 7))}`;
	const peer33 = base58btc.baseEncode(Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...bytes, 7));
	const secp = base58btc.baseEncode(Uint8Array.of(0x00, 0x24, 0x08, 0x02, 0x12, 0x20, ...bytes));
	test.each([
		'',
		'did:key:',
		'did:key:z',
		did.slice(0, -1),
		`${did}1`,
		`${did}#z6Mk`,
		did.toUpperCase(),
		` ${did}`,
		`${did} `,
		`${did}\n`,
		did.replace('z6', 'z16'),
		did.replace('z', ''),
		did.replace('did:key:', 'did:web:'),
		did.replace('z6Mk', 'm6Mk'),
		x25519,
		did31,
		did33,
		overlong,
		peerId,
		`did:key:z${'1'.repeat(100_000)}`,
		`${did.slice(0, -1)}0`
	])('did %j', (text) => expect(refusalOf(() => parseDid(text))).toBe('malformed'));
	test.each([
		'',
		peerId.slice(0, -1),
		`${peerId}1`,
		`1${peerId}`,
		`z${peerId}`,
		` ${peerId}`,
		`${peerId} `,
		secp,
		peer33,
		did,
		'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
		`b${peerId}`,
		'1'.repeat(100_000),
		`${peerId.slice(0, -1)}l`
	])('PeerId %j', (text) => expect(refusalOf(() => parsePeerId(text))).toBe('malformed'));
	test.each([0, 31, 33, 64])('key of %i bytes', (length) => {
		expect(refusalOf(() => formatDid(new Uint8Array(length)))).toBe('malformed');
		expect(refusalOf(() => formatPeerId(new Uint8Array(length)))).toBe('malformed');
	});
	test('any text at all', () => {
		fc.assert(
			fc.property(
				fc.string(),
				(text) => refusalOf(() => parseDid(text)) === 'malformed' && refusalOf(() => parsePeerId(text)) === 'malformed'
			)
		);
	});
});
