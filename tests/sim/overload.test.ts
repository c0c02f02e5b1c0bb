/**
 * Three times as much is wanted as can be done: who gets what, who is told when to come back, and that nothing grows without bound.
 * Virtual time. A person with many nodes: tests/full/fairness.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { endOf, World } from '../doubles/node.ts';
import { THOROUGH } from '../thorough.ts';
import { askersOf, CAPACITY, demand, executors, holds, isFair, SECONDS, served, withGreedy } from './demand.ts';

describe('three times as much is wanted as can be done', () => {
	it('every originator gets its share, refusals come early and with a time, and the engines are never idle', async () => {
		const world = new World('overload');
		const answering = await executors(world);
		const names = Array.from({ length: 6 }, (_, i) => `asker ${i}`);
		const asked = await demand(world, await askersOf(world, names), () =>
			Math.round((names.length / (3 * CAPACITY)) * 1_000)
		);
		holds(world, asked);
		const counts = [...served(asked).values()];
		const total = counts.reduce((sum, each) => sum + each, 0);
		const fair = total / names.length;
		const refusals = asked.flatMap(({ events }) => events.filter(({ type }) => type === 'busy')).length;
		const given = asked.filter(({ events }) => endOf(events).type === 'failed').length;
		console.log(
			`overload: ${asked.length} wishes, ${total} answers in ${SECONDS} s of ${CAPACITY * SECONDS} possible, each ${Math.min(...counts)}–${Math.max(...counts)} (fair ${fair.toFixed(1)}), ${refusals} times told to come back, ${given} given up`
		);
		expect(Math.min(...counts)).toBeGreaterThanOrEqual(fair * 0.7);
		expect(Math.max(...counts)).toBeLessThanOrEqual(fair * 1.3);
		expect(total).toBeGreaterThan(0.75 * CAPACITY * SECONDS);
		expect(refusals).toBeGreaterThan(0);
		await world.clock.pass(60_000);
		for (const node of answering) {
			expect(node.mesh.channels.size).toBe(0);
			expect(node.engine.state).toBe('ready');
		}
	}, 120_000);

	it.runIf(THOROUGH)(
		'a node that asks six times as often has no more than its share, and starves nobody',
		async () => {
			isFair(await withGreedy(1, 1), 1);
		},
		120_000
	);

	it('wishes that nobody means hold no place: whoever means it is answered', async () => {
		const world = new World('ghosts');
		await executors(world);
		const ghost = await world.node();
		const stop = new AbortController();
		// Forty wishes a second that are never assigned.
		const haunting = (async () => {
			const { announce } = await import('#lib/node/announce.ts');
			const { ORDINARY_WISH } = await import('../doubles/node.ts');
			const { DEFAULT_POLICY } = await import('#lib/protocol/policy.ts');
			while (!stop.signal.aborted) {
				const job = await announce(ORDINARY_WISH, DEFAULT_POLICY, ghost.ports);
				await ghost.mesh.publish('fireweed/1/announcements', job.announcement.bytes);
				await world.clock.sleep(25);
			}
		})();
		await world.clock.pass(10_000);
		const asker = await world.node();
		const events = await world.clock.until(asker.ask({ maxTokens: 40, minTokens: 40 }));
		stop.abort();
		await world.clock.until(haunting);
		expect(endOf(events).type).toBe('finished');
	}, 60_000);
});
