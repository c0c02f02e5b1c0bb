/**
 * Signed lists of relays: believed with enough directory keys of this line, never an older one, warned about after their time; correctly signed
 * violations of every kind are refused. A few of each here; `node scripts/test.mjs releases` runs 1,000 of each kind (FIREWEED_VIOLATIONS).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateKeyPair } from '@libp2p/crypto/keys';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { fetchDirectory, directoryText, readDirectory } from '#lib/doors/directory.ts';
import { Lists } from '#lib/doors/lists.ts';
import { openCrypto } from '#lib/keys/crypto.ts';
import type { Setting, Store } from '#lib/ports/store.ts';
import {
	decodeSignedDirectory,
	directory,
	encodeSignedDirectory,
	MAX_SIGNED_DIRECTORY
} from '#lib/protocol/directory.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { MAX_SEQUENCE_STEP } from '#lib/protocol/release.ts';
import { believeDirectory } from '#lib/survival/directory.ts';
import { encodeChain, type Trust } from '#lib/survival/release.ts';
import { believeTestList, directoryBody, LISTED, signedDirectory } from '../doubles/directory.ts';
import { keysBody, keysOf, signed, signedKeys, T0 } from '../doubles/release.ts';
import { chanceFrom, type Chance } from '../doubles/violations.ts';
import { relayAcquaintances } from '../../relay/acquaintances.ts';
import { listSigners, listWords } from '#lib/ui/doors/words.ts';

const OF_EACH = Number(process.env['FIREWEED_VIOLATIONS'] ?? 10);
const CHANGED = Math.ceil(Number(process.env['FIREWEED_MUTATIONS'] ?? 2_000) / 10);
const MINUTES = 60_000;
const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });

let root: Uint8Array;
let next: Uint8Array;
beforeAll(async () => {
	root = (await signedKeys(keysBody(), [1, 2])).bytes;
	// Dora's key was stolen: 11 and 12 are gone, 13 and 14 must both sign.
	const changed = keysBody({ version: 2, directory: { threshold: 2, keys: keysOf(13, 14) } });
	next = (await signedKeys(changed, [1, 2])).bytes;
});

const trusting = (change: Partial<Trust> = {}) => ({ root, ...change });
const judged = (bytes: Uint8Array, change: Partial<Trust> = {}, now = T0) =>
	believeDirectory(bytes, trusting(change), crypto, now).then(() => 'believed', codeOf);

describe('a list', () => {
	test('is believed with who signed it, and warned about after its time', async () => {
		const bytes = await signedDirectory({}, [11, 12]);
		expect(await believeDirectory(bytes, trusting(), crypto, T0)).toMatchObject({
			directory: { relays: [LISTED] },
			...{ signers: ['Key 11', 'Key 12'], needed: 1, stale: false, development: false, bytes }
		});
		const { expiresAt } = directoryBody();
		expect((await believeDirectory(bytes, trusting(), crypto, expiresAt)).stale).toBe(false);
		expect((await believeDirectory(bytes, trusting(), crypto, expiresAt + 1)).stale).toBe(true);
	});

	test('under keys that came later, and then no more under those before', async () => {
		const newer = await signedDirectory({ keys: 2 }, [13, 14], [root, next]);
		expect(await judged(newer)).toBe('believed');
		expect(await judged(newer, { held: { keys: 1, sequence: 900, cid: 'x' } }), 'a new count').toBe('believed');
		expect(await judged(await signedDirectory(), { keysSeen: 2 })).toBe('rolled-back');
		expect(await judged(await signedDirectory({ keys: 2 }, [13], [root, next]))).toBe('too-few-keys');
		expect(await judged(await signedDirectory({ keys: 2 }, [11], [root, next]))).toBe('wrong-role');
	});

	test('the same one again is believed, another with its number is not', async () => {
		const bytes = await signedDirectory();
		const { cid } = await believeDirectory(bytes, trusting(), crypto, T0);
		expect(await judged(bytes, { held: { keys: 1, sequence: 1, cid } })).toBe('believed');
		expect(await judged(bytes, { held: { keys: 1, sequence: 1, cid: 'another' } })).toBe('same-number');
	});

	test.each<[string, object, Code]>([
		['no relay', { relays: [] }, 'malformed'],
		['nine relays', { relays: Array.from({ length: 9 }, () => LISTED) }, 'malformed'],
		['an address without its id', { relays: ['/dns4/relay.example/tcp/443/wss'] }, 'malformed'],
		['a way through a relay', { relays: [`${LISTED}/p2p-circuit/p2p/${LISTED.slice(-52)}`] }, 'malformed'],
		['a field nobody knows', { more: 1 }, 'malformed'],
		['keys of version 0', { keys: 0 }, 'malformed']
	])('%s: %s cannot be signed', async (_what, change, code) => {
		expect(await signedDirectory(change).then(() => 'made', codeOf)).toBe(code);
	});
});

/** A line with directory keys of its own, `m` of `n`: 101…; release keys 1 and 2. */
async function line(chance: Chance) {
	const n = chance.between(1, 5);
	const m = chance.between(1, n);
	const numbers = Array.from({ length: n }, (_, i) => 101 + i);
	const body = keysBody({ directory: { threshold: m, keys: keysOf(...numbers) } });
	const first = (await signedKeys(body, [1, 2])).bytes;
	const sequence = chance.between(1, 5_000);
	return { m, numbers, body, first, sequence, signers: numbers.slice(n - m) };
}
type Drawn = {
	readonly bytes: Uint8Array;
	readonly trust: Pick<Trust, 'root' | 'held' | 'keysSeen'>;
	readonly code: Code;
};

