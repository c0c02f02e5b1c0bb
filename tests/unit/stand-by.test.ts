/** A second executor beside the first: whom it is asked of, what it is told, and what becomes of those who do not take it. */
import { describe, expect, it, vi } from 'vitest';
import type { Beginning } from '#lib/node/hired-job.ts';
import { Spares } from '#lib/node/spares.ts';
import { standBy } from '#lib/node/stand-by.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { read } from '#lib/protocol/envelope.ts';
import { priceOf } from '#lib/protocol/policy.ts';
import { linkTo, Scene, type Player } from '../doubles/played.ts';

/** A running job and spares that find these, best first. */
async function beside(those: (scene: Scene) => Promise<readonly Player[]>) {
	const scene = await Scene.set('stand-by');
	const { ports, job, wish } = scene;
	const leader = await scene.player();
	const hired = await leader.hire({ epoch: 4 });
	const offered = await those(scene);
	const engaged = { ranked: { job, choices: [], announcements: [job.announcement] }, tried: new Set<string>() };
	const spares = new Spares(engaged, wish, ports);
	spares.hired(hired);
	const choices = offered.map(({ bid }) => ({ heard: bid, reason: 'why' }));
	const search = vi.spyOn(spares, 'beside').mockResolvedValue(choices);
	const tried = vi.spyOn(spares, 'tried');
	const failed = vi.spyOn(ports.registry, 'failed');
	const beginning: Omit<Beginning, 'epoch'> = {
		continueFrom: [5, 6],
		predecessors: [linkTo(1)],
		seedFrom: hired.seedFrom,
		deadlineAt: 400_000,
		startedFrom: 1,
		parts: [{ pricePer1k: 1, startPosition: 0, answerTokens: 2, price: 3 }]
	};
	const ending = new AbortController();
	const find = (running = [hired]) =>
		scene.clock.until(standBy(running, beginning, wish, spares, ports, ending.signal));
	return { scene, hired, offered, search, tried, failed, beginning, ending, find };
}
const hears = ({ channel }: Player) => channel.told.filter((kind) => kind === assignJob.type).length;

describe('a standby', () => {
	it('is given the job from the shown words on, under an epoch of its own', async () => {
		const { scene, hired, offered, beginning, tried, find, search, ending } = await beside(async (set) => [
			(await set.player()).accepts()
		]);
		const [player] = offered as [Player];
		const found = await find();
		expect(found).toMatchObject({ executor: player.bid, deadlineAt: 400_000, startedFrom: 1, parts: beginning.parts });
		expect(read(assignJob, player.channel.sent[0] as Uint8Array).body).toMatchObject({
			...{ epoch: 5, continueFrom: [5, 6], predecessors: [linkTo(1)], seedFrom: hired.seedFrom },
			turns: scene.wish.turns
		});
		expect(tried.mock.calls).toEqual([[player.bid.executor]]);
		expect(scene.logged('standing-by')).toStrictEqual([{ epoch: 5, position: 2 }]);
		const { body } = hired.job.announcement;
		const most = priceOf(100_000, body.promptTokens + body.maxTokens);
		expect(search.mock.calls).toEqual([[[hired], [5, 6], beginning.parts, most, ending.signal]]);
		expect(player.channel.aborted).toBe(false);
	});

	it('has to fit beside what those who have it can cost, of whom an own device costs nothing', async () => {
		const { scene, hired, find, search } = await beside(async () => []);
		const own = await (await scene.player({ sameAccount: true })).hire({ epoch: 2 });
		const third = await (await scene.player({ bid: { pricePer1k: 50_000 } })).hire({ epoch: 3 });
		expect(await find([hired, own, third])).toBeUndefined();
		const { body } = hired.job.announcement;
		expect(search.mock.calls[0]?.[3]).toBe(priceOf(150_000, body.promptTokens + body.maxTokens));
	});

	it('stands beside somebody, or nobody is asked', async () => {
		const { find, search } = await beside(async (set) => [(await set.player()).accepts()]);
		expect(await find([])).toBeUndefined();
		expect(search).not.toHaveBeenCalled();
	});

	it('that says no is remembered for it, and the next is asked under the next epoch', async () => {
		const { scene, offered, failed, tried, find } = await beside(async (set) => [
			(await set.player()).refuses('engine-failed'),
			(await set.player()).accepts()
		]);
		const [first, second] = offered as [Player, Player];
		expect((await find())?.assignment.body.epoch).toBe(6);
		const { executor, account } = first.bid;
		expect(failed.mock.calls).toEqual([[{ id: executor, account, addresses: [] }, 'engine-failed', 'hiring']]);
		expect(scene.logged('executor-not-hired')).toStrictEqual([{ code: 'engine-failed' }]);
		expect(tried.mock.calls).toEqual([[executor], [second.bid.executor]]);
		expect(first.channel.aborted).toBe(true);
	});

	it('is looked for among the two best only', async () => {
		const { offered, find } = await beside(async (set) => [
			(await set.player()).refuses('busy'),
			(await set.player()).refuses('busy'),
			(await set.player()).accepts()
		]);
		expect(await find()).toBeUndefined();
		expect(offered.map(hears)).toEqual([1, 1, 0]);
	});

	it('that is silent has the time of one with others behind it', async () => {
		const { scene, failed, find } = await beside(async (set) => [await set.player()]);
		expect(await find()).toBeUndefined();
		expect(scene.clock.monotonic()).toBe(2_500);
		expect(failed).toHaveBeenCalledWith(expect.anything(), 'stalled', 'hiring');
	});
});

describe('when the race ends', () => {
	it('before anybody was found nobody is shown the prompt', async () => {
		const { offered, ending, find, tried } = await beside(async (set) => [(await set.player()).accepts()]);
		ending.abort();
		expect(await find()).toBeUndefined();
		expect(offered.map(hears)).toEqual([0]);
		expect(tried).not.toHaveBeenCalled();
	});

	it('while one is being asked it is let go, the next is not asked, and it is held against nobody', async () => {
		const { scene, offered, ending, failed, find } = await beside(async (set) => [
			await set.player(),
			(await set.player()).accepts()
		]);
		scene.clock.at(100, () => ending.abort());
		expect(await find()).toBeUndefined();
		expect(offered.map(hears)).toEqual([1, 0]);
		expect(offered[0]?.channel.aborted).toBe(true);
		expect(failed).not.toHaveBeenCalled();
	});

	it('in the moment it accepts it is let go', async () => {
		const { scene, offered, ending, find, failed } = await beside(async (set) => [(await set.player()).accepts()]);
		const { push } = scene.log;
		scene.log.push = (...lines) => {
			if (lines[0]?.event === 'standing-by') ending.abort();
			return push.apply(scene.log, lines);
		};
		expect(await find()).toBeUndefined();
		expect(offered[0]?.channel.aborted).toBe(true);
		expect(failed).not.toHaveBeenCalled();
	});
});
