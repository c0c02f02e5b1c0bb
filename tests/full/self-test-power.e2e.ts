/**
 * The power of the self-tests: faults planted at many places of both weight files, each as if it had been released so. Prints the table of
 * docs/spec/self-test.md. FIREWEED_POWER_PLACES shortens it while writing it; the rates asserted are for the full number.
 */
import { expect, test } from 'playwright/test';
import {
	attentionWindow,
	flippedBit,
	flippedHighBit,
	halfPrecision,
	negatedBlock,
	ropeBase,
	sameRope,
	scaledNorm,
	swappedLayers,
	type Plant
} from '../fixtures/self-test/faults.ts';
import { interval, power, type Test } from '../fixtures/self-test/power.ts';
import { makeReference, readReference, type Weights } from '../vectors/pocket-reference.make.ts';

const PLACES = Number(process.env.FIREWEED_POWER_PLACES ?? 120);
const SEED = 1000;
const FILES: readonly Weights[] = ['q4', 'fp32'];

interface Row {
	readonly name: string;
	readonly plant: Plant;
	/** Places drawn: PLACES, or as many as there are. */
	readonly places: number;
	/** The least share that the reference must catch, in each file. */
	readonly least: Readonly<Record<Weights, number>>;
	/** Whether agreeing with itself is tried too. It sees none of these: every way to run them is wrong alike. */
	readonly consistency?: true;
}

const both = (share: number) => ({ q4: share, fp32: share });

const ROWS: readonly Row[] = [
	{ name: 'nothing (tables of positions made anew)', plant: sameRope, places: 1, least: both(0), consistency: true },
	{ name: 'rotary base 50,000', plant: ropeBase(50_000), places: 1, least: both(1), consistency: true },
	{ name: 'rotary base 10,001', plant: ropeBase(10_001), places: 1, least: both(1), consistency: true },
	{ name: 'half-precision weights', plant: halfPrecision, places: 1, least: both(1), consistency: true },
	{ name: 'attention sees 32 tokens', plant: attentionWindow(32), places: 1, least: both(1), consistency: true },
	{ name: 'two layers swapped', plant: swappedLayers, places: 5, least: both(1) },
	{ name: 'one norm times 1.001', plant: scaledNorm(1.001), places: 13, least: both(1) },
	{ name: 'one block of 32 negated, in a matrix', plant: negatedBlock('matrices'), places: PLACES, least: both(0.97) },
	// The 4-bit file's table of inputs is another than that of its outputs: only rows of tokens that the test runs can be seen.
	{
		name: 'one block negated, in the table',
		plant: negatedBlock('table'),
		places: PLACES,
		least: { q4: 0, fp32: 0.97 }
	},
	{
		name: 'highest bit of one weight, in a matrix',
		plant: flippedHighBit,
		places: PLACES,
		least: { q4: 0.97, fp32: 0.93 }
	},
	{ name: 'any one bit, in a matrix', plant: flippedBit, places: PLACES, least: { q4: 0.97, fp32: 0.3 } }
];

const percent = (share: number) => `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;

function cells(test: Test, weights: Weights, caught: number, places: number): string {
	const [low, high] = interval(caught, places);
	const range = places > 1 ? ` (${percent(low)} to ${percent(high)})` : '';
	return `${test} ${weights}: ${caught} of ${places}${range}`;
}

for (const weights of FILES) {
	test(`the reference of the ${weights} file is what a second implementation makes`, () => {
		test.setTimeout(120_000);
		expect(Buffer.from(makeReference(weights)).equals(readReference(weights))).toBe(true);
	});
}

for (const { name, plant, places, least, consistency } of ROWS) {
	test(`power: ${name}`, async () => {
		test.setTimeout(30 * 60_000);
		for (const weights of FILES) {
			const caught = await power('reference', weights, plant, places, SEED);
			console.log(`${name} | ${cells('reference', weights, caught, places)}`);
			expect(caught / places).toBeGreaterThanOrEqual(least[weights]);
			if (name.startsWith('nothing')) expect(caught).toBe(0);
			if (consistency === undefined) continue;
			const seen = await power('consistency', weights, plant, places, SEED);
			console.log(`${name} | ${cells('consistency', weights, seen, places)}`);
			// Held, so that nobody takes an unchecked engine for a checked one.
			expect(seen).toBe(0);
		}
	});
}
