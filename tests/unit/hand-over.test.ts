/**
 * Every way to lose an executor in mid-answer, and every cheat the decision page names: on virtual time, over the in-memory network. Whatever
 * happens, no shown token is lost, doubled or changed.
 */
import { describe, expect, it } from 'vitest';
import { openReceipt } from '#lib/node/open-receipt.ts';
import { lossOf } from '#lib/node/race.ts';
import { originate } from '#lib/node/originate.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { assignJob, jobCancel } from '#lib/protocol/assignment.ts';
import { jobAnnouncement, type JobAnnouncement } from '#lib/protocol/announcement.ts';
import { jobBid, type JobBid } from '#lib/protocol/bid.ts';
import { select, type Rank } from '#lib/market/select.ts';
import { successors } from '#lib/market/succeed.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { DEFAULT_POLICY, priceOf } from '#lib/protocol/policy.ts';
import type { Meddle } from '../doubles/network.ts';
import { answerOf, endOf, ORDINARY_WISH, type TestNode } from '../doubles/node.ts';
import { askAnd, handedOver, receiptOf, stage, unbroken, whole, type Stage } from '../doubles/losses.ts';
import { typeOf } from '../doubles/far-end.ts';
import { SAMPLES } from '../fixtures/messages.ts';

const ways: readonly (readonly [name: string, why: string, lose: (stage: Stage) => void])[] = [
	['says goodbye', 'peer-lost', ({ executors }) => void executors[0].mesh.stop()],
	['dies in silence', 'peer-lost', ({ world, executors }) => world.network.vanish(executors[0].identity.peer)],
	[
		'has its channel broken',
		'channel-closed',
		({ executors }) => [...executors[0].mesh.channels].forEach((channel) => channel.abort())
	],
	['stops lending', 'aborted', ({ executors }) => void executors[0].contribution.stop()]
];

