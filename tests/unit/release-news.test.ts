/** News of releases among peers: told, kept quiet about, believed only with the signatures in it. */
import { beforeAll, expect, test } from 'vitest';
import { FIRST_TELL_MS, MAX_LOOKS_PER_MINUTE, NewsTeller, TELL_EVERY_MS, type News } from '#lib/node/release-news.ts';
import { certify } from '#lib/protocol/certificate.ts';
import { open, seal } from '#lib/protocol/envelope.ts';
import { releaseNews } from '#lib/protocol/release-news.ts';
import { believeNews, encodeChain, newestKeys } from '#lib/survival/release.ts';
import { keysBody, keysOf, manifestBody, realCrypto, release, signedKeys, T0, testSigner } from '../doubles/release.ts';

let root: Uint8Array;
let next: Uint8Array;
let certificate: Uint8Array;
const node = testSigner(70);

beforeAll(async () => {
	root = (await signedKeys(keysBody(), [1, 2])).bytes;
	next = (await signedKeys(keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 2, 4) } }), [1, 2, 4]))
		.bytes;
	certificate = await certify(testSigner(71), node.publicKey, T0);
});

/** A manifest in its place; `signers` is who signed. */
const manifest = async (sequence: number, signers = [1, 2], keys = 1) =>
	(await release([root], manifestBody({ sequence, keys }), signers)).manifest;
const message = async (news: News) => {
	const body = { manifest: news.manifest, ...(news.keySet ? { keys: news.keySet } : {}), issuedAt: T0, extensions: {} };
	return (await seal(releaseNews, body, node, certificate)).bytes;
};

/** A teller whose time stands until it is told to go on. */
function teller() {
	const state = { time: 0, published: [] as Uint8Array[], looks: 0, heard: [] as News[], refused: [] as string[] };
	let hear: (bytes: Uint8Array) => void = () => undefined;
	const sleeps: { ms: number; wake: () => void }[] = [];
	const ports = {
		mesh: {
			publish: async (_topic: string, bytes: Uint8Array) => void state.published.push(bytes),
			subscribe: (_topic: string, _judge: unknown, listener: (bytes: Uint8Array) => void) => {
				hear = listener;
				return () => undefined;
			}
		},
		identity: { node, certificate },
		crypto: realCrypto,
		clock: {
			now: () => T0 + state.time,
			monotonic: () => state.time,
			sleep: (ms: number) => new Promise<void>((wake) => void sleeps.push({ ms, wake }))
		},
		random: { bytes: (length: number) => new Uint8Array(length).fill(128) },
		log: (_event: string, { code }: { code: string }) => void state.refused.push(code),
		believe: async (news: News) => {
			state.looks += 1;
			return (await believeNews(news, encodeChain([root]), root, realCrypto, T0)).manifest;
		}
	};
	const made = new NewsTeller(ports as never, (news) => state.heard.push(news));
	const settle = async () => {
		for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
	};
	/** The next sleep is over. */
	const goOn = async () => {
		await settle();
		const { ms, wake } = sleeps.shift() ?? { ms: 0, wake: () => undefined };
		state.time += ms;
		wake();
		await settle();
		return ms;
	};
	const told = async (news: News) => {
		hear(await message(news));
		await settle();
	};
	return { made, state, goOn, told };
}

test('what runs here is told soon and then now and again, whole and signed', async () => {
	const { made, state, goOn } = teller();
	const own = { manifest: await manifest(5), keySet: undefined };
	made.knows(own, { keys: 1, sequence: 5 });
	made.start();
	expect(await goOn()).toBe(FIRST_TELL_MS);
	expect(await goOn()).toBe(TELL_EVERY_MS);
	expect(state.published).toHaveLength(2);
	const { body } = await open(releaseNews, state.published[0] as Uint8Array, realCrypto);
	expect(body.manifest).toEqual(own.manifest);
});

test('who has nothing to tell, or has just heard the same, keeps quiet', async () => {
	const { made, state, goOn, told } = teller();
	made.start();
	await goOn();
	expect(state.published).toEqual([]);
	const own = { manifest: await manifest(5), keySet: undefined };
	made.knows(own, { keys: 1, sequence: 5 });
	// A minute into the sleep, which then ends when it would have.
	state.time += 60_000;
	await told(own);
	state.time -= 60_000;
	await goOn();
	expect([state.published.length, state.looks]).toEqual([0, 0]);
	await goOn();
	expect(state.published).toHaveLength(1);
});

test('a further release is heard once and passed on; an older one, a forged one and one too few signed are not', async () => {
	const { made, state, goOn, told } = teller();
	made.knows({ manifest: await manifest(5), keySet: undefined }, { keys: 1, sequence: 5 });
	made.start();
	await told({ manifest: await manifest(4), keySet: undefined });
	await told({ manifest: await manifest(9, [1]), keySet: undefined });
	await told({ manifest: await manifest(9, [11, 12]), keySet: undefined });
	await told({ manifest: new Uint8Array(100), keySet: undefined });
	expect(state.heard).toEqual([]);
	expect(state.refused).toEqual(['too-few-keys', 'wrong-role', 'malformed']);
	const newer = { manifest: await manifest(6), keySet: undefined };
	await told(newer);
	await told(newer);
	expect(state.heard).toEqual([newer]);
	await goOn();
	await goOn();
	const last = await open(releaseNews, state.published.at(-1) as Uint8Array, realCrypto);
	expect(last.body.manifest).toEqual(newer.manifest);
});

test('under new keys it comes with them, and is believed only so', async () => {
	const { made, state, told } = teller();
	made.start();
	const under2 = await manifest(1, [1, 4], 2);
	await told({ manifest: under2, keySet: undefined });
	expect([state.heard, state.refused]).toEqual([[], ['mixed-release']]);
	await told({ manifest: under2, keySet: newestKeys(encodeChain([root, next])) });
	expect(state.heard).toHaveLength(1);
	expect(newestKeys(encodeChain([root]))).toBeUndefined();
});

test('a flood of news costs no more than a few looks a minute', async () => {
	const { made, state, told } = teller();
	made.start();
	for (let i = 0; i < MAX_LOOKS_PER_MINUTE + 5; i++)
		await told({ manifest: await manifest(10 + i), keySet: undefined });
	expect(state.looks).toBe(MAX_LOOKS_PER_MINUTE);
	state.time += 60_000;
	await told({ manifest: await manifest(100), keySet: undefined });
	expect(state.looks).toBe(MAX_LOOKS_PER_MINUTE + 1);
});
