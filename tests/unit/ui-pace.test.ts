/** How often a running answer is shown and written down. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { emptyAnswer, type AnswerMessage, type Running } from '#lib/ui/chat/answering.ts';
import { Pace } from '#lib/ui/chat/pace.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const message = (text: string): AnswerMessage => ({
	...{ id: 'm', conversation: 'c', createdAt: 0, role: 'assistant', text, order: 1, answer: emptyAnswer('device') }
});
const state = (text: string, kind: 'starting' | 'stopping' = 'starting'): Running => ({
	message: message(text),
	phase: { kind },
	droppedTurns: 0
});

function pace(evenly = false) {
	const shown: [at: number, text: string][] = [];
	const kept: [at: number, text: string][] = [];
	const began = Date.now();
	const note = (list: [number, string][]) => (running: Running) =>
		void list.push([Date.now() - began, running.message.text]);
	return { shown, kept, pace: new Pace<Running>({ now: Date.now, evenly, show: note(shown), keep: note(kept) }) };
}

test('the first state is shown and kept at once; then a batch every 40 ms, written down once a second', async () => {
	const { shown, kept, pace: one } = pace();
	for (let i = 0; i <= 2_000; i += 10) {
		one.hear(state(String(i)));
		await vi.advanceTimersByTimeAsync(10);
	}
	expect(shown.slice(0, 4)).toEqual([
		[0, '0'],
		[40, '40'],
		[80, '80'],
		[120, '120']
	]);
	expect(kept).toEqual([
		[0, '0'],
		[1_000, '1000'],
		[2_000, '2000']
	]);
});

test('the last words before a pause come by themselves; another phase does not wait', async () => {
	const { shown, pace: one } = pace();
	one.hear(state('a'));
	one.hear(state('a b'));
	await vi.advanceTimersByTimeAsync(10);
	one.hear(state('a b c'));
	await vi.advanceTimersByTimeAsync(100);
	one.hear(state('a b c d'));
	one.hear(state('a b c d', 'stopping'));
	expect(shown).toEqual([
		[0, 'a'],
		[40, 'a b c'],
		[110, 'a b c d'],
		[110, 'a b c d']
	]);
});

test('after the end nothing is shown any more', async () => {
	const { shown, pace: one } = pace();
	one.hear(state('a'));
	one.hear(state('a b'));
	one.end();
	await vi.advanceTimersByTimeAsync(100);
	expect(shown).toEqual([[0, 'a']]);
});

test('evenly: a burst is spread until the next comes, a pause is not seen, and what is kept is all that came', async () => {
	const { shown, kept, pace: one } = pace(true);
	const burst = (words: number) => 'word '.repeat(words);
	// Twenty words in each burst, and one that is late by a quarter of a second.
	for (const [words, ms] of [
		[20, 300],
		[40, 300],
		[60, 450],
		[80, 400]
	] as const) {
		one.hear(state(burst(words)));
		await vi.advanceTimersByTimeAsync(ms);
	}
	const lengths = shown.map(([, text]) => text.length);
	expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
	expect(lengths[0], 'the first words wait for nothing').toBe(100);
	expect(lengths.at(-1), 'and the last come by themselves').toBe(400);
	const grew = shown.filter(([, { length }], at) => length > (lengths[at - 1] ?? 0)).map(([at]) => at);
	const pauses = grew.slice(2).map((at, which) => at - (grew[which + 1] ?? 0));
	// 450 ms without a word, of which 350 are filled.
	expect(Math.max(...pauses)).toBeLessThanOrEqual(160);
	expect(Math.max(...shown.slice(1).map(([, { length }], at) => length - (lengths[at] ?? 0)))).toBeLessThan(50);
	expect(kept.at(-1)?.[1]).toBe(burst(80));
});

test('evenly: no character is cut in two, a text that became another stands at once, and a clock set back hides nothing', async () => {
	const { shown, pace: one } = pace(true);
	one.hear(state('🌸'));
	one.hear(state('🌸'.repeat(40)));
	await vi.advanceTimersByTimeAsync(400);
	expect(shown.length).toBeGreaterThan(5);
	expect(shown.filter(([, text]) => !text.isWellFormed())).toEqual([]);
	one.hear(state('short', 'stopping'));
	expect(shown.at(-1)?.[1]).toBe('short');
	one.hear(state('short and long'));
	vi.setSystemTime(Date.now() - 3_600_000);
	one.hear(state('short and long', 'stopping'));
	expect(shown.at(-1)?.[1]).toBe('short and long');
});
