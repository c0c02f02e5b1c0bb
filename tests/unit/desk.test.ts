/** The desk where jobs wait for the engine: a place that nobody waits at any more hurts nobody. */
import { expect, it } from 'vitest';
import { Desk } from '#lib/node/desk.ts';
import type { ExecutorPorts } from '#lib/node/ports.ts';
import { World } from '../doubles/node.ts';

it('a turn that is refused and not awaited is no unhandled rejection', async () => {
	const { clock } = new World('desk');
	const desk = new Desk({ clock } as unknown as ExecutorPorts);
	desk.tokensPerSecond = 10;
	const wanted = (id: string) => ({
		...{ id, peer: `peer ${id}`, sameAccount: false, pricePer1k: 1, promptTokens: 10, maxTokens: 10 },
		deadlineMs: 600_000
	});
	const [first, second] = [desk.enter(wanted('a')), desk.enter(wanted('b'))];
	await first.turn;
	expect(desk.load).toEqual({ running: 1, queued: 1 });
	desk.close();
	expect(desk.load.queued).toBe(0);
	const unhandled: unknown[] = [];
	const hear = (reason: unknown) => unhandled.push(reason);
	process.on('unhandledRejection', hear);
	await new Promise((resolve) => setImmediate(resolve));
	process.off('unhandledRejection', hear);
	expect(unhandled).toEqual([]);
	await expect(second.turn).rejects.toMatchObject({ code: 'busy' });
});
