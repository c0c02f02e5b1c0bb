/** Whoever answers a job: what is shown of it, what the end of one leaves to the next, and what it costs. */
import { describe, expect, it, vi } from 'vitest';
import type { HiredJob, Resumed } from '#lib/node/hired-job.ts';
import { lossOf, Race, type Loss } from '#lib/node/race.ts';
import type { Runner } from '#lib/node/runner.ts';
import { Spares } from '#lib/node/spares.ts';
import type { Part } from '#lib/market/price.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { priceOf, type ExecutionPolicy } from '#lib/protocol/policy.ts';
import { linkTo, Scene, textOf, tokens, type Begun, type PlayerOptions } from '../doubles/played.ts';

interface Set {
	readonly begun?: Begun;
	readonly player?: PlayerOptions;
	readonly policy?: Partial<ExecutionPolicy>;
	readonly resumed?: (hired: HiredJob) => Resumed;
}

async function stage({ begun = {}, player = {}, policy = {}, resumed }: Set = {}) {
	const scene = await Scene.set('race', { policy });
	const { ports, job, wish, clock } = scene;
	const leader = await scene.player(player);
	const bare = await leader.hire(begun);
	const hired = resumed === undefined ? bare : leader.takes({ ...bare, resumed: resumed(bare) });
	const ranked = { job, choices: [], announcements: [job.announcement] };
	const spares = new Spares({ ranked, tried: new Set() }, wish, ports);
	spares.hired(hired);
	const ending = new AbortController();
	const race = new Race(hired, wish, spares, ports, ending.signal);
	const [first] = race.runners as [Runner];
	const said = async (bytes: Uint8Array) => first.turn({ type: 'message', bytes });
	return {
		...{ scene, ports, clock, leader, hired, spares, race, first, ending, said },
		learn: vi.spyOn(ports.registry, 'learn'),
		failed: vi.spyOn(ports.registry, 'failed').mockReturnValue(),
		lost: vi.spyOn(spares, 'lost'),
		/** It says these tokens, and they are shown. */
		shows: async (those: readonly number[]) => {
			await said(leader.frame(those));
			return race.show(first);
		},
		acknowledges: async () => {
			await said(await leader.checkpoint());
			await first.hearing.acknowledge();
		}
	};
}

/** One that another page had begun to hear: it had shown `shown` and kept nothing of it. */
const resumedAfter =
	(shown: readonly number[], text: string) =>
	({ job, assignment }: HiredJob): Resumed => ({
		transcript: {
			...{ job: job.id, epoch: 1, assignment: assignment.cid, start: 0, maxTokens: 100, sequence: 0, position: 0 },
			...{ chain: chainStart(assignment.bodyBytes), checked: 0, lastCheckpoint: undefined }
		},
		...{ tokens: [], text: '', shown: { tokens: shown, text }, attempt: 1 }
	});

describe('what is shown', () => {
	it('begins with what was given, and grows by what is new', async () => {
		const { race, shows } = await stage({ begun: { continueFrom: [8, 9] } });
		expect(race.position).toBe(2);
		expect(await shows([1, 2])).toStrictEqual({ type: 'words', text: 'w1 w2 ', tokens: [1, 2], position: 2 });
		expect(race.position).toBe(4);
		expect(await shows([3])).toStrictEqual({ type: 'words', text: 'w3 ', tokens: [3], position: 4 });
	});

	it('begins with what another page had shown, and what is heard again is nothing new', async () => {
		const { race, shows } = await stage({ resumed: resumedAfter([1, 2], textOf([1, 2])) });
		expect(race.position).toBe(2);
		expect(await shows([1])).toBeUndefined();
		expect(await shows([2, 3])).toMatchObject({ tokens: [3], text: 'w3 ', position: 2 });
	});

	it('stays when somebody tells other words', async () => {
		const { race, shows } = await stage({ resumed: resumedAfter([1], textOf([1])) });
		await expect(shows([7])).rejects.toMatchObject({ code: 'terms-differ' });
		expect(race.position).toBe(1);
	});
});

describe('waiting', () => {
	it('ends with a word, or when a silence is to be looked at; only what was waited in vain counts as silence', async () => {
		const { race, clock, leader, hired, first } = await stage({ player: { bid: { firstTokenMs: 0 } } });
		const waits = async () => {
			const began = clock.monotonic();
			await clock.until(race.wait());
			return clock.monotonic() - began;
		};
		expect(await waits()).toBe(250);
		for (let i = 0; i < 7; i++) {
			clock.at(clock.monotonic() + 100, () => leader.says(Uint8Array.of(1)));
			expect(await waits()).toBe(100);
			hired.inbox.poll();
		}
		expect(first.punctuality).toBe('on-time');
		expect(await waits()).toBe(50);
		expect(first.punctuality).toBe('late');
	});
});

