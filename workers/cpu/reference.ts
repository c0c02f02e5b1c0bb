/**
 * The self-test of a model that was released with a reference: before an engine may say "ready" it runs the reference's tokens and must meet
 * its numbers within REFERENCE_TOLERANCE. It exists because a backend can be wrong in silence: ONNX Runtime's WebGPU attention was off by
 * 2 to 33 % from the fifth position on, and the text still looked right. docs/spec/self-test.md says what it catches, and what it cannot.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { SelfTest } from '#lib/ports/engine.ts';
import { PROMPT_CHUNK } from './generate.ts';
import type { Model } from './model.ts';

/**
 * The largest difference that passes. Measured on the pocket model, over every logit of 96 positions: honest engines differ from exact
 * arithmetic by up to 2.7e-5; half-precision weights by 9e-3, a rotary base of 10,001 instead of 10,000 by 6e-4. Real graphics cards were not measured.
 */
export const REFERENCE_TOLERANCE = 1e-4;
/** The widths in which a prompt is run: whole passes, and two that are not, since libraries choose kernels by width. */
export const REFERENCE_PASSES: readonly number[] = [PROMPT_CHUNK, PROMPT_CHUNK, 13, 3];
/** Positions run by single steps, and timed: another kernel again. */
export const REFERENCE_STEPS = 16;
/** 96; at least 64, and past the 32 from which on the attention named above was wrong. */
export const REFERENCE_POSITIONS = REFERENCE_PASSES.reduce((sum, width) => sum + width, REFERENCE_STEPS);

/** Numbers kept of a position: sums over all logits with signs drawn by lot, and single logits drawn by lot. */
const SUMS = 2;
const SINGLES = 4;
const NUMBERS = SUMS + SINGLES;
/** Ids beyond are no token of any model. */
const MOST_TOKENS = 2 ** 31;

/** As released: JSON with these fields and no more. */
export interface Reference {
	readonly version: 1;
	/** Drawn by lot, no token twice: noise excites what a text learnt by heart leaves at rest. */
	readonly tokens: readonly number[];
	/** `summary` of the exact logits at each position. */
	readonly rows: readonly (readonly number[])[];
}

/** What was proved, and the speed of the single steps. Refusal `self-test-failed` when the engine computes something else. */
export async function checkReference(
	model: Pick<Model, 'empty' | 'forward'>,
	{ tokens, rows }: Reference,
	monotonic: () => number,
	breathe: () => Promise<void> = async () => {}
): Promise<{ readonly tokensPerSecond: number; readonly selfTest: SelfTest }> {
	let past = model.empty;
	let at = 0;
	let worst = 0;
	const pass = async (width: number) => {
		await breathe();
		const from = at;
		at += width;
		const forward = await model.forward(tokens.slice(from, at), past);
		if (forward.rows.length !== width) throw new Refusal('self-test-failed', 'rows are missing');
		past = forward.past;
		return forward.rows.map((row, i) => [row, from + i] as const);
	};
	const compare = ([row, position]: readonly [Float32Array, number]) => {
		const difference = apart(summary(row, position), rows[position] ?? []);
		// Written so that NaN fails too.
		if (!(difference <= REFERENCE_TOLERANCE))
			throw new Refusal('self-test-failed', `other logits at position ${position}`);
		worst = Math.max(worst, difference);
	};
	for (const width of REFERENCE_PASSES) (await pass(width)).forEach(compare);
	const steps: (readonly [Float32Array, number])[] = [];
	const started = monotonic();
	for (let step = 0; step < REFERENCE_STEPS; step++) steps.push(...(await pass(1)));
	const ms = Math.max(monotonic() - started, 1);
	steps.forEach(compare);
	return {
		tokensPerSecond: (REFERENCE_STEPS * 1000) / ms,
		selfTest: { kind: 'reference', positions: tokens.length, worst, tolerance: REFERENCE_TOLERANCE }
	};
}

/**
 * What a reference keeps of one row of logits. First sums over all of them with signs drawn by lot, divided by the root of their number, so that
 * rounding shows in a sum as much as in a logit; no single row of the vocabulary can be wrong without changing them. Then some logits by themselves, which
 * a small fault everywhere changes more.
 */
export function summary(row: Float32Array | Float64Array, position: number): number[] {
	const sums = new Array<number>(SUMS).fill(0);
	row.forEach((logit, id) => {
		const bits = lot(position, id);
		for (let k = 0; k < SUMS; k++) sums[k] = (sums[k] as number) + ((bits >>> k) & 1 ? logit : -logit);
	});
	const root = Math.sqrt(row.length);
	const singles = Array.from({ length: SINGLES }, (_, k) => row[lot(position, MOST_TOKENS - 1 - k) % row.length] ?? 0);
	return [...sums.map((sum) => sum / root), ...singles];
}

/** 32 bits that look drawn and are the same everywhere: two rounds of multiply and shift over both numbers. */
function lot(position: number, id: number): number {
	let bits = Math.imul(position + 1, 0x9e3779b1) ^ Math.imul(id + 1, 0x85ebca6b);
	bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
	bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
	return (bits ^ (bits >>> 16)) >>> 0;
}

/** The largest difference; NaN or ∞ when anything is missing or not a number. */
function apart(found: readonly number[], expected: readonly number[]): number {
	return found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? Number.NaN))), 0);
}

/** Refusal `engine-load-failed` for JSON of another form. */
export function parseReference(json: unknown): Reference {
	const file = json as Partial<Reference> | null;
	const token = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < MOST_TOKENS;
	const list = (value: unknown, length: number, fits: (each: unknown) => boolean) =>
		Array.isArray(value) && value.length === length && value.every(fits);
	const row = (value: unknown) => list(value, NUMBERS, Number.isFinite);
	const fits =
		typeof file === 'object' &&
		file?.version === 1 &&
		Object.keys(file).length === 3 &&
		list(file.tokens, REFERENCE_POSITIONS, token) &&
		list(file.rows, REFERENCE_POSITIONS, row);
	if (!fits) throw new Refusal('engine-load-failed', 'reference of another form');
	return file as Reference;
}
