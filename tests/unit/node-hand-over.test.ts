/** Whom a lost executor's job goes to: who is asked, in what order, how often and how long, and how it ends when nobody takes it. */
import { describe, expect, it, vi } from 'vitest';
import type { Choice } from '#lib/market/select.ts';
import { whoBid, type SignedBid } from '#lib/node/bidding.ts';
import { handOver } from '#lib/node/hand-over.ts';
import { facts } from '#lib/node/hire.ts';
import type { Left } from '#lib/node/race.ts';
import { Spares } from '#lib/node/spares.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { read } from '#lib/protocol/envelope.ts';
import { linkTo, MODEL, Scene, type Player, type PlayerOptions } from '../doubles/played.ts';

const part = { pricePer1k: 1, startPosition: 0, answerTokens: 1, price: 5 };

/** A job that was lost at 5 s, and others who would go on, best first; `wary` when newcomers failed lately. */
async function stage(left: Partial<Left> = {}, wary = false) {
	const scene = await Scene.set('hand-over');
	const { ports, job, wish, clock } = scene;
	const first = await scene.player();
	const hired = await first.hire({ epoch: 2, deadlineAt: 300_000, startedFrom: 1 });
	const spares = new Spares({ ranked: { job, choices: [], announcements: [] }, tried: new Set() }, wish, ports);
	spares.hired(hired);
	if (wary)
		for (const id of ['a', 'b', 'c', 'd', 'e'])
			ports.registry.failed({ id, account: id, addresses: [] }, 'stalled', 'hiring');
	await clock.pass(5_000);
	const players: Player[] = [];
	const gone = new Set<string>();
	const refused = vi.spyOn(spares, 'refused').mockImplementation((executor) => void gone.add(executor));
	const tried = vi.spyOn(spares, 'tried').mockImplementation((executor) => void gone.add(executor));
	const choices = (): Choice<SignedBid>[] =>
		players.filter(({ bid }) => !gone.has(bid.executor)).map(({ bid }) => ({ heard: bid, reason: 'because' }));
	const ending = new AbortController();
	const all: Left = {
		...{ hired, code: 'stalled', shown: [7, 8], agreed: true, predecessors: [linkTo(1)], parts: [part], over: false },
		ending: { type: 'lost', code: 'stalled', tokens: 1, receipt: 'kept' },
		...left
	};
	const events = handOver(all, wish, spares, ports, ending.signal);
	return {
		...{ scene, clock, hired, spares, players, refused, tried, ending, events },
		left: all,
		next: vi.spyOn(spares, 'next').mockImplementation(async () => choices()),
		leads: vi.spyOn(spares, 'hired'),
		outdated: vi.spyOn(spares, 'outdated'),
		failed: vi.spyOn(ports.registry, 'failed'),
		/** One who did well here before. */
		known: async (options: PlayerOptions = {}) => {
			const player = await scene.player(options);
			const promised = { tokensPerSecond: 85 };
			const kept = { type: 'kept' as const, model: MODEL.id, tokensPerSecond: 80, firstMs: 50, promised };
			ports.registry.learn(whoBid(player.bid), kept);
			players.push(player);
			return player;
		},
		newcomer: async (options: PlayerOptions = {}, away = false) => {
			const player = await scene.player(options, away);
			players.push(player);
			return player;
		},
		run: async () => {
			const told: unknown[] = [];
			for (;;) {
				const next = await clock.until(events.next());
				if (next.done === true) return { told, next: next.value };
				told.push(next.value);
			}
		}
	};
}
const assigned = ({ channel }: Player) => channel.told.filter((kind) => kind === assignJob.type).length;
const knocked = ({ channel }: Player) => channel.told.filter((kind) => kind === jobAnnouncement.type).length;

