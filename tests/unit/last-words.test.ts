/** Lenders that will not let a job end: they say something all the time, and nothing of it is a word of the answer. On virtual time, over the in-memory network. */
import { describe, expect, it } from 'vitest';
import { checkpoint } from '#lib/protocol/checkpoint.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { askAnd, handedOver, stage, whole, type Stage } from '../doubles/losses.ts';
import { typeOf } from '../doubles/far-end.ts';
import { endOf } from '../doubles/node.ts';

/** A map of no type: ignored, never rejected. */
const NOTHING_SAID = Uint8Array.of(0xa0);

/** From now on the first executor says nothing, every so often. */
function drip({ world, executors: [{ mesh }] }: Stage, everyMs: number, times: number): void {
	const [channel] = mesh.channels;
	const from = world.clock.monotonic();
	for (let i = 1; i <= times; i++)
		world.clock.at(from + i * everyMs, () => void channel?.send(NOTHING_SAID).catch(() => undefined));
}

/** When something happened, monotonic ms of the world. */
const timer = ({ world }: Stage) => {
	const at: number[] = [];
	return { now: () => void at.push(world.clock.monotonic()), tookMs: () => (at.at(-1) ?? 0) - (at[0] ?? 0) };
};

describe('a lender that says something every 2.9 s', () => {
	it('does not keep a stopped answer alive', async () => {
		const set = await stage('drip/stopped', [{ stallAt: 40 }]);
		set.world.network.meddle = (bytes) => (typeOf(bytes) === jobCancel.type ? [] : [bytes]);
		const stop = new AbortController();
		const time = timer(set);
		const events = await set.world.clock.until(
			set.asker.ask({}, stop.signal, {}, (event) => {
				if (event.type === 'words' && event.position === 39) {
					stop.abort();
					time.now();
					drip(set, 2_900, 60);
				}
				if (event.type === 'lost') time.now();
			})
		);
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'aborted' });
		expect(time.tookMs()).toBeLessThan(4_000);
	});

	it('does not keep one alive whose time is over', async () => {
		const set = await stage('drip/deadline', [{ pauseMs: () => 4_000 }]);
		set.world.network.meddle = (bytes) => (typeOf(bytes) === jobCancel.type ? [] : [bytes]);
		const time = timer(set);
		const events = await set.world.clock.until(
			set.asker.ask({}, undefined, { deadlineMs: 20_000 }, (event) => {
				if (event.type === 'accepted') {
					time.now();
					drip(set, 100, 3_000);
				}
				if (event.type === 'lost') time.now();
			})
		);
		expect(endOf(events)).toMatchObject({ type: 'lost' });
		expect(time.tookMs()).toBeLessThan(26_000);
	});
});

describe('a lender whose engine is still and whose mouth is not', () => {
	it('is gone as soon as a silent one', async () => {
		const set = await stage('drip/still', [{ stallAt: 40 }, {}]);
		const time = timer(set);
		const events = await set.world.clock.until(
			set.asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'words' && event.position === 39) {
					time.now();
					drip(set, 100, 1_000);
				}
				if (event.type === 'handed-over') time.now();
			})
		);
		expect(handedOver(events)).toMatchObject([{ why: 'stalled' }]);
		expect(time.tookMs()).toBeLessThan(8_000);
		whole(events);
	});

	it('is not read for ever, however fast it talks', async () => {
		const set = await stage('drip/flood', [{ stallAt: 40 }, {}]);
		const time = timer(set);
		const events = await set.world.clock.until(
			set.asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'words' && event.position === 39) {
					time.now();
					drip(set, 0, 2_000);
				}
				if (event.type === 'handed-over') time.now();
			})
		);
		expect(handedOver(events)).toMatchObject([{ why: 'stalled' }]);
		expect(time.tookMs()).toBeLessThan(2_000);
		whole(events);
	});

	it('is refused when it signs the same place twice: each signature would cost its asker three works', async () => {
		const set = await stage('drip/checkpoints', [{}, {}]);
		const { world, executors } = set;
		const [{ identity, mesh }] = executors;
		world.network.meddle = (bytes, from) => {
			if (from !== identity.peer || typeOf(bytes) !== checkpoint.type) return [bytes];
			world.network.meddle = undefined;
			const { body, cid } = read(checkpoint, bytes);
			const [channel] = mesh.channels;
			void seal(checkpoint, { ...body, previous: cid }, identity.node).then(({ bytes: again }) => channel?.send(again));
			return [bytes];
		};
		const events = await askAnd(set, 0, () => undefined);
		expect(handedOver(events)).toMatchObject([{ why: 'out-of-order' }]);
		whole(events);
	});
});
