/** The desk where jobs wait for the engine: who has it, who waits how long, who is told to come back and when. */
import { describe, expect, it } from 'vitest';
import { MAX_WAIT_MS } from '#lib/market/queue.ts';
import { opened, TAKES_MS } from '../doubles/opened-desk.ts';

describe('a place', () => {
	it('is the engine’s at once where nobody has it, and the next in line’s afterwards', async () => {
		const { clock, desk, enter } = opened();
		const [a, b, c] = [enter('a'), enter('b'), enter('c')];
		await clock.pass(0);
		expect([a.turn.is, b.turn.is, c.turn.is]).toEqual(['has it', 'waits', 'waits']);
		expect(desk.load).toEqual({ running: 1, queued: 2 });
		expect([b.waitMs(), c.waitMs()]).toEqual([TAKES_MS, 2 * TAKES_MS]);
		await clock.pass(4_000.5);
		expect([b.waitMs(), c.waitMs()]).toEqual([TAKES_MS - 4_000, 2 * TAKES_MS - 4_000]);
		a.done();
		await clock.pass(0);
		expect([b.turn.is, c.turn.is]).toEqual(['has it', 'waits']);
		expect(desk.load).toEqual({ running: 1, queued: 1 });
		// Giving back again costs nobody anything.
		a.done();
		await clock.pass(0);
		expect([c.turn.is, desk.load]).toEqual(['waits', { running: 1, queued: 1 }]);
		b.done();
		c.done();
		expect(desk.load).toEqual({ running: 0, queued: 0 });
	});

	it('that is given back before its turn is nobody’s any more', async () => {
		const { clock, desk, enter } = opened();
		const [a, b, c] = [enter('a'), enter('b'), enter('c')];
		b.done();
		expect(desk.load).toEqual({ running: 1, queued: 1 });
		a.done();
		await clock.pass(0);
		expect([b.turn.is, c.turn.is]).toEqual(['waits', 'has it']);
	});

	it('is an own device’s first, and costs that nothing', async () => {
		const { clock, enter, refused } = opened();
		const [a, b, mine] = [enter('a'), enter('b'), enter('me', { sameAccount: true, pricePer1k: 0 })];
		expect(mine.waitMs()).toBe(TAKES_MS);
		expect(b.waitMs()).toBe(2 * TAKES_MS);
		a.done();
		await clock.pass(0);
		expect([mine.turn.is, b.turn.is]).toEqual(['has it', 'waits']);
		// Two of them may wait, as of whoever is known.
		enter('me', { sameAccount: true });
		enter('me', { sameAccount: true });
		expect(refused('me', { sameAccount: true })).toMatchObject(['busy', expect.any(Number)]);
	});

	it('of one who pays costs a quarter of what it costs for nothing', async () => {
		for (const [pricePer1k, first] of [
			[1, 'paying'],
			[0, 'other']
		] as const) {
			const { clock, enter } = opened();
			for (const [peer, price] of [
				['paying', pricePer1k],
				['other', 0]
			] as const) {
				const place = enter(peer, { pricePer1k: price });
				await clock.pass(peer === 'other' ? 3_000 : 4_000);
				place.done();
			}
			const running = enter('third');
			await clock.pass(10_000);
			const [other, paying] = [enter('other', { pricePer1k: 0 }), enter('paying', { pricePer1k })];
			running.done();
			await clock.pass(0);
			expect([other.turn.is === 'has it' ? 'other' : 'paying', paying.turn.is === 'has it']).toEqual([
				first,
				first === 'paying'
			]);
		}
	});

	it('is none for a stranger that has one already, and it is told when to come back', () => {
		const { enter, refused, desk } = opened();
		enter('a');
		enter('b');
		// The one that runs, or half of all that wait, whichever is longer.
		expect(refused('b')).toEqual(['busy', TAKES_MS]);
		expect(desk.retryMs).toBe(TAKES_MS);
	});

	it('is none for whom it would come too late', () => {
		const { enter, refused, desk } = opened();
		enter('a');
		expect(refused('b', { deadlineMs: 2 * TAKES_MS - 1 })).toEqual(['busy', TAKES_MS]);
		expect(refused('b', { deadlineMs: 2 * TAKES_MS })).toBe('entered');
		expect(desk.load).toEqual({ running: 1, queued: 0 });
	});

	it('goes to a newcomer with a better right; who had it is told when to come back', async () => {
		const { clock, enter, desk } = opened();
		const running = enter('greedy');
		await clock.pass(5_000);
		running.done();
		enter('a', { maxTokens: 10 });
		const greedy = enter('greedy', { maxTokens: 10 });
		const rest = ['b', 'c', 'd'].map((peer) => enter(peer, { maxTokens: 10 }));
		const e = enter('e', { maxTokens: 10 });
		await clock.pass(0);
		expect(greedy.turn).toEqual({ is: 'busy', retryMs: 5_000 });
		expect([...rest, e].map(({ turn }) => turn.is)).toEqual(['waits', 'waits', 'waits', 'waits']);
		expect(desk.load).toEqual({ running: 1, queued: 4 });
		expect(desk.retryMs).toBe(5_000);
	});

	it('is lost when the time of its asker is over before its turn', async () => {
		const { clock, enter, desk } = opened();
		const a = enter('a');
		const [b, c] = [enter('b', { deadlineMs: 2 * TAKES_MS }), enter('c', { deadlineMs: 4 * TAKES_MS })];
		await clock.pass(2 * TAKES_MS - 1);
		a.done();
		await clock.pass(0);
		expect([b.turn.is, c.turn.is]).toEqual(['has it', 'waits']);
		b.done();
		const late = enter('d', { deadlineMs: 2 * TAKES_MS + 1 });
		await clock.pass(2 * TAKES_MS + 1);
		enter('e');
		await clock.pass(0);
		expect(late.turn).toMatchObject({ is: 'busy', retryMs: expect.any(Number) as unknown });
		expect(desk.load.queued).toBe(1);
	});

	it('is nobody’s when the desk closes, and a turn that is refused and not awaited is no unhandled rejection', async () => {
		const { clock, desk, enter } = opened();
		const unhandled: unknown[] = [];
		const hear = (reason: unknown) => unhandled.push(reason);
		process.on('unhandledRejection', hear);
		const [first, second] = [enter('a'), enter('b')];
		const silent = desk.enter({
			...{ id: 'x', peer: 'x', sameAccount: false, pricePer1k: 1, promptTokens: 1, maxTokens: 1, deadlineMs: 600_000 }
		});
		await first.turn;
		desk.close();
		await clock.pass(0);
		process.off('unhandledRejection', hear);
		expect(unhandled).toEqual([]);
		expect(desk.load).toEqual({ running: 1, queued: 0 });
		expect(second.turn).toEqual({ is: 'busy', retryMs: MAX_WAIT_MS });
		await expect(silent.turn).rejects.toMatchObject({ code: 'busy', detail: 'closing' });
		first.done();
		expect(desk.load).toEqual({ running: 0, queued: 0 });
	});
});
