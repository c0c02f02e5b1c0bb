/** How one would cheat a job, from either side, and what it gains: on virtual time, over the in-memory network. */
import { describe, expect, it } from 'vitest';
import { announce, BID_WINDOW_MS } from '#lib/node/announce.ts';
import { collectBids } from '#lib/node/bidding.ts';
import { hire } from '#lib/node/hire.ts';
import { Offers } from '#lib/node/offers.ts';
import { openReceipt } from '#lib/node/open-receipt.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { acknowledgement, checkpoint } from '#lib/protocol/checkpoint.ts';
import { decodeCanonical, encodeCanonical } from '#lib/protocol/encode.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { jobBid } from '#lib/protocol/bid.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { typeOf } from '../doubles/far-end.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import type { Meddle } from '../doubles/network.ts';
import { answerOf, endOf, ORDINARY_WISH, World, type TestNode } from '../doubles/node.ts';

/** Changes the n-th message of a type, leaving all others. */
function meddleWith(type: string, n: number, change: (bytes: Uint8Array) => readonly Uint8Array[]): Meddle {
	let seen = 0;
	return (bytes) => (typeOf(bytes) === type && seen++ === n ? change(bytes) : [bytes]);
}

const reframe = (bytes: Uint8Array, change: object) => {
	const { type: _type, version: _version, ...frame } = decodeFrame(bytes);
	return encodeFrame({ ...frame, ...change });
};

async function pair(seed: string, meddle?: Meddle, executorOptions: Parameters<World['node']>[0] = {}) {
	const world = new World(seed, meddle === undefined ? {} : { meddle });
	const asker = await world.node({ account: 'asker' });
	const executor = await world.node(executorOptions);
	await world.clock.until(executor.contribution.start());
	return { world, asker, executor };
}

/** What a step of the story returns. */
async function valueOf<R>(events: AsyncGenerator<unknown, R, void>): Promise<R> {
	for (;;) {
		const next = await events.next();
		if (next.done === true) return next.value;
	}
}

const receiptsOf = (node: TestNode) => node.ports.store.receipts.list();

describe('an honest job', () => {
	it('draws with the agreed seed: anyone with the model gets the same tokens from the receipt', async () => {
		const { world, asker } = await pair('seed');
		const events = await world.clock.until(asker.ask({ minTokens: 60, maxTokens: 60 }));
		const end = endOf(events);
		if (end.type !== 'finished') throw new Error(end.type);
		const record = await asker.ports.store.receipts.get(end.receipt);
		const { seed, sampling } = read(executionReceipt, record?.document as Uint8Array).body;
		const replay = new ScriptedEngine({ clock: world.clock });
		await replay.load(() => undefined, new AbortController().signal);
		const again: number[] = [];
		const steps = replay.generate(
			{ ...ORDINARY_WISH, minTokens: 60, maxTokens: 60, seed, sampling },
			new AbortController().signal
		);
		await world.clock.until(
			(async () => {
				for await (const step of steps) again.push(step.token);
			})()
		);
		expect(answerOf(events).tokens).toEqual(again);
	});

	it('is free and says so between nodes of one account', async () => {
		const { world, asker, executor } = await pair('kin', undefined, { account: 'asker' });
		const events = await world.clock.until(asker.ask());
		expect(events.find((event) => event.type === 'assigned')).toMatchObject({
			reason: 'your own device',
			executor: { sameAccount: true, pricePer1k: 0 }
		});
		expect(endOf(events)).toMatchObject({ type: 'finished', price: 0 });
		expect((await executor.ports.store.assigned.list())[0]).toMatchObject({ sameAccount: true, price: 0 });
	});

	it('is answered by an engine that had died: first interest, then a bid once it is loaded again', async () => {
		const { world, asker, executor } = await pair('revived', undefined, { engine: { loadMs: 1_500 } });
		await executor.engine.unload();
		const events = await world.clock.until(asker.ask());
		expect(events.find((event) => event.type === 'interest')).toMatchObject({ readyInMs: 1_500 });
		expect(events.findIndex((event) => event.type === 'interest')).toBeLessThan(
			events.findIndex((event) => event.type === 'bid')
		);
		expect(endOf(events)).toMatchObject({ type: 'finished' });
	});

	it('refuses a wish that contradicts itself', async () => {
		const { world, asker } = await pair('contradiction');
		expect(endOf(await world.clock.until(asker.ask({ minTokens: 50, maxTokens: 40 })))).toEqual({
			type: 'failed',
			code: 'malformed'
		});
	});

	it('keeps its tables', async () => {
		const { world, asker, executor } = await pair('tables');
		await world.clock.until(asker.ask({ message: 'm1' }));
		await world.clock.pass(1_000);
		expect((await asker.ports.store.jobs.list())[0]).toMatchObject({
			state: 'finished',
			message: 'm1',
			executor: executor.identity.peer
		});
		expect((await asker.ports.store.bids.list())[0]).toMatchObject({ chosen: true, reason: 'the only offer' });
		expect((await executor.ports.store.assigned.list())[0]).toMatchObject({ state: 'success', tokens: 100 });
		expect(await executor.ports.store.capabilities.get('self')).toBeDefined();
		expect(await receiptsOf(asker)).toHaveLength(1);
		expect(await receiptsOf(executor)).toHaveLength(1);
	});

	it('stops within a step and still has its receipt, signed by both', async () => {
		const { world, asker, executor } = await pair('stop');
		const stop = new AbortController();
		const events = await world.clock.until(
			asker.ask({}, stop.signal, {}, (event) => {
				if (event.type === 'words' && event.position === 20) stop.abort();
			})
		);
		const end = endOf(events);
		expect(end).toMatchObject({ type: 'finished', status: 'cancelled' });
		// One way there and one way back at 50 tokens a second, and one step under way.
		expect(executor.engine.steps).toBeLessThanOrEqual(26);
		const record = await asker.ports.store.receipts.get((end as { receipt: string }).receipt);
		expect(record?.counterpart).toBeDefined();
		expect(read(executionReceipt, record?.document as Uint8Array).body).toMatchObject({
			status: 'cancelled',
			answerTokens: answerOf(events).tokens.length
		});
		expect(executor.engine.state).toBe('ready');
	});

	it('says that nobody is there, and can be stopped while waiting', async () => {
		const world = new World('nobody');
		const asker = await world.node();
		expect(endOf(await world.clock.until(asker.ask()))).toEqual({ type: 'failed', code: 'no-bids' });
		const stop = new AbortController();
		void world.clock.sleep(500).then(() => stop.abort());
		expect(endOf(await world.clock.until(asker.ask({}, stop.signal)))).toEqual({ type: 'failed', code: 'aborted' });
		expect((await asker.ports.store.jobs.list()).map((job) => job.state).sort()).toEqual(['cancelled', 'failed']);
	});
});

