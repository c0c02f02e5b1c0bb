/**
 * Standing by: a second executor answers the same job beside the first, and the first valid frame for each position is shown. Every way to lose one of
 * them, and every cheat of docs/decisions/hedging.md: on virtual time, over the in-memory network.
 */
import { describe, expect, it } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { mostItCanCost } from '#lib/market/price.ts';
import { standing, type Told } from '#lib/market/race.ts';
import { assignJob, jobCancel } from '#lib/protocol/assignment.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { checkpoint } from '#lib/protocol/checkpoint.ts';
import { read, seal } from '#lib/protocol/envelope.ts';
import { decodeFrame, encodeFrame } from '#lib/protocol/frame.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { askAnd, handedOver, receiptOf, stage, unbroken, whole, type Stage } from '../doubles/losses.ts';
import { typeOf } from '../doubles/far-end.ts';
import { answerOf, endOf, type TestNode } from '../doubles/node.ts';

const HEDGED = { hedge: 1 };
/** Long enough that a loss is noticed before the answer is whole. */
const LONG = { minTokens: 300, maxTokens: 300 };
const standbys = (events: readonly OriginateEvent[]) =>
	events.flatMap((event) => (event.type === 'standby' ? [event.executor.id] : []));
const hedged = (set: Stage, at: number, act: () => void, policy = {}) =>
	askAnd(set, at, act, {}, undefined, { ...HEDGED, ...policy });
const sealedBy = async ({ ports }: TestNode) =>
	(await ports.store.receipts.list())
		.filter(({ kind, counterpart }) => kind === 'sealed' && counterpart !== undefined)
		.map(({ document }) => read(executionReceipt, document).body);

/** The longest wait for a word after something happened, ms of virtual time. */
async function longestGap(set: Stage, at: number, act: () => void, policy: object): Promise<number> {
	let [before, most] = [0, 0];
	await set.world.clock.until(
		set.asker.ask(LONG, undefined, policy, (event) => {
			if (event.type !== 'words') return;
			const now = set.world.clock.monotonic();
			if (event.position > at) most = Math.max(most, now - before);
			if (event.position === at) act();
			before = now;
		})
	);
	return most;
}

