/** An answer as it comes in: what is told of it, in which order, until its receipt or until nobody is left who gives it. */
import { describe, expect, it, vi } from 'vitest';
import type { Again, OriginateEvent } from '#lib/node/events.ts';
import { follow } from '#lib/node/follow.ts';
import { facts } from '#lib/node/hire.ts';
import type { HiredJob } from '#lib/node/hired-job.ts';
import type { Left } from '#lib/node/race.ts';
import { Spares } from '#lib/node/spares.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { MODEL, Scene, textOf, type Begun, type Player, type PlayerOptions } from '../doubles/played.ts';

interface Set {
	readonly begun?: Begun;
	/** One that stands by, and what it offers beyond the ordinary. */
	readonly standby?: PlayerOptions;
	/** Another page had shown these. */
	readonly shown?: readonly number[];
	readonly bid?: PlayerOptions['bid'];
}

async function stage({ begun = {}, standby, shown, bid = {} }: Set = {}) {
	const scene = await Scene.set('follow', { policy: { hedge: standby === undefined ? 0 : 1 } });
	const { ports, job, wish, clock } = scene;
	const leader = await scene.player({ bid });
	let hired: HiredJob = await leader.hire(begun);
	if (shown !== undefined) {
		const transcript = {
			...{
				job: job.id,
				epoch: 1,
				assignment: hired.assignment.cid,
				start: 0,
				maxTokens: 100,
				sequence: 0,
				position: 0
			},
			...{ chain: chainStart(hired.assignment.bodyBytes), checked: 0, lastCheckpoint: undefined }
		};
		const resumed = { transcript, tokens: [], text: '', shown: { tokens: shown, text: textOf(shown) }, attempt: 1 };
		hired = leader.takes({ ...hired, resumed });
	}
	const spares = new Spares({ ranked: { job, choices: [], announcements: [] }, tried: new Set() }, wish, ports);
	spares.hired(hired);
	const second = (await scene.player(standby)).accepts();
	const search = vi.spyOn(spares, 'beside').mockResolvedValue([]);
	if (standby !== undefined) search.mockResolvedValueOnce([{ heard: second.bid, reason: 'next' }]);
	const ending = new AbortController();
	const events = follow(hired, wish, spares, ports, ending.signal);
	const told: (OriginateEvent | Again)[] = [];
	let left: Left | undefined | 'running' = 'running';
	return {
		...{ scene, clock, leader, hired, spares, second, ending, events },
		leads: vi.spyOn(spares, 'hired'),
		warm: vi.spyOn(spares, 'warm').mockReturnValue(),
		failed: vi.spyOn(ports.registry, 'failed').mockReturnValue(),
		learn: vi.spyOn(ports.registry, 'learn').mockReturnValue(),
		/** What is told from here on until nothing is left to be told just now. */
		hears: async (...said: readonly (readonly [Player, ...Uint8Array[]])[]) => {
			const from = told.length;
			if (left === 'running' && from === 0) void read();
			for (const [player, ...bytes] of said) {
				player.says(...bytes);
				await clock.pass(1);
			}
			await clock.pass(1);
			return told.slice(from);
		},
		left: () => left
	};
	async function read(): Promise<void> {
		for (;;) {
			const next = await events.next();
			if (next.done === true) return void (left = next.value);
			told.push(next.value);
		}
	}
}