describe('an executor that goes', () => {
	it('leaves every word, a partial receipt signed by both, and an answer that can go on where it stood', async () => {
		const { world, asker, executor } = await pair('vanish');
		let died = 0;
		const before = await world.clock.until(
			asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'words' && event.position === 50) {
					died = world.clock.monotonic();
					world.network.vanish(executor.identity.peer);
				}
			})
		);
		const end = endOf(before);
		expect(end).toMatchObject({ type: 'lost', code: 'peer-lost' });
		expect(world.clock.monotonic() - died).toBeLessThan(2_000);
		const shown = answerOf(before);
		expect(shown.tokens.length).toBeGreaterThanOrEqual(51);
		const record = await asker.ports.store.receipts.get((end as { receipt: string }).receipt);
		const opened = await openReceipt(record as NonNullable<typeof record>, world.seals, world.clock.now());
		expect(opened).toMatchObject({ kind: 'checkpoint', status: 'partial', answerTokens: 32, cidMatches: true });
		expect(opened.signatures.map((signature) => signature.valid)).toEqual([true, true]);
		const next = await world.node();
		await world.clock.until(next.contribution.start());
		const after = await world.clock.until(asker.ask({ continueFrom: shown.tokens }));
		expect(endOf(after)).toMatchObject({ type: 'finished' });
		const words = after.find((event) => event.type === 'words');
		expect(words).toMatchObject({ position: shown.tokens.length });
		expect(answerOf(after).tokens).toHaveLength(100 - shown.tokens.length);
	});

	it('before it accepted is replaced by the next best offer', async () => {
		const { world, asker, executor } = await pair('second', undefined, { engine: { tokensPerSecond: 90 } });
		const second = await world.node({ engine: { tokensPerSecond: 30 } });
		await world.clock.until(second.contribution.start());
		const events = await world.clock.until(
			asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'bid' && event.executor === executor.identity.peer)
					world.network.vanish(executor.identity.peer);
			})
		);
		expect(events.find((event) => event.type === 'assigned')).toMatchObject({ executor: { id: second.identity.peer } });
		expect(endOf(events)).toMatchObject({ type: 'finished' });
	});

	it('stalls: the asker is told and keeps what came', async () => {
		const { world, asker } = await pair('stall', undefined, { engine: { stallAt: 40 } });
		const events = await world.clock.until(asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'stalled', tokens: 40 });
	});

	it('whose engine fails says so in a receipt', async () => {
		const { world, asker, executor } = await pair('fail', undefined, {
			engine: { failAt: { position: 40, code: 'engine-failed' } }
		});
		const events = await world.clock.until(asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'engine-failed', tokens: 40 });
		expect((await receiptsOf(executor))[0]?.kind).toBe('sealed');
		expect(read(executionReceipt, (await receiptsOf(asker))[0]?.document as Uint8Array).body).toMatchObject({
			status: 'failed',
			code: 'engine-failed'
		});
	});

	it('stops contributing in the middle: the asker gets what there is, with its receipt', async () => {
		const { world, asker, executor } = await pair('retire');
		const events = await world.clock.until(
			asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'words' && event.position === 30) void executor.contribution.stop();
			})
		);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'partial' });
	});
});

