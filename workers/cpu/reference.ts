/**
 * The self-test: before an engine may say "ready" it repeats a recorded sequence, and every top logit must lie within REFERENCE_TOLERANCE.
 * It exists because a backend can be wrong in silence: ONNX Runtime's WebGPU attention was off by 2–33 % from the fifth position on,
 * and the text still looked right (findings/cpu-engine.md). It runs both shapes that answers use, prompt chunks and single
 * steps; the single steps are a real greedy generation and give the measured speed.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { SelfTest } from '#lib/ports/engine.ts';
import { draw, GREEDY, MAX_CANDIDATES, topCandidates } from '#lib/protocol/sampler.ts';
import { PROMPT_CHUNK } from './generate.ts';
import type { Model } from './model.ts';

/** Honest engines differ by up to 2.4e-5 (prefill against steps), fp16-rounded weights by 4e-4 at their very best position and 5e-3 usually. */
export const REFERENCE_TOLERANCE = 1e-3;
/** Positions checked by prompt chunks; at least 64, because the error above began only at sequences of 33. */
export const REFERENCE_PREFILLED = 2 * PROMPT_CHUNK;
/** Positions checked by single steps, and timed. */
export const REFERENCE_STEPS = 16;

/** The model's own greedy answer from some position before REFERENCE_PREFILLED on. */
export interface Reference {
	readonly tokens: readonly number[];
	/** For each position the largest logits, as [id, logit]. */
	readonly top: readonly (readonly (readonly [number, number])[])[];
}

/** What was proved, and the speed of the single steps. Refusals: `self-test-failed` when the engine computes something else. */
export async function checkReference(
	model: Model,
	reference: Reference,
	monotonic: () => number
): Promise<{ readonly tokensPerSecond: number; readonly selfTest: SelfTest }> {
	const { tokens, top } = reference;
	if (tokens.length !== REFERENCE_PREFILLED + REFERENCE_STEPS || top.length !== tokens.length) {
		throw new Refusal('engine-load-failed', 'reference of another length');
	}
	let past = model.empty;
	let worst = 0;
	let logits: Float32Array = new Float32Array(0);
	for (let at = 0; at < REFERENCE_PREFILLED; at += PROMPT_CHUNK) {
		const forward = await model.forward(tokens.slice(at, at + PROMPT_CHUNK), past);
		forward.rows.forEach((row, i) => (worst = Math.max(worst, compare(row, top[at + i] ?? [], at + i))));
		past = forward.past;
		logits = forward.rows.at(-1) ?? logits;
	}
	const started = monotonic();
	for (let at = REFERENCE_PREFILLED; at < tokens.length; at++) {
		const token = draw(topCandidates(logits, MAX_CANDIDATES), GREEDY, new Uint8Array(32), at);
		if (token !== tokens[at]) throw new Refusal('self-test-failed', `another token at position ${at}`);
		const forward = await model.forward([token], past);
		past = forward.past;
		logits = forward.rows[0] ?? logits;
		worst = Math.max(worst, compare(logits, top[at] ?? [], at));
	}
	return {
		tokensPerSecond: (REFERENCE_STEPS * 1000) / (monotonic() - started),
		selfTest: { kind: 'reference', positions: tokens.length, worst, tolerance: REFERENCE_TOLERANCE }
	};
}

/** The largest difference. Refusal `self-test-failed` when it is beyond tolerance. */
function compare(row: Float32Array, expected: readonly (readonly [number, number])[], position: number): number {
	const differences = expected.map(([id, logit]) => Math.abs((row[id] ?? Number.NaN) - logit));
	// Written so that NaN fails too.
	const close = differences.every((difference) => difference <= REFERENCE_TOLERANCE);
	if (!close || differences.length === 0) throw new Refusal('self-test-failed', `other logits at position ${position}`);
	return Math.max(...differences);
}

/** Refusal `engine-load-failed` for JSON of another form. */
export function parseReference(json: unknown): Reference {
	const file = json as Partial<Reference> | null;
	if (!Array.isArray(file?.tokens) || !Array.isArray(file.top)) throw new Refusal('engine-load-failed', 'reference');
	return file as Reference;
}
