/** Whom a contributor hears and lets in, how many at once, and what it states and lets go of. */
import { describe, expect, it } from 'vitest';
import { contribute } from '#lib/node/contribute.ts';
import { read } from '#lib/protocol/envelope.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { executorStage, Wire } from '../doubles/executor.ts';
import { lending, meshInHand } from '../doubles/lent.ts';

describe('channels', () => {
	it('of one node are four at once; the fifth is told busy and when to come back, and leaves', async () => {
		const set = await lending();
		const first = Array.from({ length: 4 }, () => set.knock(1));
		const fifth = set.knock(1);
		const assignment = await set.assigned(await set.offered(await set.announced()), { epoch: 7 });
		fifth.hear(assignment.bytes);
		await set.clock.pass(0);
		expect(fifth.sent.map((said) => read(jobStatus, said).body)).toMatchObject([
			{ job: set.job, epoch: 7, state: 'refused', code: 'busy', waitMs: 1_000 }
		]);
		expect([fifth.state, ...first.map(({ state }) => state)]).toEqual(['aborted', 'open', 'open', 'open', 'open']);
		// Somebody else comes in.
		const other = set.knock(2);
		other.hear((await set.announced()).bytes);
		await set.clock.pass(0);
		expect(other.types).toEqual(['JobBid']);
		await set.clock.until(set.contribution.stop());
	});

	it('that are over make room', async () => {
		const set = await lending();
		const first = Array.from({ length: 4 }, () => set.knock(1));
		first[2]?.end();
		await set.clock.pass(0);
		const next = set.knock(1);
		next.hear((await set.announced()).bytes);
		await set.clock.pass(0);
		expect(next.types).toEqual(['JobBid']);
		await set.clock.until(set.contribution.stop());
	});

	it('are 32 in all; of one more its asker is told', async () => {
		const set = await lending();
		const all = Array.from({ length: 32 }, (_, i) => set.knock(Math.floor(i / 2)));
		expect(all.every(({ state }) => state === 'open')).toBe(true);
		const more = set.knock(99);
		more.hear((await set.assigned(await set.offered(await set.announced()))).bytes);
		await set.clock.pass(0);
		expect(more.types).toEqual(['JobStatusUpdate']);
		expect(more.state).toBe('aborted');
		await set.clock.until(set.contribution.stop());
	});

	it('for which there is no room are read eight at once and one in a second; more are closed unread', async () => {
		const set = await lending();
		for (let i = 0; i < 4; i++) set.knock(1);
		const flood = () => {
			const wires = Array.from({ length: 20 }, () => set.knock(1));
			return wires.filter(({ state }) => state === 'open').length;
		};
		expect(flood()).toBe(8);
		await set.clock.pass(999);
		expect(flood()).toBe(0);
		await set.clock.pass(1);
		expect(flood()).toBe(1);
		await set.clock.pass(3_000);
		expect(flood()).toBe(3);
		await set.clock.until(set.contribution.stop());
	});

	it('are let go of at the end, also those that were turned away; none comes in afterwards', async () => {
		const set = await lending();
		const wires = Array.from({ length: 6 }, () => set.knock(1));
		const accept = set.state.accept;
		await set.clock.until(set.contribution.stop());
		expect(wires.slice(4).map(({ state }) => state)).toEqual(['aborted', 'aborted']);
		expect([set.state.accept, set.state.hear, set.state.observers]).toEqual([undefined, undefined, 0]);
		const late = new Wire(set.asking.peer);
		accept?.(late);
		expect([late.state, late.messages.taken]).toEqual(['aborted', 0]);
	});
});

