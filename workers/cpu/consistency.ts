/**
 * The self-test of a model without a reference: it must agree with itself. Single steps over a fixed sequence are what answers are made of; three other
 * ways to run the same sequence must give the same logits, and the logits must be such as a language model has.
 *
 * What is wrong in the same way however it is run is NOT seen: another model, a wrong weight, a wrong rotary base, half precision everywhere. Hashes
 * are for the first two; for the rest such an engine is shown as "unchecked". docs/spec/self-test.md has what it catches.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import type { SelfTest } from '#lib/ports/engine.ts';
import type { Precision } from '../messages.ts';

/**
 * 72: past 64, where kernels that work in tiles of 32 or 64 begin another, and no longer, because every position costs a step and a model of
 * this kind may make three in a second.
 */
export const CONSISTENCY_POSITIONS = 72;
/** Passes over the sequence: all in one, one cut off every border of a tile, and the widths of a prompt. */
export const CONSISTENCY_CUTS: readonly (readonly number[])[] = [[72], [17, 55], [32, 32, 8]];
/**
 * The largest difference of a logit that passes, by how a model's numbers are kept. Measured on variants of the pocket model: 2.4e-5 for float32 and
 * 4-bit weights, 1.6e-2 for keys, values and logits in half precision, 0.98 (4.4 on an earlier model) for activations quantised on the fly. No model of
 * hundreds of millions of weights was measured, so the margin is wide; the faults this is for move logits by 0.1 to 10.
 */
export const CONSISTENCY_TOLERANCE: Readonly<Record<Precision, number>> = {
	fp32: 1e-2,
	q4: 1e-2,
	q8: 1e-2,
	fp16: 0.1,
	unknown: 0.1,
	int8: 6
};
/** Tokens that a run leaves out, to see whether that changes anything, and the least that some logit must change by; 2 to 12 on the pocket model. */
const FORGOTTEN = 40;
const LEAST_CHANGE = 0.05;

/** What computes, as far as this test uses it. `past` is never written to: an older state may be gone back to. */
export interface Runner<Past> {
	readonly empty: Past;
	/** `rows` are the logits of the last tokens that went in, one row at least; a library that gives only the last is enough. */
	forward(
		tokens: readonly number[],
		past: Past
	): Promise<{ readonly rows: readonly Float32Array[]; readonly past: Past }>;
}

export interface ConsistencyInit {
	/** Ids of the model's vocabulary are below. */
	readonly vocabularySize: number;
	/** Left out of the sequence: some libraries end a run at them. */
	readonly stopTokens: readonly number[];
	/** The largest difference of a logit that passes; CONSISTENCY_TOLERANCE has those that were measured. */
	readonly tolerance: number;
	/** Milliseconds that never go back. */
	monotonic(): number;
	/** Lets the event loop turn between passes: a slow model takes longer for all of them than a page waits for a sign of life. */
	breathe?(): Promise<void>;
	readonly signal?: { readonly aborted: boolean };
}

