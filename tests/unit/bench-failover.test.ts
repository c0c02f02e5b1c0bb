/** What a lost executor cost, out of what the asking page noted; and the page over all losses. */
import { describe, expect, it } from 'vitest';
import { timesOf } from '../../bench/failover/chronicle.ts';
import type { Line } from '../../bench/failover/measure.ts';
import { reportFailover } from '../../bench/failover/report.ts';

const words = (...moments: number[]) => moments.map((at, position) => ({ at, position }));
const screen = (...moments: number[]) => moments.map((at, characters) => ({ at, characters }));
const said = (lines: Readonly<Record<string, number>>) =>
	Object.entries(lines).map(([line, at]) => ({ line: `fireweed ${line}`, at, facts: undefined }));

describe('the times of a loss', () => {
	it('are told apart: noticed, taken over, first new word, and the pause from the last word before, in hand and on the screen', () => {
		const chronicle = {
			words: words(900, 950, 1_000, 1_010, 3_000, 3_050, 9_000),
			screen: screen(900, 1_000, 1_300, 3_040, 3_200, 8_000),
			said: said({ 'executor-lost': 2_300, 'handed-over': 2_350 })
		};
		// A word that was under way when it was lost came after.
		expect(timesOf(chronicle, 1_005)).toEqual({
			...{ detection: 1_295, reassignment: 50, prefill: 650, pause: 1_990, seen: 1_740 }
		});
	});

	it('of a standby: nothing to reassign, and the pause is that between words', () => {
		const chronicle = {
			words: words(900, 1_000, 1_080, 1_400, 2_310, 2_330, 9_000),
			screen: screen(900, 1_000, 1_080, 1_400, 1_700, 2_310),
			said: said({ 'executor-lost': 2_300, 'handed-over': 2_300 })
		};
		expect(timesOf(chronicle, 1_005)).toEqual({
			detection: 1_295,
			reassignment: 0,
			prefill: 10,
			pause: 910,
			seen: 610
		});
	});

	it('of one that nobody replaced are missing, not nought', () => {
		const chronicle = { words: words(900, 1_000), screen: screen(900), said: said({ 'executor-lost': 500 }) };
		const missing = { detection: null, reassignment: null, prefill: null };
		expect(timesOf(chronicle, 950)).toEqual({ ...missing, pause: 100, seen: 0 });
	});
});

describe('the page of all losses', () => {
	const run = { method: 1, when: '2026-11-21T10:00:00.000Z', commit: 'c', load: 0.5, busy: false };
	const loss = (pause: number, change: object = {}): Line => ({
		...run,
		...{ what: 'loss', kill: 'killed', hedge: 0, at: 40, end: 'success', wrong: 0, standbys: 0 },
		...{ detection: 1_300, reassignment: 20, prefill: 500, pause },
		...change
	});
	const made = { cpu: 'x', cores: 2, memoryGiB: 1, system: 's', node: 'v', chromium: '1', commit: 'c', changed: [] };
	const page = (lines: readonly Line[]) => reportFailover(lines, made);

	it('shows the middle, the 95th percentile and the most', () => {
		const lines = Array.from({ length: 100 }, (_, i) => loss(i + 1));
		expect(page(lines)).toContain('50 / 95 / 100');
		expect(page(lines)).toContain('not yet a result');
		expect(page([...lines, ...lines])).not.toContain('not yet a result');
	});

	it('tells what a person sees only of those losses that it was measured of', () => {
		const text = page([loss(50), loss(60, { seen: 7 })]);
		expect(text).toContain('without a new word: 50 / 60 / 60; the pause a person sees: 7 / 7 / 7 (1 losses)');
	});

	it('says when a token was wrong, an answer did not end, or the machine was busy', () => {
		expect(page([loss(1)])).toContain('a replay of the seed: none');
		expect(page([loss(1), loss(1, { wrong: 2 })])).toContain('a replay of the seed: in 1 answers');
		expect(page([loss(1, { wrong: undefined })])).toContain('a replay of the seed: in 1 answers');
		expect(page([loss(1, { end: 'lost: peer-lost' })])).toContain('Not finished: 1');
		expect(page([loss(1, { busy: true })])).toContain('busy machine: **all**');
	});

	it('leaves out the times of a busy machine where there are others, and nothing else of them', () => {
		const text = page([loss(7), loss(555, { busy: true, wrong: 1 })]);
		expect(text).toContain('7 / 7 / 7');
		expect(text).not.toContain('555');
		expect(text).toContain('2 losses');
		expect(text).toContain('in 1 answers');
	});

	const quiet = (hesitations: readonly number[]) => ({
		...{ ...run, what: 'calm' as const, burners: 4 },
		...{ jobMinutes: 3_000, alarms: 0, unfinished: 0, hesitations }
	});

	it('tells how near the living came to it, and reckons the rate from an exponential tail', () => {
		expect(page([quiet([])])).toContain('40 %: 0, 50 %: 0, 60 %: 0, 80 %: 0, 100 %: 0.');
		// 600 of them over 3,000 minutes, a tenth over two fifths on average: 0.2 e^-6 a minute.
		const text = page([quiet(Array.from({ length: 300 }, () => [0.45, 0.55]).flat())]);
		expect(text).toContain('40 %: 600, 50 %: 300, 60 %: 0,');
		expect(text).toContain(`exponential, ${(0.2 * Math.exp(-6)).toPrecision(2)} a minute`);
	});

	it('bounds the rate of false alarms from above, also when there was none', () => {
		const calm = quiet([]);
		// The rule of three.
		expect(page([calm])).toContain('0 in 3000.0 job-minutes (95 %: at most 0.0010 a minute');
		expect(page([{ ...calm, alarms: 3 }])).toContain('3 in 3000.0 job-minutes (95 %: at most 0.0026 a minute');
	});
});