describe('wishes', () => {
	it('over gossip are answered with a bid; what is none is told of', async () => {
		const set = await lending();
		await set.say((await set.announced()).bytes);
		expect(set.bidsOut()).toBe(1);
		expect(set.contribution.load).toEqual({ running: 0, queued: 0, bids: 1 });
		await set.say(Uint8Array.of(1));
		expect(set.told.at(-1)).toEqual({ type: 'refused', code: 'malformed' });
		await set.say((await set.announced({ model: 'another' })).bytes);
		expect(set.bidsOut()).toBe(1);
		await set.clock.until(set.contribution.stop());
	});

	it('are answered neither way while it is paused, and both ways afterwards', async () => {
		const set = await lending();
		const wish = (await set.announced()).bytes;
		set.contribution.pause(true);
		await set.say(wish);
		const wire = set.knock(1);
		wire.hear(wish);
		await set.clock.pass(0);
		expect([set.bidsOut(), wire.sent, wire.state]).toEqual([0, [], 'aborted']);
		set.contribution.pause(false);
		await set.say(wish);
		const again = set.knock(1);
		again.hear(wish);
		await set.clock.pass(0);
		expect([set.bidsOut(), again.types]).toEqual([1, ['JobBid']]);
		await set.clock.until(set.contribution.stop());
	});

	it('among people one knows are answered on their channels alone, and asked each time who that is', async () => {
		let among: ReadonlySet<string> | undefined = new Set();
		const set = await lending({}, { circle: () => among });
		const wish = (await set.announced()).bytes;
		/** What a channel of that node brings it, with or without its account. */
		const directly = async (shows: boolean) => {
			const wire = new Wire(set.asking.peer);
			set.state.accept?.(wire);
			if (shows) wire.hear(set.asking.certificate);
			wire.hear(wish);
			await set.clock.pass(0);
			wire.end();
			await set.clock.pass(2_000);
			return wire.types;
		};
		await set.say(wish);
		expect(set.bidsOut()).toBe(0);
		expect(await directly(true)).toEqual([]);
		among = new Set([set.asking.account]);
		expect(await directly(false)).toEqual([]);
		expect(await directly(true)).toEqual(['JobBid']);
		among = undefined;
		expect(await directly(false)).toEqual(['JobBid']);
		await set.say(wish);
		expect(set.bidsOut()).toBe(1);
		await set.clock.until(set.contribution.stop());
	});
});

describe('what it states', () => {
	const stated = (set: Awaited<ReturnType<typeof lending>>) =>
		set.published.filter(({ type }) => type === 'capabilities').length;

	it('is stated from the start, unless it was paused before', async () => {
		const set = await lending();
		await set.clock.pass(0);
		expect(stated(set)).toBe(1);
		expect(set.types()).toEqual(['ready']);
		expect(set.told[0]).toEqual({ type: 'ready', model: 'scripted', tokensPerSecond: 50 });
		// Said already: nothing is said twice.
		set.contribution.pause(false);
		await set.clock.pass(0);
		expect([stated(set), set.state.observers]).toEqual([1, 1]);
		set.contribution.pause(true);
		expect(set.state.observers).toBe(0);
		set.contribution.pause(true);
		set.contribution.pause(false);
		await set.clock.pass(0);
		expect([stated(set), set.state.observers]).toEqual([2, 1]);
		await set.clock.until(set.contribution.stop());
		expect(set.state.observers).toBe(0);
		set.contribution.pause(false);
		await set.clock.pass(20_000);
		expect(stated(set)).toBe(2);
	});

	it('waits for the end of a pause that was there before the engine', async () => {
		const hand = meshInHand();
		const stage = await executorStage({ dress: (ports) => ({ ...ports, mesh: hand.mesh, offering: () => undefined }) });
		const contribution = contribute(stage.ports, { pricePer1k: 1, region: undefined }, () => undefined);
		contribution.pause(true);
		contribution.pause(false);
		contribution.pause(true);
		await stage.clock.until(contribution.start());
		await stage.clock.pass(1);
		expect(hand.published).toEqual([]);
		contribution.pause(false);
		await stage.clock.pass(1);
		expect(hand.published).toHaveLength(1);
		await stage.clock.until(contribution.stop());
	});

	it('tells its load: one that has the engine, those that wait, and bids', async () => {
		const set = await lending();
		expect(set.contribution.load).toEqual({ running: 0, queued: 0, bids: 0 });
		await set.clock.until(set.contribution.stop());
	});
});
