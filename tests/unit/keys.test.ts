import 'fake-indexeddb/auto';
import { decode, encode } from '@ipld/dag-cbor';
import { hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { openDB } from 'idb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openCrypto } from '#lib/keys/crypto.ts';
import { MAX_ACCOUNT_FILE_BYTES, openAccount, sealAccount } from '#lib/keys/accountfile.ts';
import {
	browserPlatform,
	isSharedOrigin,
	openKeys,
	RENEW_BEFORE_MS,
	type DeviceKeys,
	type KeysPlatform
} from '#lib/keys/keys.ts';
import { materialOfSeed } from '#lib/keys/material.ts';
import { KNOWN_ANSWERS, provenSubtle } from '#lib/keys/native.ts';
import { CERTIFICATE_LIFE_MS, nodeCertificate } from '#lib/protocol/certificate.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { read } from '#lib/protocol/envelope.ts';
import { publicKeyOfSeed, signWithSeed } from '#lib/protocol/signature.ts';
import { cryptoDisagreements } from '../compliance/crypto.ts';
import { KEYS_CASES } from '../compliance/keys.ts';
import { refusalOf } from '../compliance/store.ts';
import vectors from '../vectors/signature.json' with { type: 'json' };

const { subtle } = globalThis.crypto;
/** A browser with WebCrypto that never heard of Ed25519, or whose Ed25519 answers in some other way. */
const subtleWith = (verify: (real: boolean) => boolean | Promise<boolean>): SubtleCrypto =>
	new Proxy(subtle, {
		get: (target, name: keyof SubtleCrypto): unknown => {
			const member: unknown = target[name];
			// `then` is asked for by every await, and is not there.
			if (name !== 'verify') return typeof member === 'function' ? member.bind(target) : member;
			return async (...args: Parameters<SubtleCrypto['verify']>) => verify(await target.verify(...args));
		}
	});
const throwing = (): boolean => {
	throw new DOMException('no Ed25519', 'NotSupportedError');
};

const places = (function* () {
	for (let n = 1; ; n++) yield `/keys-${n}/`;
})();
const newPlace = (): string => places.next().value;
const open = (pathname: string, platform: Partial<KeysPlatform> = {}, now = Date.now): Promise<DeviceKeys> =>
	openKeys({ pathname, now }, { ...browserPlatform(), tabMemory: undefined, ...platform });

afterEach(() => vi.restoreAllMocks());

describe('crypto', () => {
	test('native and noble agree with every vector, and so with each other', async () => {
		const native = await openCrypto({ subtle });
		const noble = await openCrypto({ subtle: undefined });
		expect([native.native, noble.native]).toEqual([true, false]);
		expect(await cryptoDisagreements(native)).toEqual([]);
		expect(await cryptoDisagreements(noble)).toEqual([]);
	});

	test('the known answers are vectors', () => {
		for (const known of KNOWN_ANSWERS.filter(({ preimage }) => preimage !== '73')) {
			expect(vectors).toContainEqual(expect.objectContaining(known));
		}
	});

	const unfit: readonly [string, () => boolean][] = [
		['says yes to everything', () => true],
		['says no to everything', () => false],
		['does not know Ed25519', throwing]
	];
	test.each(unfit)('a native one that %s is not used', async (_name, verify) => {
		expect(await provenSubtle(subtleWith(verify))).toBeUndefined();
		const crypto = await openCrypto({ subtle: subtleWith(verify) });
		expect(crypto.native).toBe(false);
		expect(await cryptoDisagreements(crypto)).toEqual([]);
	});

	test('a cofactored native one is found out', async () => {
		const cofactored = { count: 0 };
		const lenient = subtleWith((real) => (++cofactored.count === KNOWN_ANSWERS.length ? true : real));
		expect(await provenSubtle(lenient)).toBeUndefined();
	});

	test('a native one that fails later is doubted, not the signer', async () => {
		const calls = { count: 0 };
		const failing = subtleWith((real) => (++calls.count > KNOWN_ANSWERS.length ? throwing() : real));
		const crypto = await openCrypto({ subtle: failing });
		expect(crypto.native).toBe(true);
		expect(await cryptoDisagreements(crypto)).toEqual([]);
	});

	test('bytes changed by their owner during the check do not matter', async () => {
		const crypto = await openCrypto({ subtle });
		const seed = new Uint8Array(32).fill(5);
		const [key, message] = [publicKeyOfSeed(seed), Uint8Array.of(1, 2, 3)];
		const signature = signWithSeed(seed, message);
		const answer = crypto.verify(key, message, signature);
		for (const bytes of [key, message, signature]) bytes.fill(0);
		expect(await answer).toBe(true);
	});

	test('more keys than are remembered: still right', async () => {
		const crypto = await openCrypto({ subtle: undefined });
		const seeds = Array.from({ length: 1_100 }, (_, n) => Uint8Array.of(...new Uint8Array(30), n >> 8, n & 255));
		const message = Uint8Array.of(7);
		const cases = seeds.map((seed) => ({ key: publicKeyOfSeed(seed), signature: signWithSeed(seed, message) }));
		for (const { key, signature } of [...cases, ...cases.slice(0, 20)]) {
			expect(await crypto.verify(key, message, signature)).toBe(true);
		}
	}, 60_000);
});

describe.each([
	{ kind: 'a browser that keeps', platform: {}, shared: true, secure: true },
	{ kind: 'a browser without Ed25519', platform: { subtle: subtleWith(throwing) }, shared: true, secure: true },
	{ kind: 'no IndexedDB', platform: { indexedDB: undefined }, shared: false, secure: true },
	{ kind: 'no Web Locks', platform: { locks: undefined }, shared: false, secure: true },
	{ kind: 'an insecure context', platform: { subtle: undefined, locks: undefined }, shared: false, secure: false }
])('the suite in $kind', ({ platform, shared, secure }) => {
	test.each(KEYS_CASES.filter((one) => (shared || !one.shared) && (secure || !one.secure)))(
		'$name',
		async ({ run }) => {
			const pathname = newPlace();
			await run({ shared, secure, open: () => open(pathname, platform) });
		}
	);
});

test('an account outlives its tabs, on a device that keeps', async () => {
	const place = newPlace();
	const one = await open(place);
	const { account } = await one.identity();
	await one.close();
	const two = await open(`${place}index.html`);
	expect((await two.identity()).account).toBe(account);
	await two.close();
	const elsewhere = await open(newPlace());
	expect((await elsewhere.identity()).account).not.toBe(account);
	await elsewhere.close();
});

test('a path gateway is a shared origin, and so is a page opened from disk: nothing is kept there', async () => {
	expect(isSharedOrigin('/home/a/Fireweed.html', 'file:')).toBe(true);
	expect(['/ipfs/bafy/', '/ipns/name/x/', '/ipfs/bafy'].map((pathname) => isSharedOrigin(pathname))).toEqual([
		true,
		true,
		true
	]);
	expect(['/', '/app/', '/ipfs/', '/my/ipfs/x/', '/ipfsx/y/'].map((pathname) => isSharedOrigin(pathname))).toEqual([
		false,
		false,
		false,
		false,
		false
	]);
	const opened = vi.spyOn(indexedDB, 'open');
	const keys = await open('/ipfs/bafyone/');
	expect((await keys.identity()).kept).toBe('session');
	expect(opened).not.toHaveBeenCalled();
	await keys.close();
});

test.each(['QuotaExceededError', 'DataCloneError'])(
	'a database that opens but keeps nothing (%s): a session',
	async (name) => {
		vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
			throw new DOMException('no', name);
		});
		const keys = await open(newPlace());
		expect((await keys.identity()).kept).toBe('session');
		await keys.close();
	}
);