describe('the next one', () => {
	it('goes on after every shown token, under the next epoch, the same seed and the same time', async () => {
		const { known, run, hired, next, tried, leads, scene, left, ending, clock } = await stage();
		const player = (await known()).accepts(120.6);
		const { told, next: found } = await run();
		expect(told).toStrictEqual([
			{
				...{ type: 'handed-over', from: hired.executor.executor, to: facts(player.bid), position: 2, exact: true },
				...{ why: 'stalled', reason: 'because' }
			}
		]);
		expect(found).toMatchObject({ executor: player.bid, deadlineAt: 300_000, startedFrom: 1, parts: [part] });
		expect(read(assignJob, player.channel.sent[0] as Uint8Array).body).toMatchObject({
			...{ epoch: 3, continueFrom: [7, 8], predecessors: [linkTo(1)], seedFrom: hired.seedFrom }
		});
		expect(next.mock.calls).toEqual([[left.shown, left.parts, ending.signal]]);
		expect(tried.mock.calls[0]).toEqual([player.bid.executor]);
		expect(leads.mock.calls).toEqual([[found]]);
		expect(scene.logged('handed-over')).toStrictEqual([{ why: 'stalled', epoch: 3, ms: 121 }]);
		expect(clock.monotonic()).toBe(5_120.6);
		expect(player.channel.aborted).toBe(false);
	});

	it.each([
		['told other words', { agreed: false }, {}],
		['is of another class', {}, { bid: { model: { ...MODEL, engineHash: new Uint8Array(32) } } }]
	])('does not go on exactly where one %s', async (_name, left, options) => {
		const { known, run } = await stage(left);
		(await known(options)).accepts();
		expect((await run()).told).toMatchObject([{ type: 'handed-over', exact: false }]);
	});

	it('is let go when nobody reads on after the news of it', async () => {
		const { known, events, clock } = await stage();
		const player = (await known()).accepts();
		expect((await clock.until(events.next())).value).toMatchObject({ type: 'handed-over' });
		await clock.until(events.return(undefined));
		expect(player.channel.aborted).toBe(true);
	});
});

