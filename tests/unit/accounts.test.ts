/** A node's book of ended accounts: what it keeps, repeats and refuses, when, and what it does without a network or a disk. */
import { describe, expect, test } from 'vitest';
import { Accounts, REPEAT_MS } from '#lib/node/accounts.ts';
import type { EndableKeys, KeptEnd } from '#lib/ports/keys.ts';
import type { Mesh, MeshEvent, Verdict } from '#lib/ports/mesh.ts';
import { revoke, succeed } from '#lib/protocol/account-end.ts';
import { certify, nodeCertificate } from '#lib/protocol/certificate.ts';
import { open } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { Seals } from '../doubles/seals.ts';

/** A node with its book, a mesh that writes down what it is told, and keys that a test can break. */
function stage(kept: KeptEnd[] = []) {
	const clock = new VirtualClock();
	const seals = new Seals();
	const signer = (n: number) => seals.signer(new Uint8Array(32).fill(n));
	const [owner, heir, other, node] = [signer(1), signer(2), signer(3), signer(4)];
	const state: { peers: number; refuses?: Code; keys?: Code; unsubscribed: number; unobserved: number } = {
		...{ peers: 1, unsubscribed: 0, unobserved: 0 }
	};
	const [published, changed, log]: [Uint8Array[], Uint8Array[], unknown[]] = [[], [], []];
	let judge: (bytes: Uint8Array, from: string) => Verdict | Promise<Verdict> = () => 'ignore';
	let hear: (bytes: Uint8Array) => void = () => undefined;
	let observer: (event: MeshEvent) => void = () => undefined;
	const mesh = {
		subscribe: (topic: string, judging: typeof judge, hearing: typeof hear) => {
			expect(topic).toBe('fireweed/1/accounts');
			[judge, hear] = [judging, hearing];
			return () => void state.unsubscribed++;
		},
		observe: (listener: typeof observer) => {
			observer = listener;
			return () => void state.unobserved++;
		},
		peers: () => Array.from({ length: state.peers }),
		publish: async (topic: string, bytes: Uint8Array) => {
			expect(topic).toBe('fireweed/1/accounts');
			published.push(bytes);
			if (state.refuses !== undefined) throw new Refusal(state.refuses);
		}
	} as unknown as Mesh;
	const guarded = async <T>(work: () => T): Promise<T> => {
		if (state.keys !== undefined) throw new Refusal(state.keys);
		return work();
	};
	const keys: Pick<EndableKeys, 'ends' | 'keepEnd'> = {
		ends: () => guarded(() => kept),
		keepEnd: (end) => guarded(() => void kept.push(end))
	};
	const accounts = new Accounts({ keys, crypto: seals, clock, log: (...line) => void log.push(line) }, (account) =>
		changed.push(account)
	);
	const tell = (type: MeshEvent['type']) => observer({ type } as MeshEvent);
	const judged = (bytes: Uint8Array) => judge(bytes, 'somebody');
	const heard = async (bytes: Uint8Array) => {
		hear(bytes);
		await clock.pass(0);
	};
	return {
		...{ clock, seals, owner, heir, other, node, state, published, changed, log, mesh, accounts, kept },
		...{ tell, judged, heard }
	};
}

describe('hearing of an end', () => {
	test('is noted, told of and kept, once', async () => {
		const { accounts, mesh, owner, heir, heard, changed, kept, published, log } = stage();
		accounts.follow(mesh);
		expect(accounts.fate(owner.publicKey)).toEqual({ state: 'valid' });
		const bytes = await succeed(owner, heir, 5);
		await heard(bytes);
		await heard(bytes);
		expect(accounts.fate(owner.publicKey)).toEqual({ state: 'moved', successor: heir.publicKey });
		expect(changed).toEqual([owner.publicKey]);
		expect(kept).toStrictEqual([{ bytes, own: false }]);
		// Who heard it from others does not say it again by itself.
		expect([published, log]).toEqual([[], []]);
	});

	test('a forged one is refused, and why is noted', async () => {
		const { accounts, mesh, owner, heard, judged, changed, log } = stage();
		accounts.follow(mesh);
		const bytes = await revoke(owner, 5);
		expect(await judged(bytes)).toBe('accept');
		const forged = bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1);
		expect(await judged(forged)).toBe('reject');
		await heard(forged);
		expect(log).toEqual([['account-end-refused', { code: 'bad-signature' }]]);
		expect([changed, accounts.fate(owner.publicKey).state]).toEqual([[], 'valid']);
	});

	test('one that cannot be kept holds for this visit, and that is noted', async () => {
		const { accounts, mesh, owner, heard, state, log } = stage();
		state.keys = 'storage-full';
		accounts.follow(mesh);
		await heard(await revoke(owner, 5));
		expect(accounts.fate(owner.publicKey)).toEqual({ state: 'revoked' });
		expect(log).toEqual([['account-end-refused', { code: 'storage-full' }]]);
	});
});

describe('what was kept', () => {
	test('is known after a reload; what cannot be read is left out', async () => {
		const first = stage();
		const [mine, theirs] = [await revoke(first.owner, 1), await revoke(first.heir, 1)];
		const broken = { bytes: Uint8Array.of(1), own: true };
		const { accounts, owner, heir, mesh, tell, published } = stage([
			...[broken, { bytes: theirs, own: false }, { bytes: mine, own: true }]
		]);
		await accounts.load();
		expect([accounts.fate(owner.publicKey).state, accounts.fate(heir.publicKey).state]).toEqual(['revoked', 'revoked']);
		// Of them one's own are said to whoever is met.
		accounts.follow(mesh);
		tell('peer-up');
		expect(published).toEqual([mine]);
	});

	test('and cannot be read at all is no reason not to start', async () => {
		const { accounts, state, owner } = stage();
		state.keys = 'storage-unavailable';
		await expect(accounts.load()).resolves.toBeUndefined();
		expect(accounts.fate(owner.publicKey).state).toBe('valid');
	});
});