test('private keys on disk cannot be exported where the browser can prevent it', async () => {
	const place = newPlace();
	const keys = await open(place);
	await keys.identity();
	const raw = await openDB(`fireweed-keys:${place}`);
	const [account, node] = [(await raw.getAll('accounts'))[0], (await raw.getAll('nodes'))[0]];
	raw.close();
	for (const key of [account.material.key, node.material.key, account.sealed.key] as CryptoKey[]) {
		expect(key.extractable).toBe(false);
		await expect(subtle.exportKey(key.algorithm.name === 'AES-GCM' ? 'raw' : 'pkcs8', key)).rejects.toThrow();
	}
	expect(account.sealed.box).toHaveLength(32 + 16);
	await keys.close();
});

describe('the material of a seed', () => {
	const seed = new Uint8Array(32).fill(7);
	const { subtle } = globalThis.crypto;
	const telling = (jwk: () => Promise<JsonWebKey>) =>
		({
			importKey: subtle.importKey.bind(subtle),
			exportKey: (format: string) => (format === 'jwk' ? jwk() : Promise.reject(new Error('not asked')))
		}) as unknown as SubtleCrypto;

	test.each([
		['as the browser tells it', subtle],
		[
			'where the browser writes no such keys',
			telling(() => Promise.reject(new DOMException('no', 'NotSupportedError')))
		],
		['where it leaves the public half out', telling(async () => ({ kty: 'OKP' }))],
		['where it writes something else', telling(async () => ({ x: 'AAAA' }))],
		['without the browser', undefined]
	])('has its public key: %s', async (_, place) => {
		expect((await materialOfSeed(seed, place)).publicKey).toEqual(publicKeyOfSeed(seed));
	});
});