describe('an executor that is lost', () => {
	it.each(ways)(
		'%s: another goes on after the last shown token, with the words of the unbroken run',
		async (name, why, lose) => {
			const set = await stage(`lost/${name}`, [{}, {}]);
			const { world, asker, executors } = set;
			const [first, second] = executors;
			const events = await askAnd(set, 50, () => lose(set));
			const [over] = handedOver(events);
			expect(over).toMatchObject({
				from: first.identity.peer,
				to: { id: second.identity.peer },
				exact: true,
				why
			});
			expect(over?.position).toBeGreaterThan(50);
			whole(events);
			expect(answerOf(events).tokens).toEqual(await unbroken(set, events));

			const end = endOf(events) as OriginateEvent & { type: 'finished' };
			expect(end).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
			const receipt = await receiptOf(asker, end.receipt);
			expect(receipt).toMatchObject({ epoch: 2, startPosition: over?.position, status: 'success' });
			expect(receipt.startPosition + receipt.answerTokens).toBe(100);
			// Both hold what they can prove, and the second names the first.
			const theirs = await first.ports.store.receipts.list();
			expect(receipt.predecessors.map(String)).toEqual(
				theirs
					.filter((record) => record.kind === 'checkpoint' || record.counterpart !== undefined)
					.map((record) => record.cid)
			);
			const record = await asker.ports.store.receipts.get(String(receipt.predecessors[0]));
			const opened = await openReceipt(record as NonNullable<typeof record>, world.seals, world.clock.now());
			expect(opened.signatures.map((signature) => signature.valid)).toEqual([true, true]);
			const proved = why === 'aborted' ? (over?.position ?? 0) : 32;
			expect(opened.answerTokens).toBe(proved);
			const prompt = receipt.promptTokens - receipt.startPosition;
			expect(end.price).toBe(receipt.price + priceOf(100_000, prompt + proved));
			expect((await asker.ports.store.jobs.list())[0]).toMatchObject({
				state: 'finished',
				executor: second.identity.peer
			});
		}
	);

	it('stalls: it is late, then gone; it seals what was shown and both sign it', async () => {
		const set = await stage('stall', [{ stallAt: 50 }, {}]);
		const { asker, executors } = set;
		const events = await askAnd(set, 0, () => undefined);
		expect(handedOver(events)).toMatchObject([{ why: 'stalled', position: 50, exact: true }]);
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		const mine = (await asker.ports.store.receipts.list()).map((record) => record.kind).sort();
		expect(mine).toEqual(['checkpoint', 'sealed', 'sealed']);
		const [theirs] = await executors[0].ports.store.receipts.list();
		expect(read(executionReceipt, theirs?.document as Uint8Array).body).toMatchObject({
			epoch: 1,
			status: 'cancelled',
			answerTokens: 50
		});
		expect(theirs?.counterpart).toBeDefined();
		expect(executors[0].engine.state).toBe('ready');
	});

	it('fails in its engine: its receipt says so, and the next one names it', async () => {
		const set = await stage('engine', [{ failAt: { position: 40, code: 'engine-failed' } }, {}]);
		const events = await askAnd(set, 0, () => undefined);
		expect(handedOver(events)).toMatchObject([{ why: 'engine-failed', position: 40 }]);
		whole(events);
		const end = endOf(events) as OriginateEvent & { type: 'finished' };
		const [before] = (await receiptOf(set.asker, end.receipt)).predecessors;
		expect(await receiptOf(set.asker, String(before))).toMatchObject({ status: 'failed', answerTokens: 40 });
	});

	it('cannot hold the prompt: another of the same model could not either, so nobody is asked', async () => {
		const set = await stage('hopeless', [{ failAt: { position: 0, code: 'prompt-too-long' } }, {}]);
		const events = await askAnd(set, 0, () => undefined);
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'prompt-too-long', tokens: 0 });
	});

	it('before its first word: the seed it brought stays, nothing is owed, nothing is named', async () => {
		const set = await stage('early', [{ stallAt: 0 }, {}]);
		const events = await askAnd(set, 0, () => undefined);
		const [over] = handedOver(events);
		expect(over).toMatchObject({ position: 0, why: 'stalled' });
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		const end = endOf(events) as OriginateEvent & { type: 'finished' };
		const receipt = await receiptOf(set.asker, end.receipt);
		expect(receipt).toMatchObject({ startPosition: 0, answerTokens: 100, predecessors: [] });
		expect(end.price).toBe(receipt.price);
	});

	it('in the 20 s that bids hold: nobody is asked again; later: the job is announced once more, without its prompt, for its model', async () => {
		for (const [seed, length, announcements] of [
			['warm', 100, 1],
			['cold', 2_500, 2]
		] as const) {
			const set = await stage(`spare/${seed}`, [{ tokensPerSecond: 90 }, { tokensPerSecond: 80 }]);
			const wish = { minTokens: length, maxTokens: length };
			const events = await askAnd(set, length - 40, () => void set.executors[0].mesh.stop(), wish);
			expect(handedOver(events)).toHaveLength(1);
			whole(events);
			const said = set.world.network.gossip.filter((heard) => heard.topic === 'fireweed/1/announcements');
			expect(said).toHaveLength(announcements);
			const [one, two] = said.map((heard) => read(jobAnnouncement, heard.bytes));
			if (two === undefined) continue;
			expect(two.signer).toEqual(one?.signer);
			expect(two.body).toMatchObject({ job: one?.body.job, model: 'scripted', promptTokens: 4_096 });
			expect(Buffer.concat(said.map((heard) => heard.bytes)).includes('fireweed grow')).toBe(false);
		}
	});

	it('six times over: five are replaced, the sixth ends the answer, and every part has its proof', async () => {
		const set = await stage('unlucky', [
			...[90, 80, 70, 60, 50, 45].map((tokensPerSecond, i) => ({ stallAt: 40 * (i + 1), tokensPerSecond })),
			{ tokensPerSecond: 40 }
		]);
		const events = await askAnd(set, 0, () => undefined, { minTokens: 300, maxTokens: 300 });
		expect(handedOver(events).map(({ position }) => position)).toEqual([40, 80, 120, 160, 200]);
		whole(events);
		const end = endOf(events);
		expect(end).toMatchObject({ type: 'lost', code: 'stalled', tokens: 240 });
		const kept = await set.asker.ports.store.receipts.get((end as { receipt: string }).receipt);
		expect(kept?.kind).toBe('checkpoint');
		const opened = await openReceipt(kept as NonNullable<typeof kept>, set.world.seals, set.world.clock.now());
		expect(opened).toMatchObject({ epoch: 6, startPosition: 200, answerTokens: 32 });
		for (const executor of set.executors.slice(0, 6))
			expect((await executor.ports.store.receipts.list())[0]?.counterpart).toBeDefined();
		const [, , , , , , last] = set.executors as readonly TestNode[];
		expect(last?.engine.steps).toBe(0);
	});

	it('and so is the next, at once: the third goes on from what the second showed', async () => {
		const set = await stage('twice', [{}, {}, {}]);
		const { world, executors } = set;
		let lost = 0;
		const events = await world.clock.until(
			set.asker.ask({}, undefined, {}, (event) => {
				if (event.type === 'words' && event.position === 30) world.network.vanish(executors[0].identity.peer);
				if (event.type === 'words' && event.position === 70 && lost++ === 0) void executors[1].mesh.stop();
			})
		);
		expect(handedOver(events).map(({ to }) => to.id)).toEqual([executors[1].identity.peer, executors[2].identity.peer]);
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		const end = endOf(events) as OriginateEvent & { type: 'finished' };
		const { predecessors, epoch } = await receiptOf(set.asker, end.receipt);
		expect(epoch).toBe(3);
		// The first had one checkpoint; the second none or one.
		expect(predecessors.length).toBeGreaterThanOrEqual(1);
	});

	it('with a successor that is gone too, busy or unreachable: the one after it is tried', async () => {
		const set = await stage('gone', [{}, {}, {}]);
		const { world, executors } = set;
		const events = await askAnd(set, 40, () => {
			world.network.vanish(executors[1].identity.peer);
			void executors[0].mesh.stop();
		});
		expect(handedOver(events).map(({ to }) => to.id)).toEqual([executors[2].identity.peer]);
		whole(events);
		const end = endOf(events) as OriginateEvent & { type: 'finished' };
		expect(await receiptOf(set.asker, end.receipt)).toMatchObject({ epoch: 3 });
	});

	it('with nobody else: the asker is told within two seconds, keeps every word and its partial receipt', async () => {
		for (const lose of [ways[0], ways[1]]) {
			const set = await stage(`nobody/${lose?.[0]}`, [{}]);
			let lostAt = 0;
			let told = 0;
			const events = await set.world.clock.until(
				set.asker.ask({}, undefined, {}, (event) => {
					if (event.type === 'words' && event.position === 50) {
						lostAt = set.world.clock.monotonic();
						lose?.[2](set);
					}
					if (event.type === 'lost') told = set.world.clock.monotonic();
				})
			);
			expect(endOf(events)).toMatchObject({ type: 'lost', code: 'peer-lost' });
			expect(told - lostAt).toBeLessThan(2_000);
			whole(events);
		}
	});

	it('while the person says stop: nobody new gets the prompt', async () => {
		const set = await stage('stopped', [{}, {}]);
		const stop = new AbortController();
		const events = await askAnd(
			set,
			40,
			() => {
				set.world.network.vanish(set.executors[0].identity.peer);
				stop.abort();
			},
			{},
			stop.signal
		);
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events).type).toBe('lost');
		expect(set.executors[1].engine.steps).toBe(0);
	});

	it('when the time of the policy is over: the answer ends there', async () => {
		const set = await stage('deadline', [{ stallAt: 60 }, { stallAt: 80 }]);
		const { world, asker } = set;
		const began = world.clock.monotonic();
		const events = await world.clock.until(asker.ask({}, undefined, { deadlineMs: 8_000 }));
		expect(handedOver(events)).toHaveLength(1);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'cancelled', tokens: 80 });
		expect(world.clock.monotonic() - began).toBeLessThan(12_000);
		whole(events);
	});

	it('when the price of all parts together would break the policy: it ends there', async () => {
		const set = await stage('dear', [{}, {}]);
		const { world, asker, executors } = set;
		const events = await world.clock.until(
			asker.ask({}, undefined, { maxPrice: priceOf(100_000, 64 + 100) }, (event) => {
				if (event.type === 'words' && event.position === 50) void executors[0].mesh.stop();
			})
		);
		expect(endOf(events)).toMatchObject({ type: 'lost' });
		expect(executors[1].engine.steps).toBe(0);
	});
});

