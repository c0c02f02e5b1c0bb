/** Every decoder that reads a stranger's bytes: sound ones pass, all others are refused with a code, and nothing else is ever thrown. */
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexToBytes, bytesToHex } from '@noble/hashes/utils.js';
import { certify, openCertificate } from '#lib/protocol/certificate.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { open, peek, read, seal } from '#lib/protocol/envelope.ts';
import { CODES, codeOf, Refusal } from '#lib/protocol/errors.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { judgeGossip } from '#lib/protocol/gossip.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { TOPICS } from '#lib/protocol/topic.ts';
import { Seals } from '../doubles/seals.ts';
import { SAMPLES } from '../fixtures/messages.ts';
import vectors from '../vectors/messages.json' with { type: 'json' };

const crypto = {
	verify: async (key: Uint8Array, preimage: Uint8Array, signature: Uint8Array) =>
		verifySignature(key, preimage, signature)
};

/** Runs, and gives the code of what was thrown; fails on anything but a Refusal. */
function refusalOf(work: () => unknown): string | undefined {
	try {
		work();
		return undefined;
	} catch (error) {
		expect(error).toBeInstanceOf(Refusal);
		return codeOf(error);
	}
}

describe.each(SAMPLES.map((sample) => [sample.kind.name, sample] as const))('%s', (name, { kind, body }) => {
	const vector = vectors.vectors.find((candidate) => candidate.name === name);
	const bytes = hexToBytes(vector?.envelope ?? '');

	it('keeps its vector: bytes, name and signature', async () => {
		const signed = await open(kind, bytes, crypto);
		expect(bytesToHex(encodeCanonical(body))).toBe(vector?.body);
		expect(signed.cid.toString()).toBe(vector?.cid);
		expect(signed.body).toEqual(body);
		expect(bytesToHex(signed.signer)).toBe(vectors.publicKey);
	});
	it('does not verify with any one byte changed', async () => {
		for (let i = 0; i < 40; i++) {
			const at = Math.floor(((i + 0.5) * bytes.length) / 40);
			const changed = bytes.slice();
			changed[at] = (changed[at] as number) ^ 1;
			await expect(open(kind, changed, crypto)).rejects.toBeInstanceOf(Refusal);
		}
	});
	it('refuses unknown fields, missing fields and null', () => {
		const fields = body as Record<string, unknown>;
		expect(refusalOf(() => kind.shape.check({ ...fields, more: 1 }, name))).toBe('malformed');
		for (const key of Object.keys(fields))
			expect(refusalOf(() => kind.shape.check({ ...fields, [key]: null }, name))).toBe('malformed');
		const { extensions: _gone, ...without } = fields;
		expect(refusalOf(() => kind.shape.check(without, name))).toBe('malformed');
	});
	it('refuses more than its limit before reading it', () => {
		expect(refusalOf(() => read(kind, new Uint8Array(kind.maxBytes + 1)))).toBe('oversized');
	});
	it('refuses any value in any field that is not of its kind', () => {
		const fields = body as Record<string, unknown>;
		const anything = fc.oneof(
			fc.string(),
			fc.integer(),
			fc.double(),
			fc.boolean(),
			fc.uint8Array(),
			fc.array(fc.integer()),
			fc.dictionary(fc.string(), fc.integer())
		);
		fc.assert(
			fc.property(fc.constantFrom(...Object.keys(fields)), anything, (key, value) => {
				const code = refusalOf(() => kind.shape.check({ ...fields, [key]: value }, name));
				expect(code === undefined || code === 'malformed').toBe(true);
			}),
			{ numRuns: 60 }
		);
	});
});

describe('any bytes', () => {
	it('are refused with a code by every decoder', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
				for (const { kind } of SAMPLES) expect(refusalOf(() => read(kind, bytes))).toBeDefined();
				expect(refusalOf(() => decodeFrame(bytes))).toBeDefined();
				expect(refusalOf(() => peek(bytes, 1000))).toBeDefined();
			})
		);
	});
	it('that are DAG-CBOR of any value are refused too', () => {
		const value = fc.object({
			withNullPrototype: false,
			values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.uint8Array()]
		});
		fc.assert(
			fc.property(value, (any) => {
				const bytes = dagCbor.encode(any);
				for (const { kind } of SAMPLES) expect(refusalOf(() => read(kind, bytes))).toBeDefined();
				expect(refusalOf(() => decodeFrame(bytes))).toBeDefined();
			})
		);
	});
	it('nested a hundred thousand deep are refused, not a crash', () => {
		const deep = new Uint8Array(100_000).fill(0x81);
		expect(refusalOf(() => decodeCanonical(deep, 200_000))).toBe('malformed');
	});
	it('in another order, with short floats or bad UTF-8 are not canonical', () => {
		const sorted = encodeCanonical({ a: 1, b: 2 });
		expect(refusalOf(() => decodeCanonical(Uint8Array.of(0xa2, 0x61, 0x62, 2, 0x61, 0x61, 1), 100))).toMatch(
			/not-canonical|malformed/
		);
		expect(refusalOf(() => decodeCanonical(Uint8Array.of(0xf9, 0x3c, 0x00), 100))).toMatch(/not-canonical|malformed/);
		expect(refusalOf(() => decodeCanonical(Uint8Array.of(0x61, 0xff), 100))).toMatch(/not-canonical|malformed/);
		expect(refusalOf(() => decodeCanonical(Uint8Array.of(0x18, 0x01), 100))).toMatch(/not-canonical|malformed/);
		expect(decodeCanonical(sorted, 100)).toEqual({ a: 1, b: 2 });
	});
	it('cannot reach the prototype of what they become', () => {
		const bytes = dagCbor.encode(JSON.parse('{"__proto__": {"polluted": true}}'));
		expect(refusalOf(() => capabilityAdvertisement.shape.check(decodeCanonical(bytes, 100), 'x'))).toBe('malformed');
		expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
	});
	it('are judged on every topic without a throw, and never accepted', async () => {
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...TOPICS), async (bytes, topic) => {
				expect(await judgeGossip(topic, bytes, crypto, 1_800_000_000_000)).toBe('reject');
			})
		);
	});
});