describe('a stop', () => {
	it('reaches whoever answers, also when it came before', async () => {
		const { ending, hired, scene, spares, race } = await stage();
		expect(hired.inbox.poll()).toBeUndefined();
		ending.abort();
		expect(hired.inbox.poll()).toEqual({ type: 'stop' });
		const again = new Race(hired, scene.wish, spares, scene.ports, ending.signal);
		expect(hired.inbox.poll()).toEqual({ type: 'stop' });
		again.close();
		race.close();
	});
	it('after the end reaches nobody', async () => {
		const { ending, hired, race, clock } = await stage();
		race.close();
		await clock.pass(5_000);
		ending.abort();
		expect(hired.inbox.poll()).toBeUndefined();
	});
});

describe('the end of a whole answer', () => {
	it('says what all parts cost together, how many tokens, and how fast', async () => {
		const parts: Part[] = [
			{ pricePer1k: 100_000, startPosition: 0, answerTokens: 2, price: 900 },
			{ pricePer1k: 50_000, startPosition: 2, answerTokens: 3, price: undefined }
		];
		const begun = { continueFrom: [7, 8, 9], startedFrom: 1, parts };
		const { race, first, shows, leader, learn, said } = await stage({ begun });
		await shows([1, 2, 3, 4]);
		const sealed = await leader.sealed({ promptTokens: 20, price: 2_400, decodeMs: 500, droppedTurns: 2 });
		await said(sealed.bytes);
		expect(race.finish(first, sealed)).toStrictEqual({
			...{ type: 'finished', status: 'success', receipt: sealed.cid.toString(), tokens: 6, tokensPerSecond: 8 },
			// The prompt alone had 17 tokens.
			...{ price: 2_400 + 900 + priceOf(50_000, 17 + 2 + 3), droppedTurns: 2 }
		});
		expect(race.runners).toEqual([]);
		const { executor, account } = leader.bid;
		expect(learn).toHaveBeenCalledTimes(1);
		expect(learn).toHaveBeenCalledWith({ id: executor, account, addresses: [] }, first.kept());
		expect(leader.channel.aborted).toBe(false);
	});

	it('tells no speed where no time was measured, and counts no prompt below nothing', async () => {
		const part = { pricePer1k: 100_000, startPosition: 0, answerTokens: 3, price: undefined };
		const { race, first, shows, leader, learn } = await stage({ begun: { continueFrom: [1, 2, 3], parts: [part] } });
		const sealed = await leader.sealed({ promptTokens: 1, price: 0, decodeMs: 0, status: 'cancelled' });
		await shows([4]);
		expect(race.finish(first, sealed)).toMatchObject({
			...{ status: 'cancelled', tokensPerSecond: 0, tokens: 1, price: priceOf(100_000, 3) }
		});
		expect(learn).toHaveBeenCalledTimes(1);
	});

	it('of one that delivered nothing is remembered as nothing; a failed one is told as a part', async () => {
		const { race, first, leader, learn } = await stage();
		const sealed = await leader.sealed({ status: 'failed' });
		expect(race.finish(first, sealed)).toMatchObject({ status: 'partial', tokens: 0 });
		expect(learn).not.toHaveBeenCalled();
	});
});

