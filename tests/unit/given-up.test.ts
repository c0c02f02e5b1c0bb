/** An answer that is not waited for any more comes to its own end all the same: what it holds is let go, what it writes is written. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { App, Wish } from '#lib/node/app.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { originate } from '#lib/node/originate.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { events } from '#lib/ui/chat/streams.ts';
import { ORDINARY_WISH, World } from '../doubles/node.ts';

describe('a chat that has waited long enough after a stop', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	/** A mesh whose answer takes so long to end, ms, and what became of it. */
	function slow(endMs: number) {
		const seen = { over: false, ended: false };
		async function* answer(): AsyncGenerator<OriginateEvent, void, void> {
			try {
				yield { type: 'accepted' };
				await new Promise((resolve) => setTimeout(resolve, endMs));
				yield { type: 'words', text: 'late', tokens: [1], position: 0 };
				seen.ended = true;
			} finally {
				seen.over = true;
			}
		}
		return { seen, app: { answerByMesh: () => answer() } as unknown as App };
	}

	it('gives up, and the answer is read to its end', async () => {
		const { seen, app } = slow(10_000);
		const stop = new AbortController();
		const told = events(app, {} as Wish, 'mesh', stop.signal);
		await told.next();
		const next = told.next().catch((error: unknown) => error);
		stop.abort();
		await vi.advanceTimersByTimeAsync(4_500);
		expect(await next).toMatchObject({ name: 'AbortError' });
		expect(seen.over).toBe(false);
		await vi.advanceTimersByTimeAsync(10_000);
		expect(seen).toEqual({ over: true, ended: true });
	});

	it('leaves before the end, and the answer is read to its end', async () => {
		const { seen, app } = slow(100);
		const stop = new AbortController();
		for await (const _event of events(app, {} as Wish, 'mesh', stop.signal)) break;
		stop.abort();
		await vi.advanceTimersByTimeAsync(1_000);
		expect(seen).toEqual({ over: true, ended: true });
	});
});

describe('a job whose events nobody reads any more', () => {
	it('lets its executors go, and stops asking', async () => {
		const world = new World('given-up/left');
		const asker = await world.node();
		const executors = [await world.node(), await world.node({ engine: { tokensPerSecond: 50 } })];
		for (const { contribution } of executors) await world.clock.until(contribution.start());
		const policy = { ...DEFAULT_POLICY, hedge: 1 };
		const wish = { ...ORDINARY_WISH, minTokens: 300, maxTokens: 300 };
		const read = async () => {
			const never = new AbortController().signal;
			for await (const event of originate(wish, policy, asker.ports, never))
				if (event.type === 'words' && event.position === 50) break;
		};
		await world.clock.until(read());
		await world.clock.pass(8_000);
		for (const { mesh } of [asker, ...executors]) expect(mesh.held.channels).toBe(0);
		for (const { engine } of executors) {
			expect(engine.state).toBe('ready');
			expect(engine.steps).toBeLessThan(300);
		}
	});
});