describe('an answer', () => {
	it('is told as it comes in, and a checkpoint is acknowledged once it was told', async () => {
		const { events, leader, clock, hired } = await stage();
		const next = async () => (await clock.until(events.next())).value as unknown;
		expect(await next()).toStrictEqual({ type: 'accepted' });
		leader.says(leader.frame([1, 2]), await leader.checkpoint());
		expect(await next()).toStrictEqual({ type: 'words', tokens: [1, 2], text: 'w1 w2 ', position: 0 });
		expect(await next()).toStrictEqual({ type: 'checkpoint', tokens: 2, receipt: leader.checked });
		expect(leader.channel.acknowledged).toEqual([]);
		const sealed = await leader.sealed();
		leader.says(sealed.bytes);
		expect(await next()).toMatchObject({ type: 'finished', status: 'success', receipt: sealed.cid.toString() });
		expect(leader.channel.acknowledged).toEqual([leader.checked]);
		expect(await next()).toBeUndefined();
		expect(hired.inbox.idle).toBe(true);
		expect(leader.channel.cancels).toEqual([]);
	});

	it('that another page had shown is passed on for the record, and told from its new words on', async () => {
		const { hears, leader } = await stage({ shown: [1, 2] });
		expect(await hears([leader, leader.frame([1]), leader.frame([2]), leader.frame([3])])).toMatchObject([
			{ type: 'accepted' },
			{ type: 'again', tokens: [1], text: 'w1 ', position: 0 },
			{ type: 'again', tokens: [2], text: 'w2 ', position: 1 },
			{ type: 'words', tokens: [3], text: 'w3 ', position: 2 }
		]);
	});

	it('is asked to be sealed when the person says stop, and what comes then is the whole of it', async () => {
		const { hears, leader, ending, left } = await stage();
		await hears([leader, leader.frame([1])]);
		ending.abort();
		expect(await hears()).toEqual([]);
		expect(leader.channel.cancels).toEqual(['stopped']);
		const sealed = await leader.receipt({ status: 'cancelled' });
		expect(await hears([leader, sealed])).toMatchObject([{ type: 'finished', status: 'cancelled', tokens: 1 }]);
		expect(left()).toBeUndefined();
	});

	it('that nobody reads any more lets its executor go', async () => {
		const { events, leader, clock } = await stage();
		await clock.until(events.next());
		await clock.until(events.return(undefined));
		await clock.pass(1);
		expect(leader.channel.cancels).toEqual(['replaced']);
	});
});

describe('one executor that is lost', () => {
	it.each([
		['ends its channel', 'channel-closed'],
		['lies', 'out-of-order'],
		['stalls', 'stalled']
	])('because it %s leaves what is there', async (how, code) => {
		const { hears, leader, clock, left, hired, failed } = await stage({ bid: { firstTokenMs: 0 } });
		await hears([leader, leader.frame([1])]);
		if (how === 'lies') await hears([leader, leader.frame([2], 'w2 ', { position: 7 })]);
		else if (how === 'stalls') await clock.pass(5_500);
		else hired.inbox.put({ type: 'ended', code: undefined });
		await clock.pass(1);
		expect(left()).toMatchObject({ code, shown: [1], agreed: true, ending: { type: 'lost', code, tokens: 1 } });
		expect(failed.mock.calls.map(([, ...rest]) => rest)).toEqual([[code, 'answering']]);
	});

	it('by its own receipt leaves that', async () => {
		const { hears, leader, left } = await stage();
		const frame = leader.frame([1]);
		await hears([leader, frame, await leader.receipt({ status: 'failed', code: 'engine-failed' })]);
		expect(left()).toMatchObject({ code: 'engine-failed', parts: [{ answerTokens: 1, price: 1_300 }] });
	});

	it('by a fault of our own is written down', async () => {
		const { hears, leader, left, scene } = await stage();
		const frame = leader.frame([1]);
		scene.world.seals.verify = () => Promise.reject(new Error('no crypto here'));
		await hears([leader, frame, await leader.checkpoint()]);
		expect(left()).toMatchObject({ code: 'internal' });
		expect(scene.logged('follow-failed')).toStrictEqual([{ error: 'Error: no crypto here' }]);
		const lied = await stage();
		await lied.hears([lied.leader, Uint8Array.of(255)]);
		expect(lied.left()).toMatchObject({ code: 'malformed' });
		expect(lied.scene.logged('follow-failed')).toEqual([]);
	});

	it('because it tells other words than those shown is said to have done so', async () => {
		const { hears, leader, left, learn } = await stage({ shown: [1] });
		await hears([leader, leader.frame([7])]);
		expect(left()).toMatchObject({ code: 'terms-differ', agreed: false });
		expect(learn.mock.calls.map(([, outcome]) => outcome)).toEqual([{ type: 'broken', gravity: 1 }]);
	});

	it('because it ends where more was shown is another than those who showed it', async () => {
		const { hears, leader, left } = await stage({ shown: [1, 2] });
		const frame = leader.frame([1]);
		await hears([leader, frame, await leader.receipt()]);
		expect(left()).toMatchObject({ code: 'terms-differ', agreed: false, shown: [1, 2] });
	});
});

