/** Several who answer one job: who is let in, who leads, who is let go, and when somebody else is asked to stand by. */
import { describe, expect, it, vi } from 'vitest';
import { Race } from '#lib/node/race.ts';
import type { Runner } from '#lib/node/runner.ts';
import { Spares } from '#lib/node/spares.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { read } from '#lib/protocol/envelope.ts';
import { priceOf } from '#lib/protocol/policy.ts';
import { Scene, textOf, tokens, type Begun, type Player } from '../doubles/played.ts';

/** A leader, and others of whom one more is found each time somebody is looked for; each accepts after `afterMs`. */
async function stage(
	hedge: number,
	others: number,
	{ begun = {}, afterMs = 0 }: { begun?: Begun; afterMs?: number } = {}
) {
	const scene = await Scene.set('race beside', { policy: { hedge } });
	const { ports, job, wish, clock } = scene;
	const leader = await scene.player();
	const hired = await leader.hire(begun);
	const spares = new Spares({ ranked: { job, choices: [], announcements: [] }, tried: new Set() }, wish, ports);
	spares.hired(hired);
	const players: Player[] = [];
	const search = vi.spyOn(spares, 'beside').mockResolvedValue([]);
	for (let i = 0; i < others; i++) {
		const player = (await scene.player()).accepts(afterMs);
		players.push(player);
		search.mockResolvedValueOnce([{ heard: player.bid, reason: 'next' }]);
	}
	const ending = new AbortController();
	const race = new Race(hired, wish, spares, ports, ending.signal);
	const turn = (runner: Runner, bytes: Uint8Array) => runner.turn({ type: 'message', bytes });
	return {
		...{ scene, clock, leader, hired, spares, search, ending, race, turn },
		first: race.runners[0] as Runner,
		players: players as [Player, Player, Player],
		learn: vi.spyOn(ports.registry, 'learn'),
		/** Lets in the next one, which then can be heard. */
		joins: async (player: Player) => {
			await clock.pass(afterMs);
			const runner = race.join();
			if (runner !== undefined) player.takes(runner.hired);
			return runner as Runner;
		},
		shows: async (player: Player, runner: Runner, those: readonly number[]) => {
			await turn(runner, player.frame(those));
			return race.show(runner);
		}
	};
}
const asked = ({ channel }: Player) => channel.told.includes(assignJob.type);