const VIOLATIONS: Readonly<Record<string, (chance: Chance) => Promise<Drawn>>> = {
	'too few keys': async (chance) => {
		const { first, m, signers, sequence } = await line(chance);
		const few = signers.slice(0, chance.between(0, m - 1));
		return { bytes: await signedDirectory({ sequence }, few, [first]), trust: { root: first }, code: 'too-few-keys' };
	},
	'wrong role': async (chance) => {
		const { first, signers, sequence } = await line(chance);
		const wrong = [...signers, chance.pick([1, 2, 3, 900])];
		return { bytes: await signedDirectory({ sequence }, wrong, [first]), trust: { root: first }, code: 'wrong-role' };
	},
	'another line': async (chance) => {
		const { first, signers, sequence } = await line(chance);
		const change = { sequence, line: `other-${chance.between(0, 999)}` };
		return { bytes: await signedDirectory(change, signers, [first]), trust: { root: first }, code: 'other-line' };
	},
	rollback: async (chance) => {
		const { first, signers, sequence } = await line(chance);
		const held = { keys: 1, sequence: sequence + chance.between(1, 10_000), cid: 'x' };
		const trust = chance.pick([
			{ root: first, held },
			{ root: first, keysSeen: chance.between(2, 60) }
		]);
		return { bytes: await signedDirectory({ sequence }, signers, [first]), trust, code: 'rolled-back' };
	},
	'under keys that were changed': async (chance) => {
		const { first, signers, sequence, body } = await line(chance);
		const second = (await signedKeys({ ...body, version: 2, directory: { threshold: 1, keys: keysOf(301) } }, [1, 2]))
			.bytes;
		const bytes = await signedDirectory({ sequence, keys: 1 }, signers, [first, second]);
		return { bytes, trust: { root: first }, code: 'rolled-back' };
	},
	'ahead of its keys': async (chance) => {
		const { first, signers, sequence } = await line(chance);
		const change = { sequence, keys: chance.between(2, 64) };
		return { bytes: await signedDirectory(change, signers, [first]), trust: { root: first }, code: 'mixed-release' };
	},
	'fast forward': async (chance) => {
		const { first, signers } = await line(chance);
		const sequence = chance.between(MAX_SEQUENCE_STEP + 1, 1_000_000_000);
		return {
			bytes: await signedDirectory({ sequence }, signers, [first]),
			trust: { root: first },
			code: 'fast-forward'
		};
	},
	'two with one number': async (chance) => {
		const { first, signers, sequence } = await line(chance);
		const held = { keys: 1, sequence, cid: `bafy${chance.between(0, 1_000_000)}` };
		return {
			bytes: await signedDirectory({ sequence }, signers, [first]),
			trust: { root: first, held },
			code: 'same-number'
		};
	},
	'keys without the old ones’ word': async (chance) => {
		const { first, body, sequence } = await line(chance);
		const mine = keysBody({
			...body,
			version: 2,
			release: { threshold: 1, keys: keysOf(201) },
			directory: { threshold: 1, keys: keysOf(202) }
		});
		const second = (await signedKeys(mine, [201, ...chance.pick([[], [1]])])).bytes;
		return {
			bytes: await signedDirectory({ sequence, keys: 2 }, [202], [first, second]),
			trust: { root: first },
			code: 'too-few-keys'
		};
	},
	'first keys of one’s own': async (chance) => {
		const { first, signers, sequence, body } = await line(chance);
		const own = (
			await signedKeys({ ...body, release: { threshold: 1, keys: keysOf(300 + chance.between(0, 50)) } }, [])
		).bytes;
		return {
			bytes: await signedDirectory({ sequence }, signers, [own]),
			trust: { root: first },
			code: 'broken-succession'
		};
	},
	'another document in its place': async (chance) => {
		const { first, sequence } = await line(chance);
		// What release keys sign rightly is no directory, whoever calls it one.
		const document = (await signedKeys(keysBody({ version: 1 + (sequence % 60) }), [1, 2])).bytes;
		return {
			bytes: encodeSignedDirectory(encodeChain([first]), document),
			trust: { root: first },
			code: 'unknown-type'
		};
	}
};