describe('one that is lost', () => {
	it('leaves every token, what it can prove, and how the job ends if nobody goes on', async () => {
		const part = { pricePer1k: 1, startPosition: 0, answerTokens: 1, price: 5 };
		const begun = { epoch: 2, continueFrom: [9], startedFrom: 1, predecessors: [linkTo(1)], parts: [part] };
		const { race, first, hired, shows, acknowledges, scene, lost, leader } = await stage({ begun });
		await shows([1, 2]);
		await acknowledges();
		await shows([3]);
		const left = race.lose(first, { code: 'peer-lost' });
		expect(left).toStrictEqual({
			...{ hired, code: 'peer-lost', shown: [9, 1, 2, 3], agreed: true, over: false },
			predecessors: [linkTo(1), first.hearing.acknowledged],
			parts: [part, { pricePer1k: 100_000, startPosition: 1, answerTokens: 2, price: undefined }],
			ending: { type: 'lost', code: 'peer-lost', tokens: 3, receipt: leader.checked }
		});
		expect(scene.logged('executor-lost')).toStrictEqual([{ code: 'peer-lost', epoch: 2, position: 4 }]);
		expect(lost.mock.calls).toEqual([[hired]]);
		expect(race.runners).toEqual([]);
	});

	it('without a proof of its own leaves those before it, of which the last is named', async () => {
		const { race, first } = await stage({ begun: { continueFrom: [1], predecessors: [linkTo(1), linkTo(2)] } });
		const left = race.lose(first, { code: 'peer-lost', parted: true });
		expect(left).toMatchObject({
			...{ agreed: false, predecessors: [linkTo(1), linkTo(2)], parts: [{ answerTokens: 0 }] },
			ending: { type: 'lost', tokens: 0, receipt: linkTo(2).toString() }
		});
		const bare = await stage();
		const nothing = bare.race.lose(bare.first, { code: 'peer-lost' });
		expect(nothing?.ending).toStrictEqual({ type: 'lost', code: 'peer-lost', tokens: 0, receipt: undefined });
		expect(nothing?.predecessors).toEqual([]);
	});

	it('with a receipt is counted by it, and a part that it sealed itself can be the end', async () => {
		for (const [status, type] of [
			['partial', 'finished'],
			['failed', 'lost']
		] as const) {
			const part = { pricePer1k: 1, startPosition: 0, answerTokens: 1, price: 5 };
			const { race, first, shows, acknowledges, leader } = await stage({ begun: { parts: [part, part] } });
			await shows([1, 2]);
			await acknowledges();
			const receipt = await leader.sealed({ answerTokens: 7, price: 77, status });
			const left = race.lose(first, { code: 'aborted', receipt });
			expect(left?.parts[2]).toStrictEqual({ pricePer1k: 100_000, startPosition: 0, answerTokens: 7, price: 77 });
			expect(left?.predecessors).toEqual([receipt.cid]);
			expect(left?.ending).toMatchObject({ type, receipt: receipt.cid.toString(), tokens: 2 });
			if (type === 'finished') expect(left?.ending).toMatchObject({ status: 'partial', price: 77 + 5 + 5 });
			expect(leader.channel.aborted).toBe(false);
		}
	});

	it('in a stall may still seal what it delivered; any other has its way closed', async () => {
		const stalled = await stage();
		stalled.race.lose(stalled.first, { code: 'stalled' });
		await stalled.clock.pass(0);
		expect([stalled.leader.channel.cancels, stalled.leader.channel.aborted]).toEqual([['replaced'], false]);
		const gone = await stage();
		gone.race.lose(gone.first, { code: 'out-of-order' });
		await gone.clock.pass(0);
		expect([gone.leader.channel.cancels, gone.leader.channel.aborted]).toEqual([[], true]);
	});

	it.each<[string, Loss, string, boolean]>([
		['went away', { code: 'peer-lost' }, 'peer-lost', false],
		['told other words', { code: 'terms-differ', parted: true }, 'broken', false],
		['was stopped by us', { code: 'aborted', ours: true }, '', false],
		['was not acknowledged', { code: 'no-acknowledgement' }, 'no-acknowledgement', false],
		['was not acknowledged while its page was away', { code: 'no-acknowledgement' }, '', true],
		['went away from a page that came back', { code: 'peer-lost' }, 'peer-lost', true]
	])('%s: what is remembered of it', async (_how, loss, want, away) => {
		const { race, first, learn, failed, leader } = await stage(away ? { resumed: resumedAfter([], '') } : {});
		race.lose(first, loss);
		const { executor, account } = leader.bid;
		const who = { id: executor, account, addresses: [] };
		expect(learn.mock.calls).toEqual(want === 'broken' ? [[who, { type: 'broken', gravity: 1 }]] : []);
		expect(failed.mock.calls).toEqual(want === '' || want === 'broken' ? [] : [[who, want, 'answering']]);
	});

	it('after a stop did as it should as far as it came', async () => {
		const { race, first, shows, learn, failed } = await stage();
		await shows([1]);
		await first.hearing.cancel('stopped');
		expect(race.lose(first, { code: 'no-acknowledgement', parted: true })?.over).toBe(true);
		expect(learn.mock.calls.map(([, outcome]) => outcome)).toEqual([first.kept()]);
		expect(failed).not.toHaveBeenCalled();
	});

	it('leaves nothing to hand over when the answer is as long as it may be, its time is over, or no other could', async () => {
		const over = async (set: Set, code: Code, length: number, ms: number) => {
			const { race, first, shows, clock } = await stage(set);
			await shows(tokens(0, length));
			await clock.pass(ms);
			return race.lose(first, { code })?.over;
		};
		const begun = { maxTokens: 5, deadlineAt: 1_000 };
		expect(await over({ begun }, 'peer-lost', 4, 999)).toBe(false);
		expect(await over({ begun }, 'peer-lost', 5, 999)).toBe(true);
		expect(await over({ begun }, 'peer-lost', 4, 1_000)).toBe(true);
		expect(await over({ begun }, 'prompt-too-long', 4, 999)).toBe(true);
	});
});

describe('what a receipt says of why its executor did not finish', () => {
	it('is its own word, unless that would make its leaving off weigh nothing', async () => {
		const { leader } = await stage();
		const why = async (code: string | undefined, status: 'partial' | 'failed' | 'success' = 'failed') => {
			const receipt = await leader.sealed({ status, ...(code === undefined ? {} : { code }) });
			const loss = lossOf(receipt);
			expect(loss.receipt).toBe(receipt);
			return [loss.code, loss.parted];
		};
		expect(await why(undefined, 'success')).toEqual(['terms-differ', true]);
		expect(await why('engine-failed')).toEqual(['engine-failed', undefined]);
		expect(await why('prompt-too-long')).toEqual(['prompt-too-long', undefined]);
		expect(await why('busy', 'partial')).toEqual(['aborted', undefined]);
		expect(await why('of-a-later-version')).toEqual(['aborted', undefined]);
		expect(await why(undefined)).toEqual(['aborted', undefined]);
	});
});