describe('who stands by', () => {
	it('ends the wait when it accepts', async () => {
		const { race, clock } = await stage(1, 1, { afterMs: 120 });
		await clock.until(race.wait());
		expect([clock.monotonic(), race.join() === undefined]).toEqual([120, false]);
	});

	it('is asked only where the policy wants one', async () => {
		const { race, search, clock } = await stage(0, 1);
		await clock.pass(1_000);
		expect(race.join()).toBeUndefined();
		expect(search).not.toHaveBeenCalled();
	});

	it('is let in once it has accepted; so many are asked as the policy wants, one after the other', async () => {
		const { race, search, clock, players, joins } = await stage(2, 3);
		expect([race.join(), search.mock.calls.length]).toEqual([undefined, 1]);
		const second = await joins(players[0]);
		expect([race.runners[1], search.mock.calls.length]).toEqual([second, 2]);
		await joins(players[1]);
		await clock.pass(1_000);
		expect(race.join()).toBeUndefined();
		expect(race.runners.map(({ hired }) => hired.assignment.body.epoch)).toEqual([1, 2, 3]);
		expect(search).toHaveBeenCalledTimes(2);
		expect(asked(players[2])).toBe(false);
	});

	it('is given what is shown when it is asked, under the seed and the time of the leader', async () => {
		const parts = [{ pricePer1k: 1, startPosition: 0, answerTokens: 1, price: 5 }];
		const begun = { continueFrom: [9], startedFrom: 1, deadlineAt: 90_000, parts };
		const { race, first, leader, hired, players, shows, joins, search } = await stage(1, 2, { begun });
		const runner = await joins(players[0]);
		expect(runner.hired).toMatchObject({ deadlineAt: 90_000, startedFrom: 1, parts, seedFrom: hired.seedFrom });
		await shows(leader, first, [1, 2]);
		race.lose(runner, { code: 'peer-lost' });
		await joins(players[1]);
		const { body } = read(assignJob, players[1].channel.sent[0] as Uint8Array);
		expect(body).toMatchObject({ epoch: 3, continueFrom: [9, 1, 2], predecessors: [], seedFrom: hired.seedFrom });
		expect(search.mock.calls.map(([those]) => those)).toEqual([[hired], [hired]]);
		expect(await shows(players[1], race.runners[1] as Runner, [3])).toMatchObject({ text: 'w3 ', position: 3 });
	});

	it('names what those before it can prove', async () => {
		const { race, first, leader, players, shows, turn, joins } = await stage(1, 2);
		const second = await joins(players[0]);
		await shows(leader, first, [1]);
		await turn(first, await leader.checkpoint());
		await first.hearing.acknowledge();
		race.lose(first, { code: 'peer-lost' });
		expect(race.runners).toEqual([second]);
		await joins(players[1]);
		const { predecessors } = read(assignJob, players[1].channel.sent[0] as Uint8Array).body;
		expect(predecessors.map(String)).toEqual([leader.checked]);
		expect(race.runners[1]?.hired.parts).toMatchObject([{ answerTokens: 1 }]);
	});

	it('that nobody takes is asked for again when the next is lost', async () => {
		const { race, players, joins, search, clock } = await stage(1, 1);
		const second = await joins(players[0]);
		race.lose(second, { code: 'peer-lost' });
		await clock.pass(60_000);
		expect(search).toHaveBeenCalledTimes(2);
	});

	it('is asked for again when somebody was lost while nobody was found', async () => {
		const { race, players, joins, search, clock } = await stage(2, 1);
		const second = await joins(players[0]);
		expect(search).toHaveBeenCalledTimes(2);
		race.lose(second, { code: 'peer-lost' });
		expect(search).toHaveBeenCalledTimes(2);
		await clock.pass(0);
		expect(search).toHaveBeenCalledTimes(3);
		await clock.pass(1_000);
		expect(search).toHaveBeenCalledTimes(3);
		// Not when all were.
		const all = await stage(1, 0);
		all.race.lose(all.first, { code: 'peer-lost' });
		await all.clock.pass(1_000);
		expect(all.search).toHaveBeenCalledTimes(1);
	});

	it('is asked for no more once six were lost', async () => {
		const part = { pricePer1k: 1, startPosition: 0, answerTokens: 0, price: undefined };
		for (const [lost, times] of [
			[5, 1],
			[6, 0]
		] as const) {
			const { search, clock } = await stage(1, 0, { begun: { parts: Array<typeof part>(lost).fill(part) } });
			await clock.pass(100);
			expect(search).toHaveBeenCalledTimes(times);
		}
	});

	it('hears a stop too, and nobody is asked for after one', async () => {
		const { race, players, joins, search, ending } = await stage(1, 2);
		const second = await joins(players[0]);
		ending.abort();
		expect(second.hired.inbox.poll()).toEqual({ type: 'stop' });
		race.lose(second, { code: 'peer-lost' });
		expect(search).toHaveBeenCalledTimes(1);
		const other = await stage(1, 2);
		const standby = await other.joins(other.players[0]);
		await standby.hearing.cancel('stopped');
		other.race.lose(standby, { code: 'no-acknowledgement' });
		expect(other.search).toHaveBeenCalledTimes(1);
	});
});

describe('while several answer', () => {
	it('the first word of each place is shown, whoever says it', async () => {
		const { leader, first, players, joins, shows, race } = await stage(1, 1);
		const [player] = players;
		const second = await joins(player);
		expect(await shows(leader, first, [1, 2])).toMatchObject({ tokens: [1, 2] });
		expect(await shows(player, second, [1])).toBeUndefined();
		expect(await shows(player, second, [2, 3])).toMatchObject({ tokens: [3], text: 'w3 ', position: 2 });
		await expect(shows(leader, first, [4])).rejects.toMatchObject({ code: 'terms-differ' });
		expect([first.parted, race.position]).toEqual([true, 3]);
	});

	it('the wait is as long as the least patient can stand, and the silence of each counts', async () => {
		const { first, players, joins, race, clock } = await stage(1, 1, { begun: { deadlineAt: 10_000 } });
		const second = await joins(players[0]);
		await second.hearing.cancel('stopped');
		second.waited(2_900, 2_900);
		await clock.until(race.wait());
		expect(clock.monotonic()).toBe(100);
		expect([first.patienceMs, second.patienceMs]).toEqual([250, 0]);
		players[0].says(Uint8Array.of(1));
		await clock.until(race.wait());
		expect(clock.monotonic()).toBe(100);
	});

	it('nobody else is looked for because one of them is late', async () => {
		const { race, spares, players, joins, leader, first, shows } = await stage(1, 1);
		const warm = vi.spyOn(spares, 'warm').mockReturnValue();
		await shows(leader, first, [1]);
		race.warm();
		await joins(players[0]);
		race.warm();
		expect(warm.mock.calls).toEqual([[[1]]]);
	});
});