describe('saying one’s own', () => {
	test('it is said, told of and kept as one’s own', async () => {
		const { accounts, mesh, owner, changed, kept, published } = stage();
		accounts.follow(mesh);
		const bytes = await revoke(owner, 5);
		await accounts.say(bytes);
		expect(published).toEqual([bytes]);
		expect(changed).toEqual([owner.publicKey]);
		expect(kept).toStrictEqual([{ bytes, own: true }]);
	});

	test('what is no end of an account is refused and not said', async () => {
		const { accounts, mesh, published } = stage();
		accounts.follow(mesh);
		expect(await accounts.say(Uint8Array.of(1)).catch(codeOf)).toBe('malformed');
		expect(published).toEqual([]);
	});

	test('a disk that refuses is told of after it was said', async () => {
		const { accounts, mesh, owner, published, state } = stage();
		state.keys = 'storage-full';
		accounts.follow(mesh);
		expect(await accounts.say(await revoke(owner, 5)).catch(codeOf)).toBe('storage-full');
		expect(published).toHaveLength(1);
	});

	test('without a mesh, and with nobody there, it is said to the first who comes', async () => {
		const { accounts, mesh, owner, published, state, tell } = stage();
		await accounts.say(await revoke(owner, 5));
		state.peers = 0;
		accounts.follow(mesh);
		tell('relay-up');
		expect(published).toHaveLength(0);
		state.peers = 1;
		tell('relay-down');
		tell('peer-down');
		expect(published).toHaveLength(0);
		tell('relay-up');
		expect(published).toHaveLength(1);
	});

	test('it is repeated to those who come, once in ten minutes', async () => {
		const { accounts, mesh, owner, published, tell, clock } = stage();
		accounts.follow(mesh);
		await accounts.say(await revoke(owner, 5));
		await clock.pass(REPEAT_MS - 1);
		tell('peer-up');
		expect(published).toHaveLength(1);
		await clock.pass(1);
		tell('peer-up');
		tell('peer-up');
		expect(published).toHaveLength(2);
	});

	test('each statement has its own ten minutes, two of one account too', async () => {
		const { accounts, mesh, owner, heir, other, published, tell } = stage();
		const all = [await succeed(owner, heir, 5), await succeed(owner, other, 5), await revoke(heir, 5)];
		for (const bytes of all) await accounts.say(bytes);
		accounts.follow(mesh);
		tell('peer-up');
		expect(published).toEqual(all);
	});

	test('what could not be sent is sent to the next who comes', async () => {
		const { accounts, mesh, owner, published, tell, state, clock } = stage();
		accounts.follow(mesh);
		state.refuses = 'relay-unavailable';
		await accounts.say(await revoke(owner, 5));
		await clock.pass(0);
		delete state.refuses;
		tell('peer-up');
		await clock.pass(0);
		tell('peer-up');
		expect(published).toHaveLength(2);
	});

	test('stopped, it hears nobody and says nothing', async () => {
		const { accounts, mesh, owner, published, tell, state } = stage();
		accounts.follow(mesh)();
		expect([state.unsubscribed, state.unobserved]).toEqual([1, 1]);
		await accounts.say(await revoke(owner, 5));
		tell('peer-up');
		expect(published).toEqual([]);
	});
});

describe('the guard', () => {
	test('an ended account certifies nobody, and whoever meets its node repeats the statement', async () => {
		const { accounts, mesh, owner, other, node, heard, published, seals, clock } = stage();
		accounts.follow(mesh);
		const guard = accounts.guard();
		const certificate = await certify(owner, node.publicKey, clock.now());
		expect((await open(nodeCertificate, certificate, guard)).body.node).toEqual(node.publicKey);
		const bytes = await revoke(owner, 5);
		await heard(bytes);
		const before = seals.checked;
		expect(await open(nodeCertificate, certificate, guard).catch(codeOf)).toBe('bad-signature');
		expect(published).toEqual([bytes]);
		// What is known needs no arithmetic.
		expect(seals.checked).toBe(before);
		const valid = await certify(other, node.publicKey, clock.now());
		expect((await open(nodeCertificate, valid, guard)).body.node).toEqual(node.publicKey);
		expect(published).toHaveLength(1);
	});

	test('every statement against a disputed account is repeated', async () => {
		const { accounts, mesh, owner, heir, other, node, heard, published, clock } = stage();
		accounts.follow(mesh);
		const both = [await succeed(owner, heir, 5), await succeed(owner, other, 5)];
		for (const bytes of both) await heard(bytes);
		expect(accounts.fate(owner.publicKey)).toEqual({ state: 'disputed' });
		const certificate = await certify(owner, node.publicKey, clock.now());
		expect(await open(nodeCertificate, certificate, accounts.guard()).catch(codeOf)).toBe('bad-signature');
		expect(published).toHaveLength(2);
		expect(published).toEqual(expect.arrayContaining(both));
	});

	test('whatever else it signed is judged by its signature', async () => {
		const { accounts, mesh, owner, heard, seals, published } = stage();
		accounts.follow(mesh);
		await heard(await revoke(owner, 5));
		const words = Uint8Array.of(1, 2, 3);
		const guard = accounts.guard();
		const signature = await owner.sign(words);
		const before = seals.checked;
		expect(await guard.verify(owner.publicKey, words, signature)).toBe(true);
		expect(await guard.verify(owner.publicKey, words.with(0, 9), signature)).toBe(false);
		expect(seals.checked - before).toBe(2);
		expect(published).toEqual([]);
	});
});