describe('certificates', () => {
	async function certificateAfter(ms: number): Promise<[Uint8Array, Uint8Array]> {
		const place = newPlace();
		const start = 1_795_000_000_000;
		const one = await open(place, {}, () => start);
		const before = (await one.identity()).certificate;
		await one.close();
		const two = await open(place, {}, () => start + ms);
		const after = (await two.identity()).certificate;
		await two.close();
		return [before, after];
	}

	test('one with time left is kept', async () => {
		const [before, after] = await certificateAfter(CERTIFICATE_LIFE_MS - RENEW_BEFORE_MS);
		expect(after).toEqual(before);
	});

	test.each([
		['less than 30 days left', CERTIFICATE_LIFE_MS - RENEW_BEFORE_MS + 1],
		['none left', CERTIFICATE_LIFE_MS * 2],
		['a stamp from the future', -10 * 60_000]
	])('one with %s is renewed for the same key', async (_name, ms) => {
		const [before, after] = await certificateAfter(ms);
		const [old, fresh] = [read(nodeCertificate, before).body, read(nodeCertificate, after).body];
		expect(fresh.node).toEqual(old.node);
		expect(fresh.account).toEqual(old.account);
		expect(fresh.issuedAt).toBe(old.issuedAt + ms);
	});
});

describe('tab memory', () => {
	test('a reloaded tab gets its own key back, not the oldest free one', async () => {
		const place = newPlace();
		const memory = new Map<string, string>();
		const tabMemory = {
			getItem: (name: string) => memory.get(name) ?? null,
			setItem: (name: string, value: string) => void memory.set(name, value)
		};
		const one = await open(place);
		const first = (await one.identity()).node.publicKey;
		const two = await open(place, { tabMemory });
		const second = (await two.identity()).node.publicKey;
		await Promise.all([one.close(), two.close()]);
		const reloaded = await open(place, { tabMemory });
		expect((await reloaded.identity()).node.publicKey).toEqual(second);
		expect(second).not.toEqual(first);
		await reloaded.close();
	});

	test('a duplicated tab remembers the key of its original, and takes another', async () => {
		const place = newPlace();
		const one = await open(place);
		const first = await one.identity();
		const peerId = formatPeerId(first.node.publicKey);
		const two = await open(place, { tabMemory: { getItem: () => peerId, setItem: () => undefined } });
		expect((await two.identity()).node.publicKey).not.toEqual(first.node.publicKey);
		await Promise.all([one.close(), two.close()]);
	});
});

