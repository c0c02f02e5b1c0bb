/** The reference of the pocket model: who made it, what form it has, and what it says of every engine that is right or wrong. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { POCKET } from '#lib/engine/pocket.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import {
	checkReference,
	parseReference,
	REFERENCE_PASSES,
	REFERENCE_POSITIONS,
	REFERENCE_STEPS,
	REFERENCE_TOLERANCE,
	summary,
	type Reference
} from '#workers/cpu/reference.ts';
import type { Model } from '#workers/cpu/model.ts';
import { codeIn } from '../compliance/engine.ts';
import { makeReference, readReference } from '../vectors/pocket-reference.make.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const json = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));
const reference = () => structuredClone(json(readReference('q4'))) as Reference;

describe('the reference', () => {
	// That of the other file is made again in tests/full/self-test-power.e2e.ts.
	it('that ships is what a second implementation of the model makes', () => {
		expect(sha256(makeReference('q4'))).toBe(sha256(readReference('q4')));
	}, 60_000);

	it('is over 64 positions at least, in whole passes, in passes of odd width and in steps, and takes little of the first load', () => {
		expect(POCKET.files.reference?.bytes).toBe(readReference('q4').length);
		expect(REFERENCE_POSITIONS).toBeGreaterThanOrEqual(64);
		expect(REFERENCE_PASSES.filter((width) => width === 32).length).toBeGreaterThanOrEqual(2);
		expect(REFERENCE_PASSES.some((width) => width > 1 && width < 32)).toBe(true);
		expect(REFERENCE_STEPS).toBe(16);
		expect(readReference('q4').length).toBeLessThan(20_000);
		expect(new Set(reference().tokens).size).toBe(REFERENCE_POSITIONS);
	});

	it('is refused in any other form, and never breaks what reads it', () => {
		const refused = (value: unknown) => {
			try {
				parseReference(value);
			} catch (error) {
				return codeOf(error) === 'engine-load-failed';
			}
			return false;
		};
		const good = reference();
		expect(parseReference(good)).toEqual(good);
		const bad: unknown[] = [
			{ ...good, version: 2 },
			{ ...good, more: 1 },
			{ ...good, tokens: good.tokens.slice(1) },
			{ ...good, tokens: good.tokens.with(5, -1) },
			{ ...good, tokens: good.tokens.with(5, 2 ** 31) },
			{ ...good, tokens: { length: REFERENCE_POSITIONS } },
			{ ...good, rows: good.rows.slice(1) },
			{ ...good, rows: good.rows.with(5, []) },
			{ ...good, rows: good.rows.with(5, [1, 2, 3, 4, 5, null] as number[]) },
			{ ...good, rows: good.rows.with(5, [1, 2, 3, 4, 5, Number.NaN]) }
		];
		for (const each of bad) expect(refused(each)).toBe(true);
		fc.assert(fc.property(fc.jsonValue(), refused));
		const field = fc.constantFrom('version', 'tokens', 'rows');
		fc.assert(fc.property(field, fc.jsonValue(), (name, value) => refused({ ...good, [name]: value })));
	});
});

describe('a row in six numbers', () => {
	const row = Float32Array.from({ length: 2048 }, (_, id) => Math.sin(id * id));

	it('changes with any single logit, at every position', () => {
		fc.assert(
			fc.property(fc.nat(2047), fc.nat(REFERENCE_POSITIONS - 1), fc.boolean(), (id, position, up) => {
				const other = row.with(id, (row[id] as number) + (up ? 0.05 : -0.05));
				const [before, after] = [summary(row, position), summary(other, position)];
				const most = Math.max(...before.map((value, i) => Math.abs(value - (after[i] as number))));
				expect(most).toBeGreaterThan(REFERENCE_TOLERANCE);
			})
		);
	});

	it('looks at other logits and other signs at every position', () => {
		const seen = Array.from({ length: REFERENCE_POSITIONS }, (_, position) => summary(row, position));
		for (let k = 0; k < 6; k++) expect(new Set(seen.map((numbers) => numbers[k])).size).toBeGreaterThan(90);
		const ones = new Float32Array(2048).fill(1);
		// As many signs up as down, within five deviations.
		for (let at = 0; at < REFERENCE_POSITIONS; at++) expect(Math.abs(summary(ones, at)[0] as number)).toBeLessThan(5);
	});
});

describe('an engine without rows', () => {
	const made = (change: (row: Float32Array) => Float32Array | undefined): Pick<Model, 'empty' | 'forward'> => ({
		empty: { length: 0, tensors: {} },
		forward: async (tokens, past) => ({
			rows: tokens.flatMap(() => change(new Float32Array(2048)) ?? []),
			past: { length: past.length + tokens.length, tensors: {} }
		})
	});
	const check = (model: Pick<Model, 'empty' | 'forward'>) => codeIn(() => checkReference(model, reference(), () => 0));

	it.each([
		['rows of noughts', (row: Float32Array) => row],
		['rows that are no numbers', (row: Float32Array) => row.fill(Number.NaN)],
		['rows without an end', (row: Float32Array) => row.fill(Number.POSITIVE_INFINITY)],
		['no rows', () => undefined],
		['empty rows', () => new Float32Array(0)]
	])('%s', async (_, change) => {
		expect(await check(made(change))).toBe('self-test-failed');
	});
});
