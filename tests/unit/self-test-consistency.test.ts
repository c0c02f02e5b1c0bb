/** What agreeing with itself means, on toy models whose faults are plain. */
import { describe, expect, it } from 'vitest';
import {
	checkConsistency,
	CONSISTENCY_CUTS,
	CONSISTENCY_POSITIONS,
	noise,
	type ConsistencyInit,
	type Runner
} from '#workers/cpu/consistency.ts';
import { codeIn } from '../compliance/engine.ts';

const VOCABULARY = 100;
type Past = readonly number[];

const init = (change: Partial<ConsistencyInit> = {}): ConsistencyInit => ({
	vocabularySize: VOCABULARY,
	stopTokens: [3, 0],
	tolerance: 1e-3,
	monotonic: () => 0,
	...change
});

/** Logits of what stands before: any function of it will do. */
const logits = (before: readonly number[]) => {
	const sum = before.reduce((whole, token, i) => (whole + (i + 1) * token) % 9973, 1);
	return Float32Array.from({ length: VOCABULARY }, (_, id) => 3 * Math.sin(sum * (id + 1)));
};
/** A model whose state is the tokens it has seen; `see` is what it makes of them at a position, knowing how wide the pass was. */
const toy = (see: (before: readonly number[], width: number, at: number) => Float32Array): Runner<Past> => ({
	empty: [],
	forward: async (tokens, past) => {
		const all = [...past, ...tokens];
		const rows = tokens.map((_, i) => see(all.slice(0, past.length + i + 1), tokens.length, i));
		return { rows, past: all };
	}
});
const code = (runner: Runner<Past>, change?: Partial<ConsistencyInit>) =>
	codeIn(() => checkConsistency(runner, init(change)));

describe('the sequence', () => {
	it('is 64 positions or more, cut at three places, whole', () => {
		expect(CONSISTENCY_POSITIONS).toBeGreaterThanOrEqual(64);
		expect(CONSISTENCY_CUTS).toHaveLength(3);
		for (const cut of CONSISTENCY_CUTS) expect(cut.reduce((sum, width) => sum + width)).toBe(CONSISTENCY_POSITIONS);
	});
	it('has no stop token, nothing beyond the vocabulary, and is the same every time', () => {
		const tokens = noise(500, 10, [3, 0]);
		expect(new Set(tokens)).toEqual(new Set([1, 2, 4, 5, 6, 7, 8, 9]));
		expect(noise(500, 10, [3, 0])).toEqual(tokens);
	});
	it('is refused where there are no tokens to make it of', async () => {
		expect(await code(toy(logits), { vocabularySize: 2 })).toBe('self-test-failed');
		expect(await code(toy(logits), { vocabularySize: 3, stopTokens: [0, 1, 2] })).toBe('self-test-failed');
	});
});

describe('a model that', () => {
	it('is sound passes, with its speed and what was proved', async () => {
		let now = 0;
		const timed = toy((before) => ((now += 10), logits(before)));
		const proved = await checkConsistency(timed, init({ monotonic: () => now }));
		expect(proved).toEqual({
			tokensPerSecond: 100,
			selfTest: { kind: 'consistency', positions: CONSISTENCY_POSITIONS, worst: 0, tolerance: 1e-3 }
		});
	});
	it('gives the logits of its last token only passes too', async () => {
		const whole = toy(logits);
		const last: Runner<Past> = {
			...whole,
			async forward(tokens, past) {
				const ran = await whole.forward(tokens, past);
				return { ...ran, rows: ran.rows.slice(-1) };
			}
		};
		expect(await checkConsistency(last, init())).toMatchObject({ selfTest: { worst: 0 } });
		const wrong = toy((before, width) => (width > 1 ? logits([...before, 1]) : logits(before)));
		const lastOfWrong: Runner<Past> = {
			...wrong,
			async forward(tokens, past) {
				const ran = await wrong.forward(tokens, past);
				return { ...ran, rows: ran.rows.slice(-1) };
			}
		};
		expect(await code(lastOfWrong)).toBe('self-test-failed');
	});
	it('writes every pass where it wrote the one before passes too', async () => {
		const place = new Float32Array(VOCABULARY * CONSISTENCY_POSITIONS);
		const whole = toy(logits);
		const reusing: Runner<Past> = {
			...whole,
			async forward(tokens, past) {
				const ran = await whole.forward(tokens, past);
				ran.rows.forEach((row, i) => place.set(row, i * VOCABULARY));
				return { ...ran, rows: ran.rows.map((_, i) => place.subarray(i * VOCABULARY, (i + 1) * VOCABULARY)) };
			}
		};
		expect(await checkConsistency(reusing, init())).toMatchObject({ selfTest: { worst: 0 } });
	});
	it.each<[string, Runner<Past>]>([
		['is wrong past 32 tokens of a pass', toy((all, _, at) => logits(at < 32 ? all : [...all, 1]))],
		['is wrong in steps', toy((all, width) => logits(width === 1 ? [...all, 1] : all))],
		['is wrong after a state', toy((all, _, at) => logits(all.length > at + 1 ? all.slice(1) : all))],
		[
			'drops the newest of its state',
			{ ...toy(logits), forward: (tokens, past) => toy(logits).forward(tokens, past.slice(0, -1)) }
		],
		['knows nothing but the last token', toy((all) => logits(all.slice(-1)))],
		['says the same everywhere', toy(() => logits([5]))],
		['likes all tokens alike', toy(() => new Float32Array(VOCABULARY).fill(2))],
		['is certain of everything', toy((all) => logits(all).map((logit) => logit * 1e6))],
		['gives no numbers', toy((all) => logits(all).fill(Number.NaN, 7, 8))],
		['gives one number without end', toy((all) => logits(all).fill(Number.POSITIVE_INFINITY, 7, 8))],
		['gives almost nothing', toy((all) => logits(all).fill(Number.NEGATIVE_INFINITY, 10))],
		['gives no rows', { ...toy(logits), forward: async () => ({ rows: [], past: [] }) }],
		['gives rows of changing length', toy((all, width) => logits(all).slice(0, width > 1 ? 90 : 100))]
	])('%s is refused', async (_, runner) => {
		expect(await code(runner)).toBe('self-test-failed');
	});
	it('keeps one token from being drawn passes', async () => {
		const masked = toy((all) => logits(all).fill(Number.NEGATIVE_INFINITY, 7, 8));
		expect(await checkConsistency(masked, init())).toMatchObject({ selfTest: { worst: 0 } });
	});
	it('is slow lets the event loop turn before every pass, and stops when told', async () => {
		let turns = 0;
		const signal = { aborted: false };
		let passes = 0;
		const counted = toy(logits);
		const runner: Runner<Past> = { ...counted, forward: (tokens, past) => (passes++, counted.forward(tokens, past)) };
		await checkConsistency(runner, init({ breathe: async () => void turns++ }));
		expect(turns).toBe(passes);
		const breathe = async () => void (signal.aborted = true);
		expect(await code(runner, { breathe, signal })).toBe('aborted');
	});
});
