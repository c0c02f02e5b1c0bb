/** A contributor whose engine dies: it is loaded again, told of, and nothing is stated or answered meanwhile. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '#lib/ports/engine.ts';
import { jobBid } from '#lib/protocol/bid.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { lending } from '../doubles/lent.ts';

describe('an engine that died', () => {
	/** One whose state a test sets, and whose next loads it can hold up or refuse. */
	async function mortal() {
		const state: { now: Engine['state']; loads: number; fails: Refusal | undefined; gate: Promise<void> } = {
			...{ now: 'ready', loads: 0, fails: undefined, gate: Promise.resolve() }
		};
		const set = await lending({}, {}, (engine) => ({
			get state() {
				return state.now;
			},
			load: async (report, signal) => {
				state.loads++;
				const ready = await engine.load(report, signal);
				await state.gate;
				if (state.fails !== undefined) throw state.fails;
				state.now = 'ready';
				return ready;
			}
		}));
		return { ...set, engineState: state };
	}
	const progress = {
		stage: 'fetching',
		loadedBytes: 1,
		totalBytes: 1,
		bytesPerSecond: undefined,
		secondsLeft: undefined
	};

	it('is loaded again at the next wish, once, and offered again when it is there', async () => {
		const set = await mortal();
		const gate = Promise.withResolvers<void>();
		set.engineState.now = 'failed';
		set.engineState.gate = gate.promise;
		const wish = (await set.announced()).bytes;
		await set.say(wish);
		await set.say(wish);
		expect(set.engineState.loads).toBe(2);
		expect(set.state.observers).toBe(0);
		expect(set.told.filter(({ type }) => type !== 'considered')).toEqual([
			{ type: 'ready', model: 'scripted', tokensPerSecond: 50 },
			{ type: 'reviving', progress: undefined },
			{ type: 'reviving', progress }
		]);
		// Nothing to state until it is back.
		set.contribution.pause(true);
		set.contribution.pause(false);
		expect(set.state.observers).toBe(0);
		gate.resolve();
		await set.clock.pass(0);
		expect([set.types().at(-1), set.state.observers]).toEqual(['ready', 1]);
		set.engineState.now = 'failed';
		await set.say(wish);
		expect(set.engineState.loads).toBe(3);
		await set.clock.until(set.contribution.stop());
	});

	it('and does not come back is told of with its code, and nothing is heard any more', async () => {
		const set = await mortal();
		Object.assign(set.engineState, { now: 'failed', fails: new Refusal('no-graphics') });
		const wish = (await set.announced()).bytes;
		await set.say(wish);
		expect(set.told.at(-1)).toEqual({ type: 'engine-lost', code: 'no-graphics' });
		const before = set.told.length;
		set.engineState.now = 'ready';
		const bids = set.bidsOut();
		await set.say(wish);
		const wire = set.knock(1);
		wire.hear(wish);
		await set.clock.pass(0);
		expect([set.told.length, set.bidsOut(), wire.types, set.engineState.loads]).toEqual([before, bids, [], 2]);
		await set.clock.until(set.contribution.stop());
	});

	it('while lending ends is nobody’s loss', async () => {
		const set = await mortal();
		const gate = Promise.withResolvers<void>();
		Object.assign(set.engineState, { now: 'failed', gate: gate.promise, fails: new Refusal('aborted') });
		await set.say((await set.announced()).bytes);
		await set.clock.until(set.contribution.stop());
		gate.resolve();
		await set.clock.pass(0);
		expect(set.types()).not.toContain('engine-lost');
		expect(codeOf(set.engineState.fails)).toBe('aborted');
	});

	it.each([
		['idle', 2],
		['failed', 2],
		['ready', 1],
		['busy', 1],
		['loading', 1]
	] as const)('%s at the end of a job is loaded again only when it is gone (loads: %i)', async (now, loads) => {
		const set = await mortal();
		const announcement = await set.announced();
		const wire = set.knock(1);
		wire.hear(announcement.bytes);
		await set.clock.pass(0);
		const bid = read(jobBid, wire.sent[0] as Uint8Array);
		set.confirm(wire);
		wire.hear((await set.assigned({ ...(await set.offered(announcement)), bid })).bytes);
		await set.clock.pass(400);
		set.engineState.now = now;
		await set.clock.pass(1_000);
		expect(set.types()).toContain('ended');
		expect(set.engineState.loads).toBe(loads);
		await set.clock.until(set.contribution.stop());
	});
});