describe('an executor that cheats', () => {
	const cheats: readonly [string, Meddle, string][] = [
		['doubles a frame', meddleWith('Frame', 10, (bytes) => [bytes, bytes]), 'out-of-order'],
		['leaves a frame out', meddleWith('Frame', 10, () => []), 'out-of-order'],
		['is off by one position', meddleWith('Frame', 10, (bytes) => [reframe(bytes, { position: 11 })]), 'out-of-order'],
		[
			'sends a frame of another job',
			meddleWith('Frame', 10, (bytes) => [reframe(bytes, { job: new Uint8Array(16) })]),
			'wrong-job'
		],
		[
			'sends an epoch of the future',
			meddleWith('Frame', 10, (bytes) => [reframe(bytes, { epoch: 9 })]),
			'terms-differ'
		],
		[
			'changes a word after the fact',
			meddleWith('Frame', 10, (bytes) => [reframe(bytes, { text: 'other ' })]),
			'terms-differ'
		],
		[
			'changes a token after the fact',
			meddleWith('Frame', 10, (bytes) => [reframe(bytes, { tokens: [63] })]),
			'terms-differ'
		],
		[
			'answers longer than asked',
			meddleWith('Frame', 99, (bytes) => [reframe(bytes, { tokens: [1, 2] })]),
			'unknown-token'
		],
		['keeps a checkpoint back', meddleWith('Checkpoint', 1, () => []), 'stalled'],
		['sends garbage', meddleWith('Frame', 10, () => [Uint8Array.of(0xff, 0x00)]), 'malformed'],
		[
			'sends bytes that are not canonical',
			meddleWith('Frame', 10, (bytes) => [Uint8Array.of(0xb8, 0x01, ...bytes.subarray(1))]),
			'malformed'
		]
	];
	it.each(cheats)('%s: refused, and what was verified stays', async (_name, meddle, code) => {
		const { world, asker } = await pair('cheat', meddle);
		const events = await world.clock.until(asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'lost', code });
		const { text, tokens } = answerOf(events);
		if (code !== 'terms-differ') expect(text).toBe(tokens.map((token) => `w${token} `).join(''));
		expect(new Set(events.filter((event) => event.type === 'words').map((event) => event.position)).size).toBe(
			events.filter((event) => event.type === 'words').length
		);
	});

	it('cannot have a receipt countersigned that claims more than it did', async () => {
		const world = new World('overclaim');
		const asker = await world.node();
		const executor = await world.node();
		await world.clock.until(executor.contribution.start());
		world.network.meddle = (bytes, _from, to) => {
			if (typeOf(bytes) !== executionReceipt.type) return [bytes];
			const honest = read(executionReceipt, bytes);
			void seal(
				executionReceipt,
				{ ...honest.body, promptTokens: honest.body.promptTokens + 1000 },
				executor.identity.node,
				executor.identity.certificate
			).then((signed) => {
				const channel = [...executor.mesh.channels].find((candidate) => candidate.peer === to);
				world.network.meddle = undefined;
				return channel?.send(signed.bytes);
			});
			return [];
		};
		const events = await world.clock.until(asker.ask());
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'terms-differ' });
		const sealed = (await receiptsOf(executor)).filter(({ kind }) => kind === 'sealed');
		expect(sealed.map(({ counterpart }) => counterpart)).toEqual([undefined]);
	});

	it('cannot bid for a job it was not asked for, nor under another wish', async () => {
		const { world, asker, executor } = await pair('bids');
		const wrong: OriginateEvent[] = [];
		const asking = asker.ask({}, undefined, {}, (event) => wrong.push(event));
		await world.clock.until(asking);
		const bid = world.network.gossip.find((heard) => heard.topic === 'fireweed/1/bids')?.bytes as Uint8Array;
		const next = asker.ask({}, undefined, {}, (event) => {
			// The old bid is played again into the new job.
			if (event.type === 'announced') void executor.mesh.publish('fireweed/1/bids', bid);
		});
		const events = await world.clock.until(next);
		expect(events.filter((event) => event.type === 'bid')).toHaveLength(1);
		expect(read(jobBid, bid).body.job).not.toEqual(new Uint8Array(16));
	});
});