describe('who goes on', () => {
	it('is of the same bit-exact class if anybody is, slower or not', async () => {
		const set = await stage('class', [{}, { build: 'other' }, { tokensPerSecond: 20 }]);
		const events = await askAnd(set, 40, () => void set.executors[0].mesh.stop());
		expect(handedOver(events)).toMatchObject([{ to: { id: set.executors[2].identity.peer }, exact: true }]);
	});
	it('else another build, and it is said that the words may differ', async () => {
		const set = await stage('build', [{}, { build: 'other' }]);
		const events = await askAnd(set, 40, () => void set.executors[0].mesh.stop());
		expect(handedOver(events)).toMatchObject([{ to: { id: set.executors[1].identity.peer }, exact: false }]);
		whole(events);
	});
	it('holds a bid that is not in its last moments, and is of an account that lost nothing of this job, if there is one', () => {
		const bid = SAMPLES.find(({ kind }) => kind === jobBid)?.body as JobBid;
		const announcement = SAMPLES.find(({ kind }) => kind === jobAnnouncement)?.body as JobAnnouncement;
		const heard = (executor: string, account: string, change: Partial<JobBid> = {}, heardAt = 0) => ({
			...{ executor, account, heardAt, sameAccount: false },
			bid: { ...bid, ...change }
		});
		const fast = { milliTokensPerSecond: 900_000 };
		const job = {
			...{ announcement, policy: DEFAULT_POLICY, model: bid.model, spent: 0 },
			struckOff: new Set(['lost']),
			accounts: new Set(['did:lost'])
		};
		const bids = [
			heard('lost', 'did:other', fast),
			heard('sibling', 'did:lost', fast),
			heard('ending', 'did:other', { ...fast, validMs: 5_900 }),
			heard('slow', 'did:other')
		];
		const rank: Rank = (each, wanted, policy, now) => select(each, wanted, policy, now);
		expect(successors(bids, job, 5_000, rank).map((choice) => choice.heard.executor)).toEqual(['slow', 'sibling']);
		expect(successors(bids, { ...job, spent: 1e12 }, 5_000, rank)).toEqual([]);
	});
	it('never somebody with another model: its token ids are other words', async () => {
		const set = await stage('model', [{}, { modelId: 'another' }]);
		const events = await askAnd(set, 40, () => void set.executors[0].mesh.stop());
		expect(endOf(events)).toMatchObject({ type: 'lost' });
		expect(set.executors[1].engine.steps).toBe(0);
	});
});

