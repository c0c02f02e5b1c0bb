/**
 * The verifier of releases. Every check has a test here that fails without it.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { beforeAll, describe, expect, test } from 'vitest';
import { cosign, readCoSigned } from '#lib/protocol/co-signed.ts';
import { decodeCanonical, encodeCanonical, utf8 } from '#lib/protocol/encode.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { decodeFiles, encodeFiles, MAX_FILE_LIST } from '#lib/protocol/release-files.ts';
import { DEVELOPMENT_LINE, releaseKeys, type ReleaseKeys } from '#lib/protocol/release-keys.ts';
import { MAX_SEQUENCE_STEP, releaseManifest } from '#lib/protocol/release.ts';
import {
	encodeChain,
	followKeys,
	listedFiles,
	PARTS,
	verifyRelease,
	type SignedParts,
	type Trust
} from '#lib/survival/release.ts';
import {
	keysBody,
	keysOf,
	listing,
	manifestBody,
	realCrypto,
	release,
	signed,
	signedKeys,
	T0,
	testSigner,
	TEST_FILES
} from '../doubles/release.ts';

let first: Uint8Array;
let second: Uint8Array;
let trust: Trust;
let good: SignedParts;

beforeAll(async () => {
	first = (await signedKeys(keysBody(), [1, 2])).bytes;
	// One key stolen: 3 goes, 4 comes.
	second = (await signedKeys(keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 2, 4) } }), [1, 2, 4]))
		.bytes;
	trust = { root: first, floor: { keys: 1, sequence: 1 } };
	good = await release([first]);
});

const verify = (parts: SignedParts, change: Partial<Trust> = {}, now = T0) =>
	verifyRelease(parts, { ...trust, ...change }, realCrypto, now);
const refusal = (work: Promise<unknown>) => work.then(() => 'accepted', codeOf);
const thrown = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		return codeOf(error);
	}
	return 'accepted';
};

describe('a release is believed', () => {
	test('when enough keys signed it: who, how many, and what is in it', async () => {
		const found = await verify(good);
		expect(found).toMatchObject({ signers: ['Key 1', 'Key 2'], needed: 2, stale: false, development: false });
		expect(found.manifest.name).toBe('0.2.0');
		expect(found.files.map(({ path }) => path)).toEqual(['_app/a.js', 'index.html', 'service-worker.js']);
	});

	test('when it is the one held already, and when it follows it', async () => {
		const { cid } = await verify(good);
		const held = { keys: 1, sequence: 5, cid };
		expect(await refusal(verify(good, { held }))).toBe('accepted');
		const next = await release([first], manifestBody({ sequence: 6 }), [2, 3]);
		expect(await verify(next, { held })).toMatchObject({ signers: ['Key 2', 'Key 3'] });
	});

	test('when the keys changed rightly, and then its number may begin again', async () => {
		const parts = await release([first, second], manifestBody({ keys: 2, sequence: 1 }), [1, 4]);
		const held = { keys: 1, sequence: 9_999, cid: 'x' };
		expect(await verify(parts, { held })).toMatchObject({ signers: ['Key 1', 'Key 4'] });
	});

	test('when its time is over: it is marked, not refused', async () => {
		expect(await verify(good, {}, T0 + 91 * 86_400_000)).toMatchObject({ stale: true });
		expect(await verify(good, {}, T0 + 90 * 86_400_000)).toMatchObject({ stale: false });
	});

	test('when it is of the development line, which has no order, and it says so', async () => {
		const line = DEVELOPMENT_LINE;
		const root = (await signedKeys(keysBody({ line }), [1, 2])).bytes;
		const parts = await release([root], manifestBody({ line, sequence: 0 }));
		const found = await verify(parts, {
			root,
			floor: { keys: 1, sequence: 0 },
			held: { keys: 1, sequence: 0, cid: 'x' }
		});
		expect(found.development).toBe(true);
	});
});

describe('a release is refused', () => {
	test.each<[string, readonly number[]]>([
		['too-few-keys', [1]],
		['too-few-keys', []],
		['wrong-role', [11, 12]],
		['wrong-role', [1, 2, 11]],
		['wrong-role', [1, 99]]
	])('%s: signed by %j', async (code, signers) => {
		expect(await refusal(verify(await release([first], manifestBody(), signers)))).toBe(code);
	});

	test('bad-signature: one that is no signature, and one made for another kind of document', async () => {
		const document = readCoSigned(releaseManifest, good.manifest);
		const spoiled = { publicKey: testSigner(3).publicKey, sign: async () => new Uint8Array(64) };
		const with3 = await cosign(releaseManifest, document, spoiled);
		expect(await refusal(verify({ ...good, manifest: with3.bytes }))).toBe('bad-signature');
		const elsewhere = { ...releaseManifest, type: 'ReleaseKeys' };
		const other = await signed(elsewhere, manifestBody(), [1, 2]);
		const envelope = decodeCanonical(other.bytes, 9_999) as object;
		const moved = encodeCanonical({ ...envelope, type: 'ReleaseManifest' });
		expect(await refusal(verify({ ...good, manifest: moved }))).toBe('bad-signature');
	});

	test('malformed: one signature twice, and signatures out of order', async () => {
		const envelope = decodeCanonical(good.manifest, 9_999) as { signatures: object[] };
		const [a, b] = envelope.signatures as [object, object];
		for (const signatures of [
			[a, a],
			[b, a]
		]) {
			const manifest = encodeCanonical({ ...envelope, signatures });
			expect(await refusal(verify({ ...good, manifest }))).toBe('malformed');
		}
	});

	test('unknown-type and unknown-version: another document in its place', async () => {
		expect(await refusal(verify({ ...good, manifest: first }))).toBe('unknown-type');
		const later = await signed({ ...releaseManifest, version: 2 }, manifestBody(), [1, 2]);
		expect(await refusal(verify({ ...good, manifest: later.bytes }))).toBe('unknown-version');
	});

	test('other-line: keys of this line signed for another, and another line’s keys', async () => {
		expect(await refusal(verify(await release([first], manifestBody({ line: 'other' }))))).toBe('other-line');
		const foreign = (await signedKeys(keysBody({ line: 'other' }), [1, 2])).bytes;
		expect(await refusal(verify(await release([foreign])))).toBe('other-line');
	});

	test('rolled-back: before what is baked in, before what is held, under keys that were left behind', async () => {
		expect(await refusal(verify(good, { floor: { keys: 1, sequence: 6 } }))).toBe('rolled-back');
		expect(await refusal(verify(good, { held: { keys: 1, sequence: 6, cid: 'x' } }))).toBe('rolled-back');
		expect(await refusal(verify(good, { floor: { keys: 2, sequence: 0 } }))).toBe('rolled-back');
		expect(await refusal(verify(good, { keysSeen: 2 }))).toBe('rolled-back');
		const old = await release([first, second], manifestBody({ keys: 1 }));
		expect(await refusal(verify(old))).toBe('rolled-back');
	});

	test('same-number: another release in the same place', async () => {
		expect(await refusal(verify(good, { held: { keys: 1, sequence: 5, cid: 'x' } }))).toBe('same-number');
	});

	test('fast-forward: further than one step from what is held, from what is baked in, and from nothing under new keys', async () => {
		const at = (sequence: number, keys = 1) =>
			keys === 1
				? release([first], manifestBody({ sequence }))
				: release([first, second], manifestBody({ keys, sequence }), [1, 2]);
		const held = { keys: 1, sequence: 100, cid: 'x' };
		expect(await refusal(verify(await at(100 + MAX_SEQUENCE_STEP), { held }))).toBe('accepted');
		expect(await refusal(verify(await at(101 + MAX_SEQUENCE_STEP), { held }))).toBe('fast-forward');
		expect(await refusal(verify(await at(2 + MAX_SEQUENCE_STEP)))).toBe('fast-forward');
		expect(await refusal(verify(await at(MAX_SEQUENCE_STEP, 2), { held }))).toBe('accepted');
		expect(await refusal(verify(await at(1 + MAX_SEQUENCE_STEP, 2), { held }))).toBe('fast-forward');
	});

	test('mixed-release: a list of another release, one of another length than signed, a manifest ahead of its keys', async () => {
		const others = listing([...TEST_FILES, { path: 'z', sha256: new Uint8Array(32), bytes: 1 }]);
		expect(await refusal(verify({ ...good, files: others.encoded }))).toBe('mixed-release');
		// As many files of the same sizes, and one of them another: only the hash of the list tells.
		const swapped = listing(TEST_FILES.map((file, i) => (i === 0 ? { ...file, sha256: new Uint8Array(32) } : file)));
		expect(await refusal(verify({ ...good, files: swapped.encoded }))).toBe('mixed-release');
		for (const change of [{ count: 2 }, { bytes: 1 }]) {
			expect(await refusal(verify(await release([first], manifestBody(change))))).toBe('mixed-release');
		}
		const ahead = await release([first], manifestBody({ keys: 2 }));
		expect(await refusal(verify(ahead))).toBe('mixed-release');
	});

	test('oversized: endless data in any of the three', async () => {
		for (const part of ['keys', 'manifest', 'files'] as const) {
			const endless = new Uint8Array(PARTS[part].max + 1);
			expect(await refusal(verify({ ...good, [part]: endless })), part).toBe('oversized');
		}
		const body = manifestBody({ files: sha256(new Uint8Array(MAX_FILE_LIST + 1)) });
		expect(thrown(() => listedFiles(new Uint8Array(MAX_FILE_LIST + 1), body))).toBe('oversized');
	});

	test('malformed: a folder that is none, a field that is unknown', async () => {
		const digest = createDigest(0x12, new Uint8Array(32));
		const wrong = [
			CID.createV1(0x55, digest),
			CID.createV0(digest),
			CID.createV1(0x70, createDigest(0x13, new Uint8Array(32)))
		];
		for (const app of wrong) {
			const body = encodeCanonical({ ...manifestBody(), app });
			const manifest = encodeCanonical({ type: 'ReleaseManifest', version: 1, body, signatures: [] });
			expect(await refusal(verify({ ...good, manifest }))).toBe('malformed');
		}
		const body = encodeCanonical({ ...manifestBody(), more: 1 });
		const manifest = encodeCanonical({ type: 'ReleaseManifest', version: 1, body, signatures: [] });
		expect(await refusal(verify({ ...good, manifest }))).toBe('malformed');
	});
});

describe('keys change', () => {
	const rotated = (change: Partial<ReleaseKeys>, signers: readonly number[]) =>
		signedKeys(keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 4, 5) }, ...change }), signers);
	const follow = (...chain: Uint8Array[]) => followKeys(encodeChain(chain), first, realCrypto);

	test('with the word of enough old and enough new keys', async () => {
		expect(await follow(first, (await rotated({}, [1, 2, 4])).bytes)).toMatchObject({ version: 2 });
	});

	test.each<[string, readonly number[]]>([
		['too few of the old', [1, 4, 5]],
		['too few of the new', [1, 2]],
		['none', []]
	])('not with %s', async (_why, signers) => {
		expect(await refusal(follow(first, (await rotated({}, signers)).bytes))).toBe('too-few-keys');
	});

	test('not by directory keys, not for another line, not from other first keys, not leaving one out', async () => {
		expect(await refusal(follow(first, (await rotated({}, [1, 2, 4, 11])).bytes))).toBe('wrong-role');
		expect(await refusal(follow(first, (await rotated({ line: 'other' }, [1, 2, 4])).bytes))).toBe('other-line');
		const usurper = await signedKeys(keysBody({ release: { threshold: 1, keys: keysOf(9) } }), [9]);
		expect(await refusal(follow(usurper.bytes))).toBe('broken-succession');
		expect(await refusal(follow(first, (await rotated({ version: 3 }, [1, 2, 4])).bytes))).toBe('broken-succession');
		expect(await refusal(follow(first, first))).toBe('broken-succession');
	});

	test('not into a set that cannot work', () => {
		const keys = keysOf(1, 2);
		const twice = [keys[0], { ...keys[0], name: 'Again' }] as typeof keys;
		const sameName = keysOf(1, 2).map((key) => ({ ...key, name: 'One' }));
		const bodies = [
			keysBody({ release: { threshold: 3, keys } }),
			keysBody({ directory: { threshold: 2, keys: keysOf(11) } }),
			keysBody({ release: { threshold: 1, keys: twice } }),
			keysBody({ release: { threshold: 1, keys: sameName } }),
			// A key that serves two roles would let one theft do the work of two.
			keysBody({
				directory: { threshold: 1, keys: [{ name: 'Elsewhere', ...keysOf(1)[0], key: testSigner(1).publicKey }] }
			}),
			keysBody({ release: { threshold: 1, keys: [] } })
		];
		for (const [i, body] of bodies.slice(0, 4).entries())
			expect(
				thrown(() => releaseKeys.shape.check(body, '')),
				`${i}`
			).toBe('malformed');
		expect(
			thrown(() =>
				releaseKeys.shape.check(
					{ ...bodies[4], directory: { threshold: 1, keys: [{ name: 'Elsewhere', key: testSigner(1).publicKey }] } },
					''
				)
			)
		).toBe('malformed');
		expect(thrown(() => releaseKeys.shape.check(bodies[5], ''))).toBe('malformed');
		expect(thrown(() => encodeChain([]))).toBe('malformed');
	});
});

describe('the list of files', () => {
	const file = (path: string) => ({ path, sha256: new Uint8Array(32), bytes: 1 });
	test.each(['index.html', '_app/immutable/x-Y.9.js', '.well-known/x', 'a..b', 'models/a@b+c~d'])(
		'may name %s',
		(path) => {
			expect(decodeFiles(encodeFiles([file(path)]))).toEqual([file(path)]);
		}
	);
	test.each([
		'',
		'/a',
		'a/',
		'a//b',
		'.',
		'..',
		'../a',
		'a/../b',
		'a/.',
		'./a',
		'a\\b',
		'a?b',
		'a#b',
		'a%2fb',
		'a b',
		'ä',
		'C:',
		'a\n',
		'x'.repeat(201),
		'release/keys.cbor'
	])('may not name %j', (path) => {
		expect(thrown(() => encodeFiles([file(path)]))).toBe('malformed');
	});
	test('is sorted, and names nothing twice', () => {
		expect(thrown(() => encodeFiles([file('a'), file('a')]))).toBe('malformed');
		const raw = encodeCanonical({ type: 'ReleaseFiles', version: 1, files: [file('b'), file('a')] });
		expect(thrown(() => decodeFiles(raw))).toBe('malformed');
		expect(thrown(() => decodeFiles(utf8('x')))).toBe('malformed');
	});
});
