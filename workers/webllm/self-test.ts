/**
 * The self-test of a model without recorded logits: it must agree with itself. 64 positions run one by one; then the same tokens run as one
 * pass up to each of three cuts and one by one from there. A kernel that is wrong for some length, or a state that is not cleared, shows.
 * It does not show a model that is wrong in the same way everywhere; hashes are for that.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { SelfTest } from '#lib/ports/engine.ts';
import type { Candidate } from '#lib/protocol/sampler.ts';
import type { Passes } from './steps.ts';

export const SELF_TEST_POSITIONS = 64;
const CUTS: readonly number[] = [24, 40, 56];
/** 7e-6 was measured between passes and steps in f32 (one software adapter); real devices were not measured. */
export const TOLERANCE_F32 = 1e-2;
/** f16 keeps 11 bits: with logits up to 30, sums of many roundings. Not measured on real devices: wide enough not to refuse an honest one. */
export const TOLERANCE_F16 = 0.5;

/** Refusal `self-test-failed` when the model disagrees with itself. Also the speed of single steps, in tokens per second. */
export async function checkConsistency(
	passes: Passes,
	vocabularySize: number,
	tolerance: number,
	monotonic: () => number
): Promise<{ readonly selfTest: SelfTest; readonly tokensPerSecond: number }> {
	const tokens = noise(SELF_TEST_POSITIONS, vocabularySize);
	const look = async (ids: readonly number[]) => (await passes.run(ids, { kind: 'look' })).ranked;
	const alone: (readonly Candidate[])[] = [];
	await passes.clear();
	// The first step pays for what is made once.
	alone.push(await look(tokens.slice(0, 1)));
	const started = monotonic();
	for (const token of tokens.slice(1)) alone.push(await look([token]));
	const tokensPerSecond = ((SELF_TEST_POSITIONS - 1) * 1000) / Math.max(monotonic() - started, 1e-3);
	let worst = 0;
	let positions = 0;
	const compare = (ranked: readonly Candidate[], position: number) => {
		const difference = apart(ranked, alone[position] ?? []);
		positions++;
		worst = Math.max(worst, difference);
		// Written so that NaN fails too.
		if (!(difference <= tolerance)) throw new Refusal('self-test-failed', `other logits at position ${position}`);
	};
	for (const cut of CUTS) {
		await passes.clear();
		compare(await look(tokens.slice(0, cut)), cut - 1);
		for (let at = cut; at < SELF_TEST_POSITIONS; at++) compare(await look([tokens[at] as number]), at);
	}
	return { selfTest: { kind: 'consistency', positions, worst, tolerance }, tokensPerSecond };
}

/**
 * The largest difference of a logit that both rank; one that only one of them ranks differs by at least as much as it stands above the
 * other's last. Different lengths are as far apart as can be.
 */
export function apart(one: readonly Candidate[], two: readonly Candidate[]): number {
	if (one.length !== two.length || one.length === 0) return Number.POSITIVE_INFINITY;
	const half = (from: readonly Candidate[], to: readonly Candidate[]) => {
		const held = new Map(to.map(({ id, logit }) => [id, logit]));
		const last = (to.at(-1) as Candidate).logit;
		return from.map(({ id, logit }) => {
			const other = held.get(id);
			return other === undefined ? Math.max(0, logit - last) : Math.abs(logit - other);
		});
	};
	// NaN on either side comes out as NaN.
	return Math.max(...half(one, two), ...half(two, one));
}

/** The same tokens everywhere, without meaning: Park and Miller's generator. */
export function noise(count: number, vocabularySize: number): number[] {
	let state = 20_261_121;
	return Array.from({ length: count }, () => {
		state = (state * 48_271) % 2_147_483_647;
		return state % vocabularySize;
	});
}