describe('frames', () => {
	it('come back as they went', () => {
		const frame = fc.record({
			job: fc.uint8Array({ minLength: 16, maxLength: 16 }),
			epoch: fc.integer({ min: 1, max: 65_535 }),
			sequence: fc.nat(30_000),
			position: fc.nat(30_000),
			tokens: fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 256 }),
			text: fc.string({ unit: 'grapheme', maxLength: 200 })
		});
		fc.assert(
			fc.property(frame, (any) => {
				expect(decodeFrame(encodeFrame(any))).toEqual({ type: 'Frame', version: 1, ...any });
			})
		);
	});
});

describe('gossip', () => {
	const now = 1_800_000_000_000;
	it('accepts what is certified and fresh, ignores what is foreign or old, rejects what is forged', async () => {
		const seals = new Seals();
		const { node, certificate } = await seals.identity(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), now);
		const body = SAMPLES.find((sample) => sample.kind.name === 'CapabilityAdvertisementV1')?.body as Parameters<
			typeof capabilityAdvertisement.shape.check
		>[0];
		const good = await seal(capabilityAdvertisement, capabilityAdvertisement.shape.check(body, ''), node, certificate);
		const judge = (bytes: Uint8Array, at = now) => judgeGossip('fireweed/1/capabilities', bytes, seals, at);
		expect(await judge(good.bytes)).toBe('accept');
		expect(await judge(good.bytes, now + 200_000)).toBe('ignore');
		const bare = await seal(capabilityAdvertisement, good.body, node);
		expect(await judge(bare.bytes)).toBe('ignore');
		const stranger = seals.signer(new Uint8Array(32).fill(9));
		expect(await judge((await seal(capabilityAdvertisement, good.body, stranger, certificate)).bytes)).toBe('ignore');
		const envelope = decodeCanonical(good.bytes, 10_000) as Record<string, unknown>;
		expect(await judge(encodeCanonical({ ...envelope, version: 2 }))).toBe('ignore');
		expect(await judge(encodeCanonical({ ...envelope, type: 'Later' }))).toBe('ignore');
		expect(await judge(encodeCanonical({ ...envelope, signature: new Uint8Array(64) }))).toBe('reject');
		expect(await judgeGossip('fireweed/1/announcements', good.bytes, seals, now)).toBe('ignore');
	});
	it('knows certificates that are expired, of the future, for another key or self-made', async () => {
		const seals = new Seals();
		const account = seals.signer(new Uint8Array(32).fill(1));
		const node = seals.signer(new Uint8Array(32).fill(2));
		const certificate = await certify(account, node.publicKey, now);
		const check = (bytes: Uint8Array | undefined, signer = node.publicKey, at = now) =>
			openCertificate({ signer, certificate: bytes }, seals, at).then(
				() => 'good',
				(error: unknown) => codeOf(error)
			);
		expect(await check(certificate)).toBe('good');
		expect(await check(undefined)).toBe('bad-certificate');
		expect(await check(certificate, account.publicKey)).toBe('bad-certificate');
		expect(await check(certificate, node.publicKey, now + 400 * 24 * 3_600_000)).toBe('bad-certificate');
		expect(await check(certificate, node.publicKey, now - 600_000)).toBe('bad-certificate');
		expect(await check(certificate.map((byte, i) => (i === 60 ? byte ^ 1 : byte)))).toBe('bad-certificate');
	});
});

describe('codes', () => {
	it('survive structured cloning and bundling: found by value, not by class', () => {
		for (const code of Object.keys(CODES)) expect(codeOf({ code })).toBe(code);
		expect(codeOf(new Error('x'))).toBe('internal');
		expect(codeOf(Object.assign(new Error('x'), { name: 'AbortError' }))).toBe('aborted');
	});
});
