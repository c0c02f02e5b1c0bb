/** Planted faults against the self-tests, a few of each kind; tests/full/self-test-power.e2e.ts has the many places and the rates. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Model } from '#workers/cpu/model.ts';
import { REFERENCE_TOLERANCE } from '#workers/cpu/reference.ts';
import { ortNode, pocketOnDisk, type PocketBytes } from '../doubles/ort-node.ts';
import {
	attentionWindow,
	flippedHighBit,
	halfPrecision,
	negatedBlock,
	ropeBase,
	sameRope,
	scaledNorm,
	seededChance,
	swappedLayers,
	type Plant
} from '../fixtures/self-test/faults.ts';
import { forgetful, interval, judge, openFile, power, weightFile } from '../fixtures/self-test/power.ts';

/** Loads the whole engine with such a weight file, whose hash the record has, as if it had been released so. */
async function loaded(plant: Plant) {
	const { record } = await pocketOnDisk('q4');
	const weights = plant(weightFile('q4'), seededChance(7));
	const sha256 = createHash('sha256').update(weights).digest('hex');
	const files = { ...record.files, weights: { sha256, bytes: weights.length } };
	const spoil = (bytes: PocketBytes) => (bytes.weights = weights);
	const engine = ortNode({ weights: 'q4', record: { ...record, files }, spoil });
	try {
		return (await engine.load(() => {}, new AbortController().signal)).selfTest;
	} catch (error) {
		return codeOf(error);
	} finally {
		await engine.unload();
	}
}

/** A load takes half a second; a machine that does other things may need ten. */
const PATIENCE_MS = 60_000;

describe('an engine does not become ready', { timeout: PATIENCE_MS }, () => {
	it.each([
		['rotary base 50,000', ropeBase(50_000)],
		['rotary base 10,001', ropeBase(10_001)],
		['half-precision weights', halfPrecision],
		['attention that sees 32 tokens', attentionWindow(32)],
		['two layers swapped', swappedLayers],
		['one norm times 1.001', scaledNorm(1.001)],
		['one block of 32 weights negated', negatedBlock('matrices')]
	])('with %s', async (_, plant) => expect(await loaded(plant)).toBe('self-test-failed'));

	it('and becomes ready with tables of positions that were made anew', async () => {
		const proved = await loaded(sameRope);
		expect(proved).toMatchObject({ kind: 'reference', positions: 96, tolerance: REFERENCE_TOLERANCE });
		// A quarter of the tolerance is what honest engines need.
		expect(typeof proved === 'object' && proved.worst).toBeLessThan(REFERENCE_TOLERANCE / 3);
	});
});

describe('at several places', { timeout: PATIENCE_MS }, () => {
	it('the reference sees every block tried, and every highest bit of a 4-bit weight', async () => {
		expect(await power('reference', 'q4', negatedBlock('matrices'), 6, 50)).toBe(6);
		expect(await power('reference', 'fp32', negatedBlock('matrices'), 3, 50)).toBe(3);
		expect(await power('reference', 'q4', flippedHighBit, 3, 50)).toBe(3);
	});

	it('an interval is Wilson’s', () => {
		expect(interval(120, 120)[0]).toBeCloseTo(0.969, 3);
		expect(interval(0, 120)[1]).toBeCloseTo(0.031, 3);
		expect(interval(5, 10)).toEqual([expect.closeTo(0.2366, 3), expect.closeTo(0.7634, 3)]);
	});
});

describe('a model that runs wrongly', { timeout: PATIENCE_MS }, () => {
	let right: Model;
	let rounded: Model;
	beforeAll(async () => {
		right = await openFile(weightFile('fp32'));
		rounded = await openFile(halfPrecision(weightFile('fp32'), seededChance(1)));
	}, PATIENCE_MS);
	afterAll(() => Promise.all([right.close(), rounded.close()]));

	/** Another model for passes that are wider than this. */
	const wide = (width: number): Model => ({
		...right,
		forward: (tokens, past) => (tokens.length > width ? rounded : right).forward(tokens, past)
	});
	/** Logits changed at positions from 32 on, when run in one pass: what attention past a tile does. */
	const pastTile = (): Model => ({
		...right,
		async forward(tokens, past) {
			const ran = await right.forward(tokens, past);
			const changed = (row: Float32Array, i: number) => (i < 32 ? row : row.map((logit) => logit * 1.02));
			return { ...ran, rows: ran.rows.map(changed) };
		}
	});

	it.each(['reference', 'consistency'] as const)('passes %s when it does not', async (test) => {
		expect(await judge(test, right, 'fp32')).toMatchObject({ caught: false, selfTest: { kind: test } });
	});
	it('is refused by both when its state is off by one', async () => {
		expect(await judge('reference', forgetful(right), 'fp32')).toEqual({ caught: true });
		expect(await judge('consistency', forgetful(right), 'fp32')).toEqual({ caught: true });
	});
	it('is refused by consistency when only its long passes are wrong, or rounded otherwise than its steps', async () => {
		expect(await judge('consistency', pastTile(), 'fp32')).toEqual({ caught: true });
		expect(await judge('consistency', wide(1), 'fp32')).toEqual({ caught: true });
	});
	it('is not seen by consistency when it is wrong in the same way everywhere: half precision', async () => {
		expect(await judge('reference', rounded, 'fp32')).toEqual({ caught: true });
		expect(await judge('consistency', rounded, 'fp32')).toMatchObject({ caught: false });
	});
	it('keeps its own failure when the library fails', async () => {
		const dead: Model = { ...right, forward: () => Promise.reject(new Refusal('out-of-memory')) };
		await expect(judge('consistency', dead, 'fp32')).rejects.toMatchObject({ code: 'out-of-memory' });
		await expect(judge('reference', dead, 'fp32')).rejects.toMatchObject({ code: 'out-of-memory' });
	});
});