describe('an asker that cheats', () => {
	it('reads without acknowledging: the engine stops after one checkpoint, and a claim for nothing stands', async () => {
		const { world, asker, executor } = await pair('silent');
		const { ports } = asker;
		const wish = { ...ORDINARY_WISH, minTokens: 400, maxTokens: 400 };
		const never = new AbortController().signal;
		const assigned = async () => {
			const job = await announce(wish, DEFAULT_POLICY, ports);
			return valueOf(hire(await valueOf(collectBids(job, ports, never)), wish, ports, never));
		};
		await world.clock.until(assigned());
		await world.clock.pass(15_000);
		expect(executor.engine.steps).toBe(32);
		expect(executor.contributed.at(-2)).toMatchObject({ type: 'ended', status: 'partial', code: 'no-acknowledgement' });
		expect(await receiptsOf(executor)).toHaveLength(0);
	});

	it('loses its acknowledgements on the way: it takes the pause for a stall, and what it showed is settled', async () => {
		const dropped: Meddle = (bytes) => (typeOf(bytes) === acknowledgement.type ? [] : [bytes]);
		const { world, asker, executor } = await pair('lossy', dropped);
		const events = await world.clock.until(asker.ask({ minTokens: 400, maxTokens: 400 }));
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'stalled', tokens: 32 });
		await world.clock.pass(5_000);
		const sealed = (await receiptsOf(asker)).find((record) => record.kind === 'sealed');
		expect(read(executionReceipt, sealed?.document as Uint8Array).body).toMatchObject({ answerTokens: 32 });
		expect((await receiptsOf(executor))[0]?.counterpart).toEqual(sealed?.counterpart);
	});

	it('forges an acknowledgement: the job ends, the engine is free', async () => {
		const forge = meddleWith(acknowledgement.type, 0, (bytes) => {
			const envelope = decodeCanonical(bytes, 1e6) as { body: Uint8Array };
			const body = decodeCanonical(envelope.body, 1e6) as { tokens: number };
			return [encodeCanonical({ ...envelope, body: encodeCanonical({ ...body, tokens: 64 }) })];
		});
		const { world, asker, executor } = await pair('forge', forge);
		await world.clock.until(asker.ask({ minTokens: 300, maxTokens: 300 }));
		expect(executor.contributed).toContainEqual(
			expect.objectContaining({ type: 'ended', status: 'partial', code: 'bad-signature' })
		);
		expect(executor.engine.state).toBe('ready');
		expect(await receiptsOf(executor)).toHaveLength(0);
	});

	it('assigns on terms that were not bid, twice, or without a bid: refused before any work', async () => {
		const altered = (change: object): Meddle =>
			meddleWith(assignJob.type, 0, (bytes) => {
				const envelope = decodeCanonical(bytes, 1e6) as { body: Uint8Array };
				return [
					encodeCanonical({
						...envelope,
						body: encodeCanonical({ ...(decodeCanonical(envelope.body, 1e6) as object), ...change })
					})
				];
			});
		for (const meddle of [altered({ pricePer1k: 1 }), altered({ maxTokens: 32_000 })]) {
			const { world, asker, executor } = await pair('altered', meddle);
			expect(endOf(await world.clock.until(asker.ask())).type).toBe('failed');
			expect(executor.contributed).toContainEqual({ type: 'refused', code: 'bad-signature' });
			expect(executor.engine.steps).toBe(0);
		}
		const sealed: Uint8Array[] = [];
		const { world, asker, executor } = await pair('replay', (bytes) => {
			if (typeOf(bytes) === assignJob.type) sealed.push(bytes);
			return [bytes];
		});
		await world.clock.until(asker.ask({ maxTokens: 32, minTokens: 0 }));
		const steps = executor.engine.steps;
		await world.clock.until(
			(async () => {
				const channel = await asker.mesh.open(executor.identity.peer, [], new AbortController().signal);
				await channel.send(sealed[0] as Uint8Array);
			})()
		);
		await world.clock.pass(5_000);
		expect(executor.contributed.at(-1)).toEqual({ type: 'refused', code: 'expired' });
		expect(executor.engine.steps).toBe(steps);
	});

	it('opens channels and says nothing: four of one node may stand, each is closed in time, and honest askers are served', async () => {
		const { world, asker, executor } = await pair('slowloris');
		const rude = await world.node();
		await world.clock.until(
			Promise.all(
				Array.from({ length: 20 }, () => rude.mesh.open(executor.identity.peer, [], new AbortController().signal))
			)
		);
		expect(endOf(await world.clock.until(asker.ask({ maxTokens: 40, minTokens: 0 }))).type).toBe('finished');
		await world.clock.pass(20_000);
		expect(executor.contributed.filter((event) => event.type === 'refused')).toHaveLength(4);
		expect(executor.mesh.channels.size).toBe(0);
	});

	it('cancels somebody else’s job: refused', async () => {
		const { world, asker, executor } = await pair(
			'others',
			meddleWith(acknowledgement.type, 0, (bytes) => [flip(bytes)])
		);
		await world.clock.until(asker.ask());
		expect(executor.contributed).toContainEqual(expect.objectContaining({ type: 'ended', status: 'partial' }));
	});
});