describe('when the one that leads is lost', () => {
	it('whoever is furthest leads, and nothing is over', async () => {
		const { race, first, leader, players, joins, shows } = await stage(2, 2);
		const second = await joins(players[0]);
		const third = await joins(players[1]);
		await shows(leader, first, [1, 2, 3]);
		await shows(players[0], second, [1]);
		await shows(players[1], third, [1, 2]);
		expect(race.lose(first, { code: 'peer-lost' })).toBeUndefined();
		expect(race.runners).toEqual([third, second]);
	});

	it('one that accepted while its last word was read leads now; not after a stop', async () => {
		for (const stopped of [false, true]) {
			const { race, first, clock, players, search } = await stage(1, 2);
			await clock.pass(0);
			if (stopped) await first.hearing.cancel('stopped');
			const left = race.lose(first, { code: 'peer-lost' });
			expect(left === undefined).toBe(!stopped);
			expect(race.runners.map(({ hired }) => hired.channel.peer)).toEqual(stopped ? [] : [players[0].bid.executor]);
			expect(search).toHaveBeenCalledTimes(stopped ? 1 : 2);
			race.close();
			await clock.pass(0);
			expect(players[0].channel.cancels).toEqual(['replaced']);
		}
	});

	it('one that accepted meanwhile waits to be let in where somebody else leads', async () => {
		const { race, first, clock, players, joins } = await stage(2, 2);
		const second = await joins(players[0]);
		await clock.pass(0);
		race.lose(first, { code: 'peer-lost' });
		expect(race.runners).toEqual([second]);
		expect(race.join()?.hired.channel.peer).toBe(players[1].bid.executor);
	});
});

describe('when the answer is whole', () => {
	it('the others are let go, remembered, and paid for what they delivered', async () => {
		const { race, first, leader, players, joins, shows, learn, scene, clock } = await stage(1, 1);
		const [player] = players;
		const second = await joins(player);
		await shows(leader, first, [1, 2]);
		await shows(player, second, [1]);
		const sealed = await leader.sealed({ promptTokens: 10, price: 1_200 });
		expect(race.finish(first, sealed)).toMatchObject({ price: 1_200 + priceOf(100_000, 11), tokens: 2 });
		expect(race.runners).toEqual([]);
		expect(learn.mock.calls.map(([who]) => who.id)).toEqual([leader.bid.executor, player.bid.executor]);
		player.says(player.frame([2]), await player.receipt({ status: 'cancelled' }));
		await clock.pass(10);
		expect(player.channel.cancels).toEqual(['replaced']);
		expect(leader.channel.cancels).toEqual([]);
		expect(scene.logged('settled')).toStrictEqual([{ tokens: 2 }]);
	});

	it('a standby can be the one that ends it; what the leader delivered is owed', async () => {
		const { race, first, leader, players, joins, shows } = await stage(1, 1);
		const second = await joins(players[0]);
		await shows(leader, first, [1, 2, 3]);
		await shows(players[0], second, tokens(1, 5));
		const sealed = await players[0].sealed({ promptTokens: 10, price: 1_400 });
		expect(race.finish(second, sealed)).toMatchObject({ price: 1_400 + priceOf(100_000, 13), tokens: 4 });
	});
});

describe('when the race ends', () => {
	it('whoever is still at it, or has just accepted, is let go with what was shown', async () => {
		const { race, clock, leader, first, players, shows, scene, joins } = await stage(2, 2);
		const second = await joins(players[0]);
		await shows(leader, first, [1, 2]);
		await clock.pass(0);
		race.close();
		await clock.pass(0);
		for (const { channel } of [leader, ...players]) expect(channel.cancels).toEqual(['replaced']);
		players[0].says(players[0].frame([1, 2], textOf([1, 2])), await players[0].receipt({ status: 'cancelled' }));
		await clock.pass(10);
		expect(scene.logged('settled')).toStrictEqual([{ tokens: 2 }]);
		expect([race.runners, second.hearing.tokens]).toEqual([[], [1, 2]]);
	});

	it('in the moment one accepts, that one is let go', async () => {
		const { race, clock, players, scene } = await stage(1, 1);
		const { push } = scene.log;
		scene.log.push = (...lines) => {
			if (lines[0]?.event === 'standing-by') queueMicrotask(() => race.close());
			return push.apply(scene.log, lines);
		};
		await clock.pass(0);
		expect(race.join()).toBeUndefined();
		expect(players[0].channel.cancels).toEqual(['replaced']);
	});

	it('one that is being asked is let go, and nobody is asked after it', async () => {
		const { race, clock, players, search, scene } = await stage(1, 2, { afterMs: 500 });
		await clock.pass(100);
		expect(asked(players[0])).toBe(true);
		race.close();
		await clock.pass(1_000);
		expect(players[0].channel.aborted).toBe(true);
		expect(search).toHaveBeenCalledTimes(1);
		expect(scene.logged('standing-by')).toEqual([]);
	});
});
