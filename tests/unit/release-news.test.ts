/** News of releases among peers: told, kept quiet about, believed only with the signatures in it. */
import { beforeAll, expect, test } from 'vitest';
import { FIRST_TELL_MS, MAX_LOOKS_PER_MINUTE, NewsTeller, TELL_EVERY_MS, type News } from '#lib/node/release-news.ts';
import type { Verdict } from '#lib/ports/mesh.ts';
import { certify, openCertificate } from '#lib/protocol/certificate.ts';
import { open, seal } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { releaseNews } from '#lib/protocol/release-news.ts';
import type { Place } from '#lib/protocol/release.ts';
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

const really = async (news: News): Promise<Place> =>
	(await believeNews(news, encodeChain([root]), root, realCrypto, T0)).manifest;

/** A teller whose time stands until it is told to go on. `chance`: the byte that each of its waits is drawn with. */
function teller(chance: readonly number[] = [128], believe = really) {
	const state = {
		...{ time: 0, published: [] as Uint8Array[], looks: 0, heard: [] as News[], refused: [] as string[] },
		...{ deaf: 0, refuses: undefined as Refusal | undefined }
	};
	let hear: (bytes: Uint8Array) => void = () => undefined;
	let judge: (bytes: Uint8Array) => Verdict | Promise<Verdict> = () => 'ignore';
	const sleeps: { ms: number; wake: () => void }[] = [];
	const ports = {
		mesh: {
			publish: async (topic: string, bytes: Uint8Array) => {
				expect(topic).toBe('fireweed/1/releases');
				if (state.refuses !== undefined) throw state.refuses;
				state.published.push(bytes);
			},
			subscribe: (topic: string, judging: typeof judge, listener: typeof hear) => {
				expect(topic).toBe('fireweed/1/releases');
				[judge, hear] = [judging, listener];
				return () => void state.deaf++;
			}
		},
		identity: { node, certificate },
		crypto: realCrypto,
		clock: {
			now: () => T0 + state.time,
			monotonic: () => state.time,
			sleep: (ms: number, signal: AbortSignal) =>
				new Promise<void>((wake, stopped) => {
					if (signal.aborted) return stopped(new Refusal('aborted'));
					sleeps.push({ ms, wake });
					signal.addEventListener('abort', () => {
						sleeps.length = 0;
						stopped(new Refusal('aborted'));
					});
				})
		},
		random: {
			bytes: (length: number) => {
				expect(length).toBe(1);
				return Uint8Array.from(chance);
			}
		},
		log: (_event: string, { code }: { code: string }) => void state.refused.push(code),
		believe: async (news: News) => {
			state.looks += 1;
			return believe(news);
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
	return { made, state, goOn, told, settle, judged: (bytes: Uint8Array) => judge(bytes) };
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

test('a flood of news costs no more than a few looks a minute, which come back when it is over and not before', async () => {
	const { made, state, told } = teller([128], async () => ({ keys: 1, sequence: 5 }));
	made.start();
	const flood = async (from: number, n: number) => {
		for (let i = 0; i < n; i++) await told({ manifest: Uint8Array.of(from + i), keySet: undefined });
	};
	await flood(0, MAX_LOOKS_PER_MINUTE + 5);
	expect(state.looks).toBe(MAX_LOOKS_PER_MINUTE);
	state.time = 59_999;
	await flood(100, 1);
	expect(state.looks).toBe(MAX_LOOKS_PER_MINUTE);
	state.time = 60_000;
	await flood(100, 1);
	expect(state.looks).toBe(MAX_LOOKS_PER_MINUTE + 1);
});

const own = async (sequence: number): Promise<News> => ({ manifest: await manifest(sequence), keySet: undefined });

test('of what it knows the furthest is told; of the same place, what it knew first', async () => {
	const { made, state, goOn } = teller();
	const other = await own(7);
	made.knows(other, { keys: 1, sequence: 5 });
	made.knows(await own(5), { keys: 1, sequence: 5 });
	made.knows(await own(4), { keys: 1, sequence: 4 });
	made.start();
	await goOn();
	const further = await own(6);
	made.knows(further, { keys: 1, sequence: 6 });
	await goOn();
	const bodies = await Promise.all(
		state.published.map(async (bytes) => (await open(releaseNews, bytes, realCrypto)).body)
	);
	expect(bodies).toEqual([
		{ manifest: other.manifest, issuedAt: T0 + FIRST_TELL_MS, extensions: {} },
		{ manifest: further.manifest, issuedAt: T0 + FIRST_TELL_MS + TELL_EVERY_MS, extensions: {} }
	]);
});

test('it is told with the keys that are needed to believe it, by a certified node, and others pass it on', async () => {
	const { made, state, goOn, judged } = teller();
	const keySet = newestKeys(encodeChain([root, next])) as Uint8Array;
	made.knows({ manifest: await manifest(1, [1, 4], 2), keySet }, { keys: 2, sequence: 1 });
	made.start();
	await goOn();
	const [bytes = new Uint8Array()] = state.published;
	const signed = await open(releaseNews, bytes, realCrypto);
	expect(signed.body.keys).toEqual(keySet);
	expect((await openCertificate(signed, realCrypto, T0)).node).toEqual(node.publicKey);
	expect(await judged(bytes)).toBe('accept');
	expect(await judged(Uint8Array.of(1))).toBe('reject');
});

test.each([
	[[0], 10_000, 900_000],
	[[255], 29_922, 2_692_969],
	[[1], 10_078, 907_031],
	[[], 10_000, 900_000]
])('a crowd that started together does not speak together: with %j after %i and %i ms', async (chance, first, then) => {
	const { made, goOn } = teller(chance);
	made.start();
	expect([await goOn(), await goOn(), await goOn()]).toEqual([first, then, then]);
});

test('it keeps quiet for a whole wait after others told the same, and not a moment longer', async () => {
	const known = await own(5);
	for (const [at, tells] of [
		[0, 1],
		[1, 0]
	] as const) {
		const { made, state, goOn, told } = teller();
		made.knows(known, { keys: 1, sequence: 5 });
		made.start();
		// The wait itself ends where it would have.
		state.time += at;
		await told(known);
		state.time -= at;
		await goOn();
		expect([at, state.published.length]).toEqual([at, tells]);
	}
});

test('another release of the same place is not news, and keeps nobody quiet', async () => {
	const { made, state, goOn, told } = teller();
	made.knows(await own(6), { keys: 1, sequence: 5 });
	made.start();
	await told(await own(5));
	expect([state.looks, state.heard]).toEqual([1, []]);
	await goOn();
	expect(state.published).toHaveLength(1);
});

test('who knows nothing yet believes what it hears first, and passes it on', async () => {
	const { made, state, goOn, told } = teller();
	made.start();
	const news = await own(5);
	await told(news);
	await told(news);
	// What is known already costs no look.
	expect([state.heard, state.looks]).toEqual([[news], 1]);
	await goOn();
	expect(state.published).toHaveLength(1);
});

test('what cannot be told now is told the next time', async () => {
	const { made, state, goOn } = teller();
	made.knows(await own(5), { keys: 1, sequence: 5 });
	made.start();
	state.refuses = new Refusal('relay-unavailable');
	await goOn();
	state.refuses = undefined;
	await goOn();
	expect([state.refused, state.published.length]).toEqual([['relay-unavailable'], 1]);
});

test('stopped, it hears nobody and says nothing', async () => {
	const { made, state, goOn, settle } = teller();
	made.knows(await own(5), { keys: 1, sequence: 5 });
	made.start()();
	await settle();
	expect([state.deaf, await goOn(), state.published]).toEqual([1, 0, []]);
});
