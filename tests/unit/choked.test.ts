/** A lender that stops reading: whatever is said to it waits for ever. The answer does not, and neither does a stop. On virtual time, over the in-memory network. */
import { describe, expect, it } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { assignJob, jobCancel } from '#lib/protocol/assignment.ts';
import { acknowledgement } from '#lib/protocol/checkpoint.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { reattachJob } from '#lib/protocol/reattach.ts';
import { receiptCountersignature } from '#lib/protocol/receipt.ts';
import { chokes } from '../doubles/choked.ts';
import { handedOver, whole } from '../doubles/losses.ts';
import { noShow } from '../sim/hostile/channels.ts';
import { answerOf, endOf, World, type NodeOptions, type TestNode } from '../doubles/node.ts';

/** An asker whose channels to the first of `count` lenders are choked for that type. */
async function stage(name: string, type: string, count: number) {
	const world = new World(`choked/${name}`);
	const late: { first?: string } = {};
	const dress = chokes<TestNode['ports']>(
		() => type,
		() => late.first
	);
	const asker = await world.node({ account: 'asker', dress });
	const executors: TestNode[] = [];
	for (let i = 0; i < count; i++) {
		const node = await world.node({ engine: { tokensPerSecond: 90 - 25 * i } });
		await world.clock.until(node.contribution.start());
		executors.push(node);
	}
	late.first = executors[0]?.identity.peer ?? '';
	return { world, asker, executors };
}

/** Asks; a stop `at` a position. How long the end took after it, ms. */
async function stopped(set: Awaited<ReturnType<typeof stage>>, at: number) {
	const stop = new AbortController();
	const { clock } = set.world;
	let [from, end] = [0, 0];
	const events = await clock.until(
		set.asker.ask({}, stop.signal, {}, (event: OriginateEvent) => {
			if (event.type === 'words' && event.position === at) {
				stop.abort();
				from = clock.monotonic();
			}
			end = clock.monotonic();
		})
	);
	return { events, tookMs: end - from };
}

describe('a lender that does not take', () => {
	it('its assignment: the next is tried', async () => {
		const set = await stage('next', assignJob.type, 2);
		const events = await set.world.clock.until(set.asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(events.find(({ type }) => type === 'assigned')).toMatchObject({
			executor: { id: set.executors[1]?.identity.peer }
		});
		await set.world.clock.pass(60_000);
		expect(set.asker.mesh.held.channels).toBe(0);
	});

	it('its assignment: a stop ends the job all the same', async () => {
		const set = await stage('stop', assignJob.type, 1);
		const { clock } = set.world;
		const stop = new AbortController();
		clock.at(1_500, () => stop.abort());
		const events = await clock.until(set.asker.ask({}, stop.signal));
		expect(endOf(events)).toMatchObject({ type: 'failed', code: 'aborted' });
		expect(clock.monotonic()).toBeLessThan(1_600);
		await clock.pass(1_000);
		expect(set.asker.mesh.held.channels).toBe(0);
	});

	it('the word to stop: it is not waited for longer than any other', async () => {
		const set = await stage('cancel', jobCancel.type, 1);
		const { events, tookMs } = await stopped(set, 20);
		expect(['lost', 'finished']).toContain(endOf(events).type);
		expect(tookMs).toBeLessThan(3_500);
		await set.world.clock.pass(60_000);
		expect(set.asker.mesh.held.channels).toBe(0);
	});

	it('acknowledgements: a stop is obeyed, and without one another goes on', async () => {
		const set = await stage('ack', acknowledgement.type, 2);
		expect((await stopped(set, 50)).tookMs).toBeLessThan(3_500);
		const again = await stage('ack-on', acknowledgement.type, 2);
		const wish = { minTokens: 300, maxTokens: 300 };
		const events = await again.world.clock.until(again.asker.ask(wish));
		expect(handedOver(events)).toHaveLength(1);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		whole(events);
	});

	it('the other signature of its receipt: the answer is whole and kept, and its channel goes', async () => {
		const set = await stage('sign', receiptCountersignature.type, 1);
		const events = await set.world.clock.until(set.asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		const kept = await set.asker.ports.store.receipts.list();
		expect(kept.map(({ kind }) => kind)).toEqual(['sealed']);
		await set.world.clock.pass(60_000);
		expect(set.asker.mesh.held.channels).toBe(0);
	});

	it('the word of one that comes back: a stop ends it', async () => {
		const world = new World('choked/back');
		const asker = await world.node({ account: 'asker' });
		const executor = await world.node();
		await world.clock.until(executor.contribution.start());
		const wish = { minTokens: 300, maxTokens: 300, message: 'm' };
		const never = new AbortController().signal;
		const before = await world.clock.until(
			asker.ask(wish, never, {}, (event) => {
				if (event.type === 'words' && event.position === 50) void asker.mesh.stop();
			})
		);
		const options: NodeOptions = { after: asker, dress: chokes<TestNode['ports']>(() => reattachJob.type) };
		const next = await world.node(options);
		const stop = new AbortController();
		const from = world.clock.monotonic();
		world.clock.at(from + 1_000, () => stop.abort());
		const events = await world.clock.until(next.reattach('m', answerOf(before), stop.signal));
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'aborted' });
		expect(world.clock.monotonic() - from).toBeLessThan(1_200);
		// The person stopped it; that says nothing of who was asked.
		expect(await next.ports.store.known.list()).toEqual([]);
	});
});