describe('one that is late', () => {
	it('has somebody else looked for, with what was shown, while nothing of it is there to read', async () => {
		const { hears, leader, clock, warm } = await stage({ bid: { firstTokenMs: 0, milliTokensPerSecond: 10_000 } });
		await hears([leader, leader.frame([1])]);
		await clock.pass(390);
		expect(warm).not.toHaveBeenCalled();
		await clock.pass(20);
		expect(warm).toHaveBeenCalledTimes(1);
		expect(warm).toHaveBeenCalledWith([1]);
		await clock.pass(10);
		// What it says without a word of the answer is not the silence that is looked at.
		await hears([leader, await leader.checkpoint()]);
		expect(warm).toHaveBeenCalledTimes(1);
	});

	it('after a stop has nobody looked for', async () => {
		const { hears, clock, warm, ending } = await stage({ bid: { firstTokenMs: 0 } });
		await hears();
		ending.abort();
		await clock.pass(2_500);
		expect(warm).not.toHaveBeenCalled();
	});
});

describe('with one that stands by', () => {
	it('it is told who, its checkpoints are acknowledged in silence, and only new words are told', async () => {
		const { hears, leader, second } = await stage({ standby: {} });
		expect(await hears()).toEqual([{ type: 'accepted' }, { type: 'standby', executor: facts(second.bid) }]);
		expect(await hears([leader, leader.frame([1])])).toMatchObject([{ type: 'words' }]);
		expect(await hears([second, second.frame([1])])).toEqual([]);
		expect(await hears([second, await second.checkpoint()])).toEqual([]);
		expect(second.channel.acknowledged).toEqual([second.checked]);
		expect(await hears([leader, await leader.checkpoint()])).toMatchObject([{ type: 'checkpoint', tokens: 1 }]);
	});

	it('the first that is whole ends it', async () => {
		const { hears, leader, second, left } = await stage({ standby: {} });
		await hears();
		await hears([leader, leader.frame([1, 2])]);
		expect(await hears([second, second.frame([1, 2]), await second.receipt()])).toMatchObject([
			{ type: 'finished', status: 'success', tokens: 2 }
		]);
		expect(left()).toBeUndefined();
		expect(leader.channel.cancels).toEqual(['replaced']);
	});

	it('that is lost nothing is told, and it is looked for no better', async () => {
		const { hears, second, leader, leads, left } = await stage({ standby: {} });
		await hears();
		expect(await hears([second, Uint8Array.of(255)])).toEqual([]);
		expect(leads).not.toHaveBeenCalled();
		expect(left()).toBe('running');
		expect(await hears([leader, leader.frame([1])])).toMatchObject([{ type: 'words' }]);
	});

	it('it leads when the first is lost', async () => {
		const { hears, leader, second, leads, scene, hired } = await stage({ standby: {} });
		await hears();
		await hears([leader, leader.frame([1])]);
		hired.inbox.put({ type: 'ended', code: 'peer-lost' });
		expect(await hears()).toStrictEqual([
			{
				...{ type: 'handed-over', from: leader.bid.executor, to: facts(second.bid), position: 1, exact: true },
				...{ why: 'peer-lost', reason: 'it stood by' }
			}
		]);
		expect(leads.mock.calls.map(([next]) => next.executor)).toEqual([second.bid]);
		expect(scene.logged('handed-over')).toStrictEqual([{ why: 'peer-lost', epoch: 2, ms: 0 }]);
		expect(await hears([second, second.frame([1, 2])])).toMatchObject([{ type: 'words', tokens: [2] }]);
		expect(await hears([second, await second.checkpoint()])).toMatchObject([{ type: 'checkpoint', tokens: 2 }]);
	});

	it('the seam is not exact when the first had told other words, or the next is of another class', async () => {
		const parted = await stage({ standby: {} });
		await parted.hears();
		await parted.hears([parted.second, parted.second.frame([1, 2])]);
		expect(await parted.hears([parted.leader, parted.leader.frame([7])])).toMatchObject([
			{ type: 'handed-over', exact: false, why: 'terms-differ', position: 2 }
		]);
		const model = { ...MODEL, engineHash: new Uint8Array(32) };
		const other = await stage({ standby: { bid: { model } } });
		await other.hears();
		other.hired.inbox.put({ type: 'ended', code: undefined });
		expect(await other.hears()).toMatchObject([{ type: 'handed-over', exact: false, why: 'channel-closed' }]);
	});
});