describe('account files', () => {
	const random = (bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => crypto.getRandomValues(bytes);
	const secret = { seed: hexToBytes('9d'.repeat(32)), createdAt: 1_795_000_000_000 };
	const seal = (passphrase = 'long enough'): Promise<Uint8Array> => sealAccount(secret, passphrase, subtle, random);

	test('what was sealed is opened, with the same passphrase in another normal form too', async () => {
		const file = await seal('Zoë läuft heim');
		const decomposed = 'Zoë läuft heim'.normalize('NFD');
		expect(await openAccount(file, decomposed, subtle)).toMatchObject(secret);
	});

	test('two files of one account share nothing, and all are of one length', async () => {
		const [one, two] = [await seal(), await sealAccount({ ...secret, createdAt: 1 }, 'long enough', subtle, random)];
		expect(one.length).toBe(two.length);
		const [a, b] = [decode<Record<string, Uint8Array>>(one), decode<Record<string, Uint8Array>>(two)];
		for (const field of ['salt', 'nonce', 'box']) expect(a[field]).not.toEqual(b[field]);
	});

	test('refusals are named', async () => {
		const file = await seal();
		const fields = decode<Record<string, unknown>>(file);
		const { salt, nonce } = fields;
		const openIt = (bytes: Uint8Array, passphrase = 'long enough'): Promise<string> =>
			refusalOf(openAccount(bytes, passphrase, subtle));
		expect(await openIt(file)).toBe('accepted');
		expect(await openIt(file, 'long enougH')).toBe('wrong-passphrase');
		expect(await openIt(new Uint8Array(MAX_ACCOUNT_FILE_BYTES + 1))).toBe('oversized');
		expect(await openIt(new Uint8Array())).toBe('malformed');
		expect(await openIt(encode([1]))).toBe('malformed');
		expect(await openIt(encode({ ...fields, type: 'other' }))).toBe('malformed');
		expect(await openIt(encode({ ...fields, version: 2 }))).toBe('unknown-version');
		expect(await openIt(encode({ ...fields, rounds: 1 }))).toBe('malformed');
		expect(await openIt(encode({ ...fields, salt: new Uint8Array(15) }))).toBe('malformed');
		expect(await openIt(encode({ type: 'fireweed-account', version: 1, salt, nonce, box: 'text' }))).toBe('malformed');
		expect(await openIt(encode({ ...fields, box: new Uint8Array(3) }))).toBe('wrong-passphrase');
		expect(await openIt(Uint8Array.of(...file, 0))).toBe('malformed');
		expect(await refusalOf(openAccount(file, 'long enough', undefined))).toBe('insecure-context');
		expect(await refusalOf(sealAccount(secret, 'long enough', undefined, random))).toBe('insecure-context');
	});

	test('keys in another order are not canonical', async () => {
		const file = await seal();
		// The map's first two entries swapped: same content, other bytes. `box` (3) sorts before `salt` and `type` (4).
		const text = Buffer.from(file).toString('latin1');
		const at = text.indexOf('dsalt');
		const type =
			Buffer.from(encode('type')).toString('latin1') + Buffer.from(encode('fireweed-account')).toString('latin1');
		const salt = text.slice(at, at + 5 + 1 + 16);
		expect(text).toContain(salt + type);
		const swapped = Buffer.from(text.replace(salt + type, type + salt), 'latin1');
		expect(await refusalOf(openAccount(Uint8Array.from(swapped), 'long enough', subtle))).toBe('not-canonical');
	});

	test('no changed file opens, whatever was changed', async () => {
		const file = await seal();
		await fc.assert(
			fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
				const changed = file.map((byte, i) => (i === at ? byte ^ flip : byte));
				expect(await refusalOf(openAccount(changed, 'long enough', subtle))).not.toBe('accepted');
			}),
			{ numRuns: 15 }
		);
	});
});
