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

function pace() {
	const shown: [at: number, text: string][] = [];
	const kept: [at: number, text: string][] = [];
	const began = Date.now();
	const note = (list: [number, string][]) => (running: Running) =>
		void list.push([Date.now() - began, running.message.text]);
	return { shown, kept, pace: new Pace({ now: Date.now, show: note(shown), keep: note(kept) }) };
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