describe('a living executor', () => {
	it('is not replaced for being slow, uneven or away for some seconds', async () => {
		for (const [name, engine] of [
			['slow', { tokensPerSecond: 3 }],
			['uneven', { tokensPerSecond: 60, pauseMs: (at: number) => (at % 17 === 16 ? 900 : 0) }],
			['away', { tokensPerSecond: 60, pauseMs: (at: number) => (at === 40 ? 4_500 : 0) }]
		] as const) {
			const set = await stage(`alive/${name}`, [engine, { tokensPerSecond: 1 }]);
			const events = await askAnd(set, 0, () => undefined);
			expect(handedOver(events)).toEqual([]);
			expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
			whole(events);
		}
	});

	it('is not replaced because this tab slept: its timers came late, and what was sent waited behind them', async () => {
		const set = await stage('asleep', [{ pauseMs: (at) => (at === 40 ? 20_500 : 0) }, {}]);
		const { world, asker } = set;
		let asleepMs = 0;
		const sleep = (ms: number, signal?: AbortSignal) => {
			const late = asleepMs;
			asleepMs = 0;
			return world.clock.sleep(ms + late, signal);
		};
		const { clock } = world;
		Object.assign(asker.ports, { clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), sleep } });
		const events = await askAnd(set, 39, () => (asleepMs = 20_000));
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
	});

	it('is not replaced because its words were not read for a while', async () => {
		const set = await stage('unread', [{}, {}]);
		const { world, asker } = set;
		const events: OriginateEvent[] = [];
		const reading = async () => {
			for await (const event of originate(ORDINARY_WISH, DEFAULT_POLICY, asker.ports, new AbortController().signal)) {
				events.push(event);
				if (event.type === 'words' && event.position === 40) await world.clock.sleep(8_000);
			}
		};
		await world.clock.until(reading());
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		whole(events);
	});
});