describe('a standby', () => {
	it('answers the same words under the same seed; nothing is shown twice, and both are paid what they delivered', async () => {
		const set = await stage('both', [{}, { tokensPerSecond: 80 }]);
		const [first, second] = set.executors;
		const events = await hedged(set, 0, () => undefined);
		expect(standbys(events)).toEqual([second.identity.peer]);
		expect(handedOver(events)).toEqual([]);
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		const [[one], [other]] = [await sealedBy(first), await sealedBy(second)];
		expect(one).toMatchObject({ status: 'success', epoch: 1, startPosition: 0, answerTokens: 100 });
		expect(other).toMatchObject({ status: 'cancelled', epoch: 2, startPosition: 0 });
		// All it had sent when it heard that it was not needed any more: more than was shown of it, never more than it computed.
		expect(other?.answerTokens).toBe(second.engine.steps);
		expect(other?.answerTokens).toBeGreaterThan(60);
		expect(other?.seed).toEqual(one?.seed);
		const end = endOf(events);
		expect(end).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		const { price } = end as { price: number };
		expect(price).toBeGreaterThan(one?.price ?? Infinity);
		expect(price).toBeLessThanOrEqual((one?.price ?? 0) + (other?.price ?? 0));
	});

	it('is asked for by policy only, and of the bit-exact class only', async () => {
		const without = await stage('none', [{}, {}]);
		expect(standbys(await askAnd(without, 0, () => undefined))).toEqual([]);
		expect(without.executors[1].engine.steps).toBe(0);
		const other = await stage('other', [{}, { build: 'other' }]);
		const events = await hedged(other, 0, () => undefined);
		expect(standbys(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(other.executors[1].engine.steps).toBe(0);
	});

	it('stands in as many as the policy says, of other accounts before those of the first', async () => {
		const set = await stage('two', [{}, {}, {}, {}]);
		const events = await hedged(set, 0, () => undefined, { hedge: 2 });
		expect(standbys(events)).toHaveLength(2);
		expect(set.executors[3].engine.steps).toBe(0);
	});

	it('goes on when the first is lost, whichever way, within a fraction of what finding out takes', async () => {
		const ways: readonly ((set: Stage) => void)[] = [
			({ executors }) => void executors[0].mesh.stop(),
			({ world, executors }) => world.network.vanish(executors[0].identity.peer),
			({ executors }) => [...executors[0].mesh.channels].forEach((channel) => channel.abort())
		];
		for (const [i, lose] of ways.entries()) {
			const set = await stage(`lost/${i}`, [{}, { tokensPerSecond: 80 }]);
			const gap = await longestGap(set, 50, () => lose(set), HEDGED);
			expect(gap).toBeLessThan(300);
			const again = await stage(`lost/${i}`, [{}, { tokensPerSecond: 80 }]);
			const events = await askAnd(again, 50, () => lose(again), LONG, undefined, HEDGED);
			expect(handedOver(events)).toMatchObject([{ to: { id: again.executors[1].identity.peer }, exact: true }]);
			whole(events);
			expect(answerOf(events).tokens).toEqual(await unbroken(again, events, LONG));
			const end = endOf(events) as OriginateEvent & { type: 'finished' };
			expect(await receiptOf(again.asker, end.receipt)).toMatchObject({
				epoch: 2,
				startPosition: 0,
				answerTokens: 300
			});
		}
		// The same without: as long as the heartbeat takes, and a new beginning.
		const set = await stage('lost/plain', [{}, { tokensPerSecond: 80 }]);
		const gap = await longestGap(set, 50, () => set.world.network.vanish(set.executors[0].identity.peer), {});
		expect(gap).toBeGreaterThan(1_200);
	});

	it('that stalls for a while hides nothing, and one that the first outruns is not missed', async () => {
		const set = await stage('pause', [{ pauseMs: (at) => (at === 40 ? 4_000 : 0) }, { tokensPerSecond: 60 }]);
		const gap = await longestGap(set, 39, () => undefined, HEDGED);
		expect(gap).toBeLessThan(400);
		const lost = await stage('standby lost', [{}, {}]);
		const events = await hedged(lost, 30, () => lost.world.network.vanish(lost.executors[1].identity.peer));
		expect(handedOver(events)).toEqual([]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		whole(events);
	});

	it('is replaced when it took over or was lost: the next one stands by from the shown words on', async () => {
		for (const lost of [0, 1]) {
			const set = await stage(`again/${lost}`, [{}, { tokensPerSecond: 80 }, {}]);
			const { executors } = set;
			const events = await hedged(set, 40, () => void executors[lost as 0].mesh.stop());
			expect(standbys(events)).toEqual([executors[1].identity.peer, executors[2].identity.peer]);
			whole(events);
			const [third] = await sealedBy(executors[2]);
			expect(third?.startPosition).toBeGreaterThanOrEqual(40);
		}
	});

	it('and the first are lost together: a third goes on after what was shown', async () => {
		const set = await stage('together', [{}, { tokensPerSecond: 80 }, {}, {}]);
		const { executors } = set;
		const events = await hedged(set, 50, () => {
			void executors[0].mesh.stop();
			void executors[1].mesh.stop();
		});
		whole(events);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		const end = endOf(events) as OriginateEvent & { type: 'finished' };
		const { startPosition, predecessors } = await receiptOf(set.asker, end.receipt);
		expect(startPosition).toBeGreaterThan(50);
		expect(predecessors.length).toBeGreaterThan(0);
	});

	it('that is done first ends the job, and the first is paid what it delivered', async () => {
		const set = await stage('outrun', [{ pauseMs: (at) => (at === 90 ? 3_000 : 0) }, { tokensPerSecond: 60 }]);
		const events = await hedged(set, 0, () => undefined);
		whole(events);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		expect((await sealedBy(set.executors[0]))[0]).toMatchObject({ status: 'cancelled', answerTokens: 90 });
		expect((await sealedBy(set.executors[1]))[0]).toMatchObject({ status: 'success', answerTokens: 100 });
	});

	it('stops with the first when the person says stop, and nobody new is asked', async () => {
		const set = await stage('stop', [{}, {}, {}]);
		const stop = new AbortController();
		const events = await askAnd(set, 40, () => stop.abort(), {}, stop.signal, HEDGED);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'cancelled' });
		expect(handedOver(events)).toEqual([]);
		for (const { engine } of set.executors.slice(0, 2)) {
			expect(engine.state).toBe('ready');
			expect(engine.steps).toBeLessThan(60);
		}
		expect(set.executors[2].engine.steps).toBe(0);
		whole(events);
	});
});

describe('the price', () => {
	const announcementOf = ({ world }: Stage) => {
		const first = world.network.gossip.find(({ bytes }) => typeOf(bytes) === jobAnnouncement.type);
		return read(jobAnnouncement, first?.bytes as Uint8Array).body;
	};
	it('of both together stays within the policy, else nobody stands by', async () => {
		const probe = await stage('price', [{}, {}]);
		await hedged(probe, 0, () => undefined);
		const most = mostItCanCost(announcementOf(probe), 100_000);
		for (const [maxPrice, want] of [
			[2 * most, 1],
			[2 * most - 1, 0]
		] as const) {
			const set = await stage('price', [{}, {}]);
			const events = await hedged(set, 0, () => undefined, { maxPrice });
			expect(standbys(events)).toHaveLength(want);
			expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		}
	});
});

describe('cheats', () => {
	it('a standby is sent nothing but its assignment, acknowledgements of its own words and its leave: there is nothing to copy', async () => {
		const set = await stage('blind', [{}, {}]);
		const got: string[] = [];
		set.world.network.meddle = (bytes, _from, to) => {
			if (to === set.executors[1].identity.peer) {
				got.push(typeOf(bytes) ?? '');
				if (typeOf(bytes) === assignJob.type) expect(read(assignJob, bytes).body.continueFrom).toEqual([]);
			}
			return [bytes];
		};
		await hedged(set, 0, () => undefined);
		const known = ['AssignJob', 'Acknowledgement', 'JobCancel', 'ExecutionReceiptCountersignature'];
		expect(got.filter((type) => !known.includes(type) && !type.startsWith('ExecutionReceipt'))).toEqual([]);
		expect(got.filter((type) => type === assignJob.type)).toHaveLength(1);
	});

	it('one that is behind with other words is let go, and nothing of it is shown', async () => {
		const set = await stage('liar/behind', [{}, { tokensPerSecond: 30, lieFrom: 20 }]);
		const events = await hedged(set, 0, () => undefined);
		whole(events);
		expect(handedOver(events)).toEqual([]);
		expect(answerOf(events).tokens).toEqual(await unbroken(set, events));
		expect(await sealedBy(set.executors[1])).toEqual([]);
	});

	it('one that is first with other words: what was shown stays, the other is let go, and the seam is not called exact', async () => {
		const late = { pauseMs: (at: number) => (at === 40 ? 2_000 : 0) };
		const set = await stage('liar/first', [late, { tokensPerSecond: 40, lieFrom: 42 }]);
		const events = await hedged(set, 0, () => undefined);
		whole(events);
		expect(handedOver(events)).toMatchObject([{ exact: false, why: 'terms-differ' }]);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		// The honest one holds what was acknowledged until then.
		const kept = await set.asker.ports.store.receipts.list();
		expect(kept.map(({ kind }) => kind).sort()).toEqual(['checkpoint', 'sealed']);
	});

	it('one that sends on after its leave to be paid more: words that were not shown are not signed for', async () => {
		const set = await stage('greedy', [{}, { tokensPerSecond: 60 }]);
		let left = false;
		set.world.network.meddle = (bytes, from, to) => {
			if (typeOf(bytes) === jobCancel.type && to === set.executors[1].identity.peer) left = true;
			if (from !== set.executors[1].identity.peer || typeOf(bytes) !== 'Frame' || !left) return [bytes];
			const { type: _type, version: _version, ...frame } = decodeFrame(bytes);
			return [encodeFrame({ ...frame, tokens: [7, 7], text: 'w7 w7 ' })];
		};
		const events = await hedged(set, 0, () => undefined);
		expect(left).toBe(true);
		whole(events);
		expect(await sealedBy(set.executors[1])).toEqual([]);
	});

	it('one that bills more than it sent is not countersigned', async () => {
		const set = await stage('bill', [{}, { tokensPerSecond: 60 }]);
		const { world, executors } = set;
		world.network.meddle = (bytes, from, to) => {
			if (typeOf(bytes) !== executionReceipt.type || from !== executors[1].identity.peer) return [bytes];
			world.network.meddle = undefined;
			const { node, certificate } = executors[1].identity;
			const body = { ...read(executionReceipt, bytes).body, answerTokens: 100 };
			void seal(executionReceipt, body, node, certificate).then((signed) =>
				[...executors[1].mesh.channels].find((channel) => channel.peer === to)?.send(signed.bytes)
			);
			return [];
		};
		const events = await hedged(set, 0, () => undefined);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		expect(await sealedBy(executors[1])).toEqual([]);
	});

	it('a standby that signs nothing is let go after one interval, and the answer does not wait for it', async () => {
		const set = await stage('unsigned', [{}, { tokensPerSecond: 85 }]);
		set.world.network.meddle = (bytes, from) =>
			from === set.executors[1].identity.peer && typeOf(bytes) === checkpoint.type ? [] : [bytes];
		const events = await hedged(set, 0, () => undefined);
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success', tokens: 100 });
		whole(events);
		expect(await sealedBy(set.executors[1])).toEqual([]);
	});
});

describe('what is shown', () => {
	it('is the same whoever is first, however the frames are cut, as long as all tell the same', () => {
		const chance = new SeededRandom('race');
		for (let round = 0; round < 300; round++) {
			const all = Array.from({ length: 1 + chance.below(40) }, () => chance.below(50));
			const text = (tokens: readonly number[]) => tokens.map((token) => 'ab'.repeat(token % 4)).join('');
			const shown = { tokens: [] as number[], text: '' };
			const tellers = Array.from({ length: 1 + chance.below(3) }, () => ({ length: 0, agreed: 0 }));
			while (tellers.some(({ length }) => length < all.length)) {
				const teller = tellers[chance.below(tellers.length)] as (typeof tellers)[number];
				teller.length = Math.min(all.length, teller.length + 1 + chance.below(3));
				const tokens = all.slice(0, teller.length);
				const told: Told = { tokens, text: text(tokens), after: { tokens: 0, characters: 0 } };
				const found = standing(shown, told, teller.agreed);
				expect(found.type).not.toBe('parted');
				if (found.type === 'ahead') {
					shown.tokens.push(...found.tokens);
					shown.text += found.text;
				}
				teller.agreed = Math.min(tokens.length, shown.tokens.length);
			}
			expect(shown).toEqual({ tokens: all, text: text(all) });
		}
	});

	it('parts at the first other token or word, before or after what is shown', () => {
		const shown = { tokens: [1, 2, 3], text: 'a b c ' };
		const told = (tokens: number[], text: string, after = { tokens: 0, characters: 0 }) =>
			standing(shown, { tokens, text, after }, 0).type;
		expect(told([1, 2], 'a b ')).toBe('behind');
		expect(told([1, 2, 3, 4], 'a b c d ')).toBe('ahead');
		expect(told([1, 9], 'a b ')).toBe('parted');
		expect(told([1, 2], 'a x ')).toBe('parted');
		expect(told([1, 2, 9, 4], 'a b c d ')).toBe('parted');
		expect(told([1, 2, 3, 4], 'a x c d ')).toBe('parted');
		expect(told([3], 'c ', { tokens: 2, characters: 4 })).toBe('behind');
		expect(told([3, 4], 'c d ', { tokens: 2, characters: 4 })).toBe('ahead');
		expect(told([4], 'c ', { tokens: 2, characters: 4 })).toBe('parted');
	});
});

describe('a standby that joins in the last moment', () => {
	/** A disk that takes a while for a receipt; the standby's acceptance comes just then. */
	async function late(name: string) {
		const set = await stage(`late/${name}`, [{}, { tokensPerSecond: 80 }]);
		const { world, asker, executors } = set;
		const [first, second] = executors;
		const { receipts } = asker.ports.store;
		const put: typeof receipts.put = async (record) => {
			if (record.kind === 'sealed') await world.clock.sleep(200);
			await receipts.put(record);
		};
		Object.assign(asker.ports, { store: { ...asker.ports.store, receipts: { ...receipts, put } } });
		const held: Uint8Array[] = [];
		world.network.meddle = (bytes, from) => {
			// Its words wait too: nothing overtakes on a channel.
			if (from === second.identity.peer && (typeOf(bytes) === jobStatus.type || held.length > 0)) {
				held.push(bytes);
				return [];
			}
			if (from === first.identity.peer && typeOf(bytes) === executionReceipt.type) {
				const [channel] = second.mesh.channels;
				world.clock.at(world.clock.monotonic() + 100, () => {
					world.network.meddle = undefined;
					for (const said of held) void channel?.send(said).catch(() => undefined);
				});
			}
			return [bytes];
		};
		return set;
	}

	it('is let go with the others', async () => {
		const set = await late('finished');
		const events = await set.world.clock.until(set.asker.ask({}, undefined, HEDGED));
		expect(endOf(events)).toMatchObject({ type: 'finished', status: 'success' });
		await set.world.clock.pass(4_000);
		for (const { mesh } of [set.asker, ...set.executors]) expect(mesh.held.channels).toBe(0);
	});

	it('leads when the last one is lost', async () => {
		const set = await late('lost');
		const [first, second] = set.executors;
		const events = await hedged(set, 20, () => void first.contribution.stop());
		expect(handedOver(events)).toMatchObject([{ to: { id: second.identity.peer }, reason: 'it stood by' }]);
	});
});
