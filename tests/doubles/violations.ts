/**
 * Releases that are signed correctly and must still be refused: every kind of wrong that a thief with real keys, or a server with real releases,
 * can do. Each draw is another one; which, a seed decides.
 */
import fc from 'fast-check';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Code } from '#lib/protocol/errors.ts';
import { encodeFiles, type ReleaseFile } from '#lib/protocol/release-files.ts';
import { MAX_SEQUENCE_STEP, type ReleaseManifest } from '#lib/protocol/release.ts';
import type { SignedParts, Trust } from '#lib/survival/release.ts';
import { keysBody, keysOf, listing, manifestBody, release, signedKeys } from './release.ts';

/** One violation: what comes, what is believed beforehand, and what it must be called. */
export interface Violation {
	readonly parts: SignedParts;
	readonly trust: Trust;
	readonly code: Code;
}

/** How a kind of violation is drawn. */
type Draw = (chance: Chance) => Promise<Violation>;

/** Numbers by a seed. */
export interface Chance {
	/** From min to max, both inside. */
	between(min: number, max: number): number;
	pick<T>(items: readonly T[]): T;
}

export function chanceFrom(seed: number): Chance {
	const values = fc.sample(fc.noBias(fc.integer({ min: 0, max: 0x7fffffff })), { seed, numRuns: 64 });
	let at = 0;
	const next = () => values[at++ % values.length] ?? 0;
	const between = (min: number, max: number) => min + (next() % (max - min + 1));
	return { between, pick: (items) => items[between(0, items.length - 1)] as never };
}

/** A line with its first keys: `m` of `n`. Keys 1…n sign releases, 101… directories. */
async function line(chance: Chance) {
	const n = chance.between(2, 5);
	const m = chance.between(2, n);
	const numbers = Array.from({ length: n }, (_, i) => i + 1);
	const body = keysBody({
		release: { threshold: m, keys: keysOf(...numbers) },
		directory: { threshold: 1, keys: keysOf(101, 102) }
	});
	const root = (await signedKeys(body, numbers)).bytes;
	const sequence = chance.between(2, 5_000);
	return { n, m, numbers, body, root, sequence, trust: { root, floor: { keys: 1, sequence: 1 } } };
}

function files(chance: Chance): readonly ReleaseFile[] {
	return Array.from({ length: chance.between(1, 6) }, (_, i) => ({
		path: `_app/${i}-${chance.between(0, 1_000_000)}.js`,
		sha256: sha256(Uint8Array.of(i, chance.between(0, 255))),
		bytes: chance.between(1, 100_000)
	}));
}

/** A release of the line as its makers would sign it. */
async function honest(chance: Chance, change: Partial<ReleaseManifest> = {}) {
	const { body: keySet, ...of } = await line(chance);
	const list = listing(files(chance));
	const body = manifestBody({ sequence: of.sequence, ...change }, list);
	const signers = of.numbers.slice(of.n - of.m);
	return { ...of, keySet, list, body, signers };
}