describe('cheats', () => {
	/** Frames of one executor, as they are sent. */
	const framesFrom = (sender: () => string, change: (frame: ReturnType<typeof decodeFrame>) => object): Meddle => {
		return (bytes, from) => {
			if (from !== sender() || typeOf(bytes) !== 'Frame') return [bytes];
			const { type: _type, version: _version, ...frame } = decodeFrame(bytes);
			return [encodeFrame({ ...frame, ...change(decodeFrame(bytes)) })];
		};
	};

	it('an old executor that hears no cancel, wakes up and goes on sending: nothing of it is shown', async () => {
		let late = 0;
		const set = await stage('revenant', [{ pauseMs: (at) => (at === 40 ? 6_000 : 0) }, { tokensPerSecond: 10 }]);
		const { world, executors } = set;
		world.network.meddle = (bytes, from) => {
			if (typeOf(bytes) === jobCancel.type) return [];
			if (typeOf(bytes) === 'Frame' && from === executors[0].identity.peer && decodeFrame(bytes).position >= 40) late++;
			return [bytes];
		};
		const events = await askAnd(set, 0, () => undefined);
		expect(late).toBeGreaterThan(0);
		expect(handedOver(events)).toHaveLength(1);
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		// It holds what was acknowledged before the cut, and its engine is free.
		expect((await executors[0].ports.store.receipts.list())[0]).toMatchObject({ kind: 'checkpoint' });
		expect(executors[0].contributed.at(-2)).toMatchObject({ type: 'ended', status: 'partial' });
		expect(executors[0].engine.state).toBe('ready');
	});

	it('an old executor that bills more than was shown: not countersigned', async () => {
		const set = await stage('greedy', [{ stallAt: 40 }, {}]);
		const { world, executors } = set;
		world.network.meddle = (bytes, from, to) => {
			if (typeOf(bytes) !== executionReceipt.type || from !== executors[0].identity.peer) return [bytes];
			world.network.meddle = undefined;
			const { body } = read(executionReceipt, bytes);
			const { node, certificate } = executors[0].identity;
			void seal(executionReceipt, { ...body, answerTokens: 60 }, node, certificate).then((signed) =>
				[...executors[0].mesh.channels].find((channel) => channel.peer === to)?.send(signed.bytes)
			);
			return [];
		};
		const events = await askAnd(set, 0, () => undefined);
		expect(endOf(events)).toMatchObject({ type: 'finished' });
		const kept = (await set.asker.ports.store.receipts.list()).map((record) => record.kind).sort();
		expect(kept).toEqual(['checkpoint', 'sealed']);
	});

	it('one that says itself why it stopped, in words that weigh nothing: it left off', () => {
		const receipt = (code: string) =>
			({ cid: undefined, body: { status: 'partial', code } }) as unknown as Parameters<typeof lossOf>[0];
		for (const code of ['internal', 'busy', 'deadline-passed', 'expired', 'locked', 'no such code'])
			expect(lossOf(receipt(code)).code).toBe('aborted');
		for (const code of ['engine-failed', 'prompt-too-long', 'no-acknowledgement'])
			expect(lossOf(receipt(code)).code).toBe(code);
	});

	it('an old executor that bids again for its own job: it does not get it', async () => {
		const set = await stage('again', [{}]);
		const [executor] = set.executors;
		// Its channel broken, its engine is free, and it answers the new announcement.
		const events = await askAnd(set, 40, () => [...executor.mesh.channels].forEach((channel) => channel.abort()));
		const considered = executor.contributed.filter((event) => event.type === 'considered');
		expect(considered.map((event) => event.verdict)).toEqual(['bid', 'bid']);
		expect(endOf(events)).toMatchObject({ type: 'lost', code: 'channel-closed' });
	});

	it('a successor that doubles the seam, leaves a gap, or speaks for the old epoch: refused, and the next goes on', async () => {
		const lies: readonly [string, (frame: ReturnType<typeof decodeFrame>) => object][] = [
			['out-of-order', ({ position }) => ({ position: position - 1 })],
			['out-of-order', ({ position }) => ({ position: position + 1 })],
			['old-epoch', () => ({ epoch: 1 })]
		];
		for (const [why, change] of lies) {
			const set = await stage(`seam/${why}`, [{}, {}, {}]);
			const { world, executors } = set;
			world.network.meddle = framesFrom(() => executors[1].identity.peer, change);
			const events = await askAnd(set, 40, () => void executors[0].mesh.stop());
			expect(handedOver(events).map((event) => event.why)).toEqual(['peer-lost', why]);
			whole(events);
			expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		}
	});

	it('a successor whose receipt claims other tokens before the seam, or a longer part: not countersigned', async () => {
		for (const change of [{ startPosition: 0 }, { startPosition: 0, answerTokens: 100 }, { predecessors: [] }]) {
			const set = await stage('claims', [{}, {}]);
			const { world, executors, asker } = set;
			world.network.meddle = (bytes, from, to) => {
				if (typeOf(bytes) !== executionReceipt.type || from !== executors[1].identity.peer) return [bytes];
				world.network.meddle = undefined;
				const { node, certificate } = executors[1].identity;
				void seal(executionReceipt, { ...read(executionReceipt, bytes).body, ...change }, node, certificate).then(
					(signed) => [...executors[1].mesh.channels].find((channel) => channel.peer === to)?.send(signed.bytes)
				);
				return [];
			};
			const events = await askAnd(set, 40, () => void executors[0].mesh.stop());
			expect(endOf(events)).toMatchObject({ type: 'lost', code: 'terms-differ' });
			whole(events);
			const sealed = (await asker.ports.store.receipts.list()).filter((record) => record.kind === 'sealed');
			expect(sealed).toEqual([]);
		}
	});

	it('an asker that takes the seed from an epoch that has not been: refused', async () => {
		const set = await stage('seed', [{}]);
		const { world, asker, executors } = set;
		let key: ReturnType<typeof asker.ports.jobKey> | undefined;
		const jobKey = asker.ports.jobKey;
		Object.assign(asker.ports, { jobKey: () => (key = jobKey()) });
		world.network.meddle = (bytes, _from, to) => {
			if (typeOf(bytes) !== assignJob.type) return [bytes];
			world.network.meddle = undefined;
			const { body } = read(assignJob, bytes);
			const seedFrom = { epoch: 1, originatorNonce: new Uint8Array(32), executorNonce: new Uint8Array(32) };
			void key?.then(async (signer) => {
				const signed = await seal(assignJob, { ...body, seedFrom }, signer);
				await [...asker.mesh.channels].find((channel) => channel.peer === to)?.send(signed.bytes);
			});
			return [];
		};
		expect(endOf(await world.clock.until(asker.ask()))).toEqual({ type: 'failed', code: 'terms-differ' });
		expect(executors[0].engine.steps).toBe(0);
	});
});