describe('one that does not take it', () => {
	it('is remembered for why, not asked again, and the next is tried under a higher epoch', async () => {
		const { known, run, refused, failed, scene } = await stage();
		const first = (await known()).refuses('engine-failed');
		const second = (await known()).accepts();
		const { next: found } = await run();
		expect(found?.executor).toBe(second.bid);
		expect(found?.assignment.body.epoch).toBe(4);
		expect(refused.mock.calls).toEqual([[first.bid.executor]]);
		expect(failed.mock.calls).toEqual([[whoBid(first.bid), 'engine-failed', 'hiring']]);
		expect(scene.logged('executor-not-hired')).toStrictEqual([{ code: 'engine-failed' }]);
	});

	it('because its bid was pushed out takes those as old with it, and nobody else is doubted', async () => {
		const { known, newcomer, run, refused, outdated } = await stage();
		const first = (await known({ heardAt: 4_000 })).refuses('expired');
		const second = (await newcomer()).accepts();
		expect((await run()).next?.executor).toBe(second.bid);
		expect(outdated.mock.calls).toEqual([[4_000]]);
		expect(refused).not.toHaveBeenCalled();
		expect([assigned(first), knocked(second)]).toEqual([1, 0]);
	});

	it('makes newcomers doubtful: the next of them is asked first whether it is there', async () => {
		const { newcomer, run } = await stage();
		const first = (await newcomer()).refuses('engine-failed');
		const second = (await newcomer()).answers().accepts();
		expect((await run()).next?.executor.executor).toBe(second.bid.executor);
		expect([knocked(first), knocked(second), assigned(second)]).toEqual([0, 1, 1]);
	});

	it('is one of six that are tried at most', async () => {
		const { known, run, players, left, next } = await stage();
		for (let i = 0; i < 8; i++) (await known()).refuses('busy');
		expect((await run()).told).toEqual([left.ending]);
		expect(players.map(assigned)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
		expect(next).toHaveBeenCalledTimes(6);
	});

	it('is the last that is tried once fifteen seconds are over', async () => {
		for (const [tookMs, tries] of [
			[100, 1],
			[100.5, 0]
		] as const) {
			const { known, run, players, next, clock } = await stage();
			const found = next.getMockImplementation() as Spares['next'];
			next.mockImplementationOnce(async (...asked) => {
				await clock.sleep(14_900);
				return found(...asked);
			});
			(await known()).refuses('busy', tookMs);
			(await known()).refuses('busy');
			await run();
			expect(players.map(assigned)).toEqual([1, tries]);
		}
	});
});

describe('how the job ends', () => {
	it('when nobody is there: as it was left', async () => {
		const { run, left, next } = await stage();
		expect(await run()).toEqual({ told: [left.ending], next: undefined });
		expect(next).toHaveBeenCalledTimes(1);
	});

	it.each([
		['nothing is left to hand over', { over: true }, 0],
		['six were lost', { parts: Array<typeof part>(6).fill(part) }, 0],
		['five were lost', { parts: Array<typeof part>(5).fill(part) }, 1]
	])('when %s', async (_name, change, asked) => {
		const { run, known, players, next } = await stage(change);
		(await known()).accepts();
		await run();
		expect(players.map(assigned)).toEqual([asked]);
		expect(next).toHaveBeenCalledTimes(asked);
	});

	it('by a stop: nobody new is asked, and it is told as stopped unless it has its receipt', async () => {
		const finished = {
			...{ type: 'finished' as const, status: 'partial' as const, receipt: 'r', tokens: 1, tokensPerSecond: 1 },
			...{ price: 1, droppedTurns: 0 }
		};
		for (const [change, want] of [
			[{}, { type: 'lost', code: 'aborted', tokens: 1, receipt: 'kept' }],
			[{ ending: finished }, finished]
		] as const) {
			const { run, known, players, ending, next } = await stage(change);
			(await known()).accepts();
			ending.abort();
			expect((await run()).told).toStrictEqual([want]);
			expect([players.map(assigned), next.mock.calls.length]).toEqual([[0], 0]);
		}
	});

	it('by a stop while somebody is looked for, or reached: that is held against nobody', async () => {
		const { run, known, players, ending, next } = await stage();
		const found = next.getMockImplementation() as Spares['next'];
		next.mockImplementationOnce(async (...asked) => {
			ending.abort();
			return found(...asked);
		});
		(await known()).accepts();
		expect((await run()).told).toMatchObject([{ code: 'aborted' }]);
		expect(players.map(assigned)).toEqual([0]);
		const reached = await stage();
		await reached.known();
		reached.clock.at(5_100, () => reached.ending.abort());
		expect((await reached.run()).told).toMatchObject([{ code: 'aborted' }]);
		expect(reached.failed).not.toHaveBeenCalled();
		expect(reached.players[0]?.channel.aborted).toBe(true);
	});
});

describe('where newcomers failed lately', () => {
	it('only one that is there, on no worse terms, is shown the prompt; the ways of the others are closed', async () => {
		const { newcomer, run, refused, scene, players } = await stage({}, true);
		await newcomer({}, true);
		const dearer = (await newcomer()).answers({ pricePer1k: 100_001 }).accepts();
		const tokenizer = { ...MODEL, tokenizerHash: new Uint8Array(32) };
		const other = (await newcomer()).answers({ model: tokenizer }).accepts();
		const fits = (await newcomer()).answers({ pricePer1k: 99_999 }).accepts();
		const fifth = (await newcomer()).answers().accepts();
		const { next: found, told } = await run();
		expect(found?.executor).toMatchObject({ executor: fits.bid.executor, bid: { pricePer1k: 99_999 } });
		expect(told).toMatchObject([{ reason: 'because', to: { pricePer1k: 99_999 } }]);
		expect(players.map(assigned)).toEqual([0, 0, 0, 1, 0]);
		expect(players.map(knocked)).toEqual([0, 1, 1, 1, 0]);
		expect([dearer, other, fits, fifth].map(({ channel }) => channel.aborted)).toEqual([true, true, false, false]);
		expect(refused.mock.calls.flat()).toEqual(players.slice(0, 3).map(({ bid }) => bid.executor));
		// Said anew: the first stamp may be minutes old.
		const said = read(jobAnnouncement, fits.channel.sent[0] as Uint8Array);
		expect(said.body).toStrictEqual({ ...scene.job.announcement.body, issuedAt: scene.world.clock.epoch + 5_000 });
	});

	it('one that is there on worse terms is asked once', async () => {
		const { newcomer, run, next, clock } = await stage({}, true);
		const dearer = (await newcomer()).answers({ pricePer1k: 100_001 });
		expect((await run()).next).toBeUndefined();
		expect([knocked(dearer), next.mock.calls.length]).toEqual([1, 2]);
		expect(clock.monotonic()).toBeLessThan(5_500);
		expect(dearer.channel.aborted).toBe(true);
	});

	it('more are asked each time, up to sixteen, which is no try; the known among them are not', async () => {
		const { newcomer, known, run, refused, players, next } = await stage({}, true);
		const sizes: number[] = [];
		const found = next.getMockImplementation() as Spares['next'];
		next.mockImplementation(async (...asked) => {
			sizes.push(refused.mock.calls.length);
			return found(...asked);
		});
		for (let i = 0; i < 60; i++) await newcomer({}, true);
		const friend = (await known()).accepts();
		expect((await run()).next?.executor).toBe(friend.bid);
		expect(sizes).toEqual([0, 4, 12, 28, 44, 60]);
		expect(players.map(knocked).some((times) => times > 0)).toBe(false);
	});

	it('one that is known is shown the prompt at once', async () => {
		const { known, newcomer, run } = await stage({}, true);
		const friend = (await known()).accepts();
		const stranger = (await newcomer()).answers();
		expect((await run()).next?.executor).toBe(friend.bid);
		expect([knocked(friend), knocked(stranger)]).toEqual([0, 0]);
	});

	it('those between newcomers who are known are not asked whether they are there', async () => {
		const { known, newcomer, run } = await stage({}, true);
		const first = await newcomer({}, true);
		const friend = (await known()).accepts();
		const second = (await newcomer()).answers().accepts();
		expect((await run()).next?.executor.executor).toBe(second.bid.executor);
		expect([knocked(first), knocked(friend), knocked(second)]).toEqual([0, 0, 1]);
	});
});