function flip(bytes: Uint8Array): Uint8Array {
	const copy = bytes.slice();
	const last = copy.length - 1;
	copy[last] = (copy[last] as number) ^ 1;
	return copy;
}

describe('checkpoints', () => {
	it('carry the root of the logits they cover', async () => {
		const roots: Uint8Array[] = [];
		const { world, asker } = await pair('roots', (bytes) => {
			if (typeOf(bytes) === checkpoint.type) roots.push(read(checkpoint, bytes).body.logitsRoot);
			return [bytes];
		});
		await world.clock.until(asker.ask());
		expect(new Set(roots.map(String)).size).toBe(3);
	});
});

describe('the bid window', () => {
	/** Virtual ms from the wish to the assignment, for an asker that believes `believed` to be all executors. */
	async function assignedAfter(seed: string, believed: (ids: readonly string[]) => readonly string[] | undefined) {
		const world = new World(seed);
		const executors = [await world.node(), await world.node()];
		for (const executor of executors) await world.clock.until(executor.contribution.start());
		const offering = believed(executors.map(({ identity }) => identity.peer));
		const asker = await world.node(offering === undefined ? {} : { offering });
		let announced = 0;
		let bids = 0;
		const times = { chosen: 0 };
		await world.clock.until(
			asker.ask({ maxTokens: 10, minTokens: 0 }, undefined, {}, (event) => {
				if (event.type === 'announced') announced = world.clock.monotonic();
				if (event.type === 'bid') bids++;
				if (event.type === 'assigned') times.chosen = world.clock.monotonic() - announced;
			})
		);
		return { ms: times.chosen, bids };
	}

	it('closes at once when everybody who could bid has, and stays open for one who has not', async () => {
		const all = await assignedAfter('window', (ids) => ids);
		const unknown = await assignedAfter('window', () => undefined);
		const oneMore = await assignedAfter('window', (ids) => [...ids, 'somebody else']);
		// Two ways for the bid, about four for channel and acceptance, at 20 to 30 ms each.
		expect(all.ms).toBeLessThan(200);
		expect(unknown.ms).toBeGreaterThanOrEqual(BID_WINDOW_MS);
		expect(oneMore.ms).toBe(unknown.ms);
		expect([all.bids, unknown.bids, oneMore.bids]).toEqual([2, 2, 2]);
	});

	it('knows nobody as all there are until a whole round of statements could be heard', async () => {
		const world = new World('round');
		const loud = await world.node();
		const quiet = await world.node();
		const listener = await world.node();
		const offers = new Offers(listener.ports, () => undefined);
		offers.follow(listener.mesh);
		await world.clock.until(loud.contribution.start());
		await world.clock.pass(5_000);
		expect(offers.list().map((offer) => offer.executor)).toEqual([loud.identity.peer]);
		expect(offers.offering(undefined)).toBeUndefined();
		await world.clock.until(quiet.contribution.start());
		await world.clock.pass(12_000);
		expect([...(offers.offering(undefined) ?? [])].sort()).toEqual([loud.identity.peer, quiet.identity.peer].sort());
		expect(offers.offering('another model')).toEqual([]);
	});
});
