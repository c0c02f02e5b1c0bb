/**
 * Correctly signed violations of every kind, and honest releases with one thing changed: none is believed, nothing crashes. A few of each here;
 * `npm run test:full` runs 1,000 of each kind and 100,000 changed files (FIREWEED_VIOLATIONS, FIREWEED_MUTATIONS).
 */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { openCrypto } from '#lib/keys/crypto.ts';
import { PARTS, verifyRelease, type SignedParts, type Trust } from '#lib/survival/release.ts';
import { keysBody, keysOf, manifestBody, release, signedKeys, T0 } from '../doubles/release.ts';
import { chanceFrom, VIOLATIONS } from '../doubles/violations.ts';

const OF_EACH = Number(process.env['FIREWEED_VIOLATIONS'] ?? 10);
const CHANGED = Number(process.env['FIREWEED_MUTATIONS'] ?? 2_000);
/** Most by one seed, so that a failure can be run again by itself. */
const MINUTES = 60_000;

const crypto = await openCrypto({ subtle: globalThis.crypto.subtle });

test.each(Object.entries(VIOLATIONS))(`${OF_EACH} of: %s`, { timeout: 10 * MINUTES }, async (_kind, draw) => {
	for (let seed = 1; seed <= OF_EACH; seed++) {
		const { parts, trust, code } = await draw(chanceFrom(seed));
		const outcome = await verifyRelease(parts, trust, crypto, T0).then(() => 'accepted', codeOf);
		expect(outcome, `seed ${seed}`).toBe(code);
	}
});

let good: SignedParts;
let trust: Trust;
beforeAll(async () => {
	const root = (await signedKeys(keysBody(), [1, 2])).bytes;
	const next = keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 2, 4) } });
	const second = (await signedKeys(next, [1, 2, 4])).bytes;
	good = await release([root, second], manifestBody({ keys: 2 }), [1, 2, 4]);
	trust = { root, floor: { keys: 1, sequence: 1 } };
	await verifyRelease(good, trust, crypto, T0);
});

/** One change of bytes: flipped, set, cut out, put in, cut off, doubled. Undefined when nothing changed. */
function changed(bytes: Uint8Array, kind: number, at: number, value: number): Uint8Array | undefined {
	const place = at % bytes.length;
	const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
	const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
	const copy = bytes.slice();
	switch (kind) {
		case 0:
			copy[place] = (copy[place] ?? 0) ^ (1 << (value % 8));
			return copy;
		case 1:
			copy[place] = value;
			return copy[place] === bytes[place] ? undefined : copy;
		case 2:
			return joined(before, after.subarray(1 + (value % 16)));
		case 3:
			return joined(before, Uint8Array.of(value), after);
		case 4:
			return before;
		default:
			return joined(before, after.subarray(0, 1 + (value % 64)), after);
	}
}

test(
	`${CHANGED} honest releases with one file changed: none believed, no crash`,
	{ timeout: 20 * MINUTES },
	async () => {
		const part = fc.constantFrom(...(Object.keys(PARTS) as (keyof SignedParts)[]));
		const byte = fc.integer({ min: 0, max: 255 });
		const change = fc.tuple(part, fc.integer({ min: 0, max: 5 }), fc.nat(100_000), byte);
		const codes = new Map<string, number>();
		await fc.assert(
			fc.asyncProperty(change, async ([name, kind, at, value]) => {
				const bytes = changed(good[name], kind, at, value);
				if (bytes === undefined) return;
				const error: unknown = await verifyRelease({ ...good, [name]: bytes }, trust, crypto, T0).then(
					() => 'accepted',
					(reason: unknown) => reason
				);
				// A Refusal, not a TypeError from somewhere inside.
				expect(error).toBeInstanceOf(Refusal);
				codes.set(codeOf(error), (codes.get(codeOf(error)) ?? 0) + 1);
			}),
			{ numRuns: CHANGED }
		);
		// The changes reach past the first door: signatures, canonical form and hashes are all met.
		for (const code of ['malformed', 'bad-signature', 'mixed-release']) expect([...codes.keys()]).toContain(code);
		expect([...codes.keys()]).not.toContain('internal');
	}
);