/** What was proved, and the speed of the single steps. Refusals: `self-test-failed`, `aborted`, and those of `forward`. */
export async function checkConsistency<Past>(
	runner: Runner<Past>,
	{ vocabularySize, stopTokens, tolerance, monotonic, breathe, signal }: ConsistencyInit
): Promise<{ readonly tokensPerSecond: number; readonly selfTest: SelfTest }> {
	const tokens = noise(CONSISTENCY_POSITIONS, vocabularySize, stopTokens);
	const run = async (widths: readonly number[], from = 0): Promise<Rows> => {
		const rows = new Map<number, Float32Array>();
		let [past, at] = [runner.empty, from];
		for (const width of widths) {
			await breathe?.();
			if (signal?.aborted) throw new Refusal('aborted');
			const ran = await runner.forward(tokens.slice(at, at + width), past);
			[past, at] = [ran.past, at + width];
			if (ran.rows.length === 0 || ran.rows.length > width) throw failed('another number of rows');
			// Copied: a library may write the next pass where it wrote this one.
			ran.rows.forEach((row, i) => rows.set(at - ran.rows.length + i, row.slice()));
		}
		for (const [position, row] of rows) requireNumbers(row, position);
		return rows;
	};
	let worst = 0;
	const compare = (rows: Rows, others: Rows) => {
		for (const [position, row] of rows) {
			const other = others.get(position);
			if (other === undefined) continue;
			const difference = apart(row, other);
			if (!(difference <= tolerance)) throw failed(`other logits at position ${position}`);
			worst = Math.max(worst, difference);
		}
	};
	// Passes first and against each other: most that is wrong shows here, long before a slow model has made its steps.
	const passes: Rows[] = [];
	for (const widths of CONSISTENCY_CUTS) {
		const rows = await run(widths);
		for (const others of passes) compare(rows, others);
		passes.push(rows);
	}
	// The first step pays for what is made once.
	await run([1]);
	const started = monotonic();
	const alone = await run(new Array<number>(tokens.length).fill(1));
	const tokensPerSecond = (tokens.length * 1000) / Math.max(monotonic() - started, 1);
	requireSense(alone, vocabularySize);
	for (const rows of passes) compare(rows, alone);
	// A model that looks at nothing but the last token, or not at its state, agrees with itself too.
	const forgetful = await run([tokens.length - FORGOTTEN], FORGOTTEN);
	const changes = [...forgetful].map(([position, row]) => apart(row, alone.get(position) as Float32Array));
	// More than another way to run it does: that alone moves logits where activations are quantised by the pass.
	const least = Math.max(LEAST_CHANGE, 2 * worst);
	if (!changes.some((change) => change > least)) throw failed('the context changes nothing');
	return { tokensPerSecond, selfTest: { kind: 'consistency', positions: tokens.length, worst, tolerance } };
}

/** By position; positions that gave none are missing. */
type Rows = ReadonlyMap<number, Float32Array>;

function failed(what: string): Refusal {
	return new Refusal('self-test-failed', what);
}

/** The largest difference of a logit that is among the 20 largest of either row. */
function apart(one: Float32Array, other: Float32Array): number {
	if (one.length !== other.length) return Number.POSITIVE_INFINITY;
	const ids = [one, other].flatMap((row) => topCandidates(row, MAX_CANDIDATES).map(({ id }) => id));
	return ids.reduce((most, id) => Math.max(most, Math.abs((one[id] as number) - (other[id] as number))), 0);
}

/** No NaN anywhere, nothing infinite among what can be drawn; −∞ is how some models keep a token from being drawn. */
function requireNumbers(row: Float32Array, position: number): void {
	const sound = row.every((logit) => logit < Number.POSITIVE_INFINITY);
	const drawable = row.reduce((count, logit) => count + (Number.isFinite(logit) ? 1 : 0), 0);
	if (!sound || drawable < MAX_CANDIDATES) throw failed(`no numbers at position ${position}`);
}

/** An answer is drawn from something between one certain token and no preference at all. */
const LEAST_ENTROPY = 1e-3;
const MOST_ENTROPY_SHARE = 0.99;

/** Rows of a language model: they prefer some tokens, not always the same one with certainty. */
function requireSense(rows: Rows, vocabularySize: number): void {
	const found = [...rows.values()].map(entropy);
	const mean = found.reduce((sum, each) => sum + each, 0) / found.length;
	if (!(mean > LEAST_ENTROPY)) throw failed('certain of every next token of noise');
	if (!(mean < MOST_ENTROPY_SHARE * Math.log(vocabularySize))) throw failed('every token is as likely');
}

/** Of the next token, in nats. */
function entropy(row: Float32Array): number {
	const top = row.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
	let [whole, weighed] = [0, 0];
	for (const logit of row) {
		const share = Math.exp(logit - top);
		whole += share;
		if (share > 0) weighed += share * (logit - top);
	}
	return Math.log(whole) - weighed / whole;
}

/**
 * Tokens drawn by lot, the same for every model of one vocabulary. Noise rather than an answer: an answer soon repeats itself, and then a wrong
 * attention finds the right words all the same.
 */
export function noise(count: number, vocabularySize: number, without: readonly number[]): number[] {
	if (vocabularySize - without.length < 1) throw failed('no tokens');
	const found: number[] = [];
	// Park and Miller's generator.
	let state = 20_261_121;
	while (found.length < count) {
		state = (state * 48_271) % 2_147_483_647;
		const token = state % vocabularySize;
		if (!without.includes(token)) found.push(token);
	}
	return found;
}