test.each(Object.entries(VIOLATIONS))(`${OF_EACH} of: %s`, { timeout: 5 * MINUTES }, async (_kind, draw) => {
	for (let seed = 1; seed <= OF_EACH; seed++) {
		const { bytes, trust, code } = await draw(chanceFrom(seed));
		expect(await believeDirectory(bytes, trust, crypto, T0).then(() => 'believed', codeOf), `seed ${seed}`).toBe(code);
	}
});

test(
	`${CHANGED} lists with one thing changed: none is believed, nothing crashes`,
	{ timeout: 10 * MINUTES },
	async () => {
		const good = await signedDirectory({}, [11, 12]);
		const changes = fc.tuple(
			fc.nat(good.length - 1),
			fc.integer({ min: 1, max: 255 }),
			fc.constantFrom('set', 'cut', 'put')
		);
		await fc.assert(
			fc.asyncProperty(changes, async ([at, value, how]) => {
				const bytes =
					how === 'cut'
						? good.slice(0, at)
						: how === 'put'
							? new Uint8Array([...good.subarray(0, at), value, ...good.subarray(at)])
							: good.slice();
				if (how === 'set') bytes[at] = (bytes[at] ?? 0) ^ value;
				const outcome = await believeDirectory(bytes, trusting(), crypto, T0).then(
					() => 'believed',
					(error: unknown) => (error instanceof Refusal ? 'refused' : String(error))
				);
				expect(outcome).toBe('refused');
			}),
			{ numRuns: CHANGED }
		);
		expect(await judged(new Uint8Array(MAX_SIGNED_DIRECTORY + 1))).toBe('oversized');
		const bad = (await signed(directory, directoryBody(), [11])).bytes.slice();
		const last = bad.lastIndexOf(0x58) + 2;
		bad[last + 10] = (bad[last + 10] ?? 0) ^ 1;
		expect(await judged(encodeSignedDirectory(encodeChain([root]), bad))).toBe('bad-signature');
		expect(decodeSignedDirectory(good).keys).toEqual(encodeChain([root]));
	}
);

test('as text: read as it was made, an unsigned one says that nobody signed it', async () => {
	const bytes = await signedDirectory();
	expect(readDirectory(directoryText(bytes))).toEqual(bytes);
	expect(() => readDirectory(JSON.stringify({ version: 1, relays: [LISTED] }))).toThrow('too-few-keys');
	for (const text of ['', '{}', '[]', '{"version":2}', '{"version":2,"signed":"~"}', '{"version":3,"signed":"AA"}'])
		expect(() => readDirectory(text)).toThrow('malformed');
	expect(() => readDirectory('x'.repeat(20_001))).toThrow('oversized');
	const answers = (answer: Response | Error) =>
		(() => (answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer))) as never;
	expect(await fetchDirectory('http://host/', answers(new Response(directoryText(bytes))))).toEqual(bytes);
	expect(await fetchDirectory('http://host/', answers(new Response('', { status: 404 })))).toBeUndefined();
	expect(await fetchDirectory('http://host/', answers(new TypeError('offline')))).toBeUndefined();
	await expect(fetchDirectory('http://host/', answers(new Response('<html>')))).rejects.toMatchObject({
		code: 'malformed'
	});
});

