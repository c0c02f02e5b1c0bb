/**
 * Makes the references of the pocket model's self-test with a second implementation of the model in double precision: models/pocket/self_test.json,
 * which ships with the app, and tests/vectors/pocket-reference-fp32.json for the other weight file.
 * `node tests/vectors/pocket-reference.make.ts` writes both; then put hash and length of the first into src/lib/engine/pocket.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { REFERENCE_POSITIONS, summary, type Reference } from '#workers/cpu/reference.ts';
import { exactLogits } from '../fixtures/self-test/exact.ts';
import { seededChance } from '../fixtures/self-test/faults.ts';

const VOCABULARY = 2048;
/** Role, end and text tokens come first in the vocabulary; the rest are what texts are made of. */
const SPECIAL_TOKENS = 4;
/** Digits after the point: rounding adds 5e-7, a fiftieth of what honest engines differ by. */
const DIGITS = 6;
const SEED = 20_261_121;

export type Weights = 'q4' | 'fp32';

export const REFERENCE_FILES: Readonly<Record<Weights, URL>> = {
	q4: new URL('../../models/pocket/self_test.json', import.meta.url),
	fp32: new URL('pocket-reference-fp32.json', import.meta.url)
};

/** The reference of one of the two weight files, as it was made. */
export function readReference(weights: Weights): Uint8Array<ArrayBuffer> {
	return new Uint8Array(readFileSync(REFERENCE_FILES[weights]));
}

/** The same again; takes some seconds, and gives the same bytes on every machine. */
export function makeReference(weights: Weights): Uint8Array<ArrayBuffer> {
	const file = readFileSync(new URL(`../../models/pocket/model_${weights}.onnx`, import.meta.url));
	const tokens = noise(REFERENCE_POSITIONS);
	const rows = exactLogits(file, tokens).map((row, position) =>
		summary(row, position).map((value) => Number(value.toFixed(DIGITS)))
	);
	const reference: Reference = { version: 1, tokens, rows };
	return new TextEncoder().encode(`${JSON.stringify(reference)}\n`);
}

/** Tokens drawn without putting any back. */
function noise(count: number): number[] {
	const chance = seededChance(SEED);
	const left = Array.from({ length: VOCABULARY - SPECIAL_TOKENS }, (_, i) => i + SPECIAL_TOKENS);
	return Array.from({ length: count }, () => left.splice(chance(left.length), 1)[0] as number);
}

if (import.meta.main) {
	for (const weights of ['q4', 'fp32'] as const) {
		const bytes = makeReference(weights);
		writeFileSync(REFERENCE_FILES[weights], bytes);
		const hash = createHash('sha256').update(bytes).digest('hex');
		process.stdout.write(`${weights} ${hash} ${bytes.length}\n`);
	}
}