/** By the attack's name. */
export const VIOLATIONS: Readonly<Record<string, Draw>> = {
	'too few keys': async (chance) => {
		const { root, trust, body, list, m, signers } = await honest(chance);
		const few = signers.slice(0, chance.between(0, m - 1));
		return { parts: await release([root], body, few, list.encoded), trust, code: 'too-few-keys' };
	},
	'wrong role': async (chance) => {
		const { root, trust, body, list, signers } = await honest(chance);
		const wrong = [...signers.slice(0, chance.between(0, signers.length)), chance.pick([101, 102, 900])];
		return { parts: await release([root], body, wrong, list.encoded), trust, code: 'wrong-role' };
	},
	'another line': async (chance) => {
		const { root, trust, body, list, signers } = await honest(chance, { line: `other-${chance.between(0, 999)}` });
		return { parts: await release([root], body, signers, list.encoded), trust, code: 'other-line' };
	},
	rollback: async (chance) => {
		const { root, trust, body, list, signers, sequence } = await honest(chance);
		const place = { keys: 1, sequence: sequence + chance.between(1, 10_000) };
		const known = chance.pick([
			{ ...trust, floor: place },
			{ ...trust, held: { ...place, cid: 'x' } },
			{ ...trust, keysSeen: chance.between(2, 60) }
		]);
		return { parts: await release([root], body, signers, list.encoded), trust: known, code: 'rolled-back' };
	},
	'fast forward': async (chance) => {
		const far = chance.between(MAX_SEQUENCE_STEP + 2, 1_000_000_000);
		const { root, trust, body, list, signers } = await honest(chance, { sequence: far });
		const held =
			far > 50_000 ? { keys: 1, sequence: chance.between(2, far - MAX_SEQUENCE_STEP - 1), cid: 'x' } : undefined;
		return {
			parts: await release([root], body, signers, list.encoded),
			trust: { ...trust, held },
			code: 'fast-forward'
		};
	},
	'two with one number': async (chance) => {
		const { root, trust, body, list, signers, sequence } = await honest(chance);
		const held = { keys: 1, sequence, cid: `bafy${chance.between(0, 1_000_000)}` };
		return {
			parts: await release([root], body, signers, list.encoded),
			trust: { ...trust, held },
			code: 'same-number'
		};
	},
	'mix and match': async (chance) => {
		const { root, trust, body, signers } = await honest(chance);
		const other = encodeFiles([...files(chance), { path: 'zz', sha256: new Uint8Array(32), bytes: 1 }]);
		return { parts: await release([root], body, signers, other), trust, code: 'mixed-release' };
	},
	'a list of another length than signed': async (chance) => {
		const { root, trust, body, list, signers } = await honest(chance);
		const lie = chance.pick([{ count: body.count + 1 }, { bytes: body.bytes + chance.between(1, 1_000) }]);
		return { parts: await release([root], { ...body, ...lie }, signers, list.encoded), trust, code: 'mixed-release' };
	},
	'ahead of its keys': async (chance) => {
		const { root, trust, body, list, signers } = await honest(chance, { keys: chance.between(2, 64) });
		return { parts: await release([root], body, signers, list.encoded), trust, code: 'mixed-release' };
	},
	'keys without the old ones’ word': async (chance) => {
		const of = await honest(chance, { keys: 2 });
		const mine = [201, 202];
		const next = keysBody({ ...of.keySet, version: 2, release: { threshold: 2, keys: keysOf(...mine) } });
		const own = of.numbers.slice(0, chance.between(0, of.m - 1));
		const second = (await signedKeys(next, [...mine, ...own])).bytes;
		return {
			parts: await release([of.root, second], of.body, mine, of.list.encoded),
			trust: of.trust,
			code: 'too-few-keys'
		};
	},
	'keys that leave one out': async (chance) => {
		const of = await honest(chance);
		const version = chance.between(3, 64);
		const next = (await signedKeys({ ...of.keySet, version }, of.signers)).bytes;
		const body = { ...of.body, keys: version };
		return {
			parts: await release([of.root, next], body, of.signers, of.list.encoded),
			trust: of.trust,
			code: 'broken-succession'
		};
	},
	'first keys of one’s own': async (chance) => {
		const of = await honest(chance);
		const own = (
			await signedKeys(keysBody({ release: { threshold: 1, keys: keysOf(300 + chance.between(0, 50)) } }), [])
		).bytes;
		return {
			parts: await release([own], of.body, of.signers, of.list.encoded),
			trust: of.trust,
			code: 'broken-succession'
		};
	},
	'endless data': async (chance) => {
		const { root, trust, body, list, signers } = await honest(chance);
		const parts = await release([root], body, signers, list.encoded);
		const part = chance.pick(['keys', 'manifest', 'files'] as const);
		const long = new Uint8Array(270_000 + chance.between(0, 10_000));
		long.set(parts[part]);
		return { parts: { ...parts, [part]: long }, trust, code: 'oversized' };
	}
};