describe('a connection that comes when nobody waits for it any more', () => {
	it('is closed at once', async () => {
		const world = new World('choked/late');
		const dress: NodeOptions['dress'] = (ports) => {
			const { mesh } = ports;
			const open: typeof mesh.open = async (...args) => {
				const channel = await mesh.open(...args);
				await world.clock.sleep(17_000);
				return channel;
			};
			return { ...ports, mesh: new Proxy(mesh, { get: (of, key) => (key === 'open' ? open : bound(of, key)) }) };
		};
		const asker = await world.node({ dress });
		// One that waits for an assignment longer than any lender.
		const executor = await world.node({ dress: (ports) => noShow(ports, () => undefined) });
		await world.clock.until(executor.contribution.start());
		expect(endOf(await world.clock.until(asker.ask()))).toMatchObject({ type: 'failed' });
		await world.clock.pass(20_000);
		expect(asker.mesh.held.channels).toBe(0);
	});
});

describe('a channel that breaks right behind a good receipt', () => {
	it('takes nothing of it: the answer is finished, kept, and not paid for again', async () => {
		const world = new World('choked/behind');
		const dress: NodeOptions['dress'] = (ports) => {
			const { mesh } = ports;
			const open: typeof mesh.open = async (...args) => {
				const channel = await mesh.open(...args);
				const { send } = channel;
				return Object.assign(channel, {
					send: (bytes: Uint8Array) => {
						if (!Buffer.from(bytes).includes(receiptCountersignature.type)) return send.call(channel, bytes);
						channel.abort();
						return Promise.reject(new Refusal('channel-closed'));
					}
				});
			};
			return { ...ports, mesh: new Proxy(mesh, { get: (of, key) => (key === 'open' ? open : bound(of, key)) }) };
		};
		const asker = await world.node({ account: 'asker', dress });
		for (let i = 0; i < 2; i++) {
			const node = await world.node({ engine: { tokensPerSecond: 90 - 25 * i } });
			await world.clock.until(node.contribution.start());
		}
		const events = await world.clock.until(asker.ask());
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect((await asker.ports.store.receipts.list()).map(({ kind }) => kind)).toEqual(['sealed']);
	});
});

function bound(of: object, key: string | symbol): unknown {
	const value: unknown = Reflect.get(of, key);
	return typeof value === 'function' ? value.bind(of) : value;
}