describe('the newest list', () => {
	function world(
		beside: () => Promise<Uint8Array | undefined>,
		kept = new Map<string, Setting>(),
		known: Partial<Trust> = {}
	) {
		const settings = {
			get: async (id: string) => kept.get(id),
			put: async (each: Setting) => void kept.set(each.id, each)
		};
		const asked = { times: 0, changes: 0 };
		const lists = new Lists(
			{
				...{ store: { settings } as unknown as Pick<Store, 'settings'>, now: () => T0, log: () => undefined },
				directory: () => ((asked.times += 1), beside()),
				believe: believeTestList(() => T0, known)
			},
			() => (asked.changes += 1)
		);
		return { lists, asked, kept };
	}

	test('is asked for once in a visit, kept for the next, and never exchanged for an older one', async () => {
		const [older, newer] = [await signedDirectory({ sequence: 1 }), await signedDirectory({ sequence: 2 })];
		const first = world(async () => newer);
		expect((await first.lists.newest())?.place.sequence).toBe(2);
		await first.lists.newest();
		expect(first.asked).toEqual({ times: 1, changes: 1 });
		const second = world(async () => older, first.kept);
		expect((await second.lists.newest())?.place.sequence).toBe(2);
		expect(second.lists.state).toMatchObject({ signers: ['Key 11'] });
		const third = world(async () => undefined, first.kept);
		expect((await third.lists.held())?.place.sequence, 'without asking anybody').toBe(2);
		expect(third.asked.times).toBe(0);
		// The directory keys were changed since: what was kept counts no more.
		expect(await world(async () => undefined, first.kept, { keysSeen: 2 }).lists.newest()).toBeUndefined();
	});

	test('from a peer or from paper is checked like any other, and taken when it is newer', async () => {
		const w = world(async () => signedDirectory({ sequence: 5 }));
		await w.lists.newest();
		expect(await w.lists.check(await signedDirectory({ sequence: 9 }, [1])).catch(codeOf)).toBe('wrong-role');
		expect(await w.lists.check(await signedDirectory({ sequence: 4 })).catch(codeOf)).toBe('rolled-back');
		await w.lists.take(await w.lists.check(await signedDirectory({ sequence: 6 })));
		expect((await w.lists.held())?.place.sequence).toBe(6);
	});

	test('that is not to be believed is said and not used; a spoiled setting does no harm', async () => {
		const spoiled = new Map([['doors-directory', { id: 'doors-directory', savedAt: 0, value: 'poison' }]]);
		const w = world(async () => signedDirectory({}, [1]), spoiled);
		expect(await w.lists.newest()).toBeUndefined();
		expect(w.lists.state).toEqual({ refused: 'wrong-role' });
	});
});

test('a relay passes on what its operator listed, and no line that is neither a statement nor a list', async () => {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-list-'));
	try {
		const listFile = path.join(folder, 'list');
		const bytes = await signedDirectory();
		const { signed: code } = JSON.parse(directoryText(bytes)) as { signed: string };
		await writeFile(listFile, [code, 'AAAA', 'not a statement!', ''].join('\n'));
		const key = await generateKeyPair('Ed25519');
		const known = await relayAcquaintances({ key, addresses: () => [LISTED], listFile, crypto, now: () => T0 }).then(
			(made) => made.known()
		);
		expect(known).toHaveLength(2);
		expect(known[1]).toEqual(bytes);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});

test('the screen says who signed it, that its time is over, or why it is not used', () => {
	const list = { relays: ['/x'], signers: ['Dora', 'Dan'], needed: 2, stale: false, development: false, expiresAt: 1 };
	expect(listWords(list)).toBe('The list of relays names one relay. Signed by Dora, Dan (2 had to).');
	expect(listSigners({ ...list, stale: true })).toContain('Its time is over');
	expect(listSigners({ ...list, development: true })).toContain('anyone can make');
	expect(listWords({ refused: 'too-few-keys' })).toContain('is not used');
	expect(listWords(undefined)).toBe('No list of relays came with this app.');
});
