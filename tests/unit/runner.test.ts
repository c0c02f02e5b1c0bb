/** One executor in the race: how long its silence is waited for, when it is of no more use, and what is remembered of it. */
import { describe, expect, it } from 'vitest';
import { LAST_WORDS, Runner } from '#lib/node/runner.ts';
import { encodeCanonical } from '#lib/protocol/encode.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chainStart } from '#lib/protocol/frame.ts';
import { MODEL, Scene, tokens, type Begun, type PlayerOptions } from '../doubles/played.ts';

async function runs(begun: Begun = {}, bid: PlayerOptions['bid'] = {}, sameAccount = false, characters = 0) {
	const scene = await Scene.set('runner');
	const player = await scene.player({ bid, sameAccount });
	const hired = await player.hire(begun);
	const runner = new Runner(hired, characters, scene.ports);
	const says = (bytes: Uint8Array) => runner.turn({ type: 'message', bytes });
	return { scene, player, hired, runner, says };
}
const code = (work: Promise<unknown>) => work.then(() => 'heard', codeOf);
/** A message of a later version: it says nothing of the answer. */
const WORDLESS = encodeCanonical({ type: 'Later' });
const silent = (runner: Runner, ms: number) => runner.waited(ms, ms);

/** Silence after which it counts as late, and as gone. */
function patienceOf(runner: Runner): readonly [late: number, gone: number] {
	const at: number[] = [];
	for (let ms = 1; at.length < 2; ms++) {
		silent(runner, 1);
		const found = runner.punctuality;
		if (at.length === 0 && found !== 'on-time') at.push(ms);
		if (found === 'gone') at.push(ms);
	}
	return at as [number, number];
}

describe('before its first word', () => {
	// Late after twice what it promised and a second, gone after four times that and eight.
	it.each([
		['as promised', { firstTokenMs: 400 }, 0, [1_800, 9_600]],
		['its queue is behind it', { firstTokenMs: 400, waitMs: 300 }, 0, [1_200, 8_400]],
		['a queue longer than the promise is none', { firstTokenMs: 400, waitMs: 500 }, 0, [1_000, 8_000]],
		['given tokens run one by one', { firstTokenMs: 400, milliTokensPerSecond: 10_000 }, 2, [2_200, 10_400]],
		['no speed at all', { firstTokenMs: 0, milliTokensPerSecond: 0 }, 0, [1_000, 8_000]]
	] as const)('%s', async (_name, bid, given, want) => {
		const { runner } = await runs({ continueFrom: tokens(0, given) }, bid);
		expect(patienceOf(runner)).toEqual(want);
	});

	it('is waited for a minute at the most', async () => {
		const { runner } = await runs({ continueFrom: [1] }, { milliTokensPerSecond: 0 });
		silent(runner, 59_999);
		expect(runner.punctuality).toBe('on-time');
		silent(runner, 1);
		expect(runner.punctuality).toBe('gone');
	});
});

describe('its silence', () => {
	it('after a word is measured by its pace', async () => {
		const { runner, says, player } = await runs({}, { milliTokensPerSecond: 10_000 });
		silent(runner, 1_700);
		await says(player.frame([1]));
		expect(runner.punctuality).toBe('on-time');
		expect(patienceOf(runner)).toEqual([400, 5_000]);
	});

	it('is looked at every quarter of a second, and when its time is over', async () => {
		const { runner, scene } = await runs({ deadlineAt: 1_000 });
		expect(runner.patienceMs).toBe(250);
		await scene.clock.pass(900);
		expect(runner.patienceMs).toBe(100);
		await scene.clock.pass(200);
		expect(runner.patienceMs).toBe(0);
	});

	it('ends it when it is gone, not when it is late', async () => {
		const { runner } = await runs({}, { firstTokenMs: 0 });
		silent(runner, 1_000);
		expect(runner.punctuality).toBe('late');
		expect(await code(runner.turn(undefined))).toBe('heard');
		silent(runner, 6_999);
		expect(await code(runner.turn(undefined))).toBe('heard');
		silent(runner, 1);
		expect(await code(runner.turn(undefined))).toBe('stalled');
	});

	it('after a stop lasts three seconds, of which only what was waited in vain counts', async () => {
		const { runner, scene } = await runs({}, { firstTokenMs: 0 });
		silent(runner, 7_999);
		await runner.turn({ type: 'stop' });
		expect(runner.patienceMs).toBe(3_000);
		// Time passes, but nobody waited.
		await scene.clock.pass(5_000);
		runner.waited(1_000, 400);
		runner.waited(400, 1_000);
		runner.waited(-50, 10);
		expect(runner.patienceMs).toBe(2_200);
		silent(runner, 2_199);
		expect(await code(runner.turn(undefined))).toBe('heard');
		silent(runner, 1);
		expect(runner.patienceMs).toBe(0);
		expect(await code(runner.turn(undefined))).toBe('no-acknowledgement');
		silent(runner, 500);
		expect(runner.patienceMs).toBe(0);
	});
});

describe('a turn', () => {
	it('without mail brings nothing', async () => {
		const { runner } = await runs();
		expect(await runner.turn(undefined)).toBeUndefined();
	});

	it('ends it with its channel, and with the reason where there is one', async () => {
		const { runner } = await runs();
		expect(await code(runner.turn({ type: 'ended', code: undefined }))).toBe('channel-closed');
		expect(await code(runner.turn({ type: 'ended', code: 'peer-lost' }))).toBe('peer-lost');
	});

	it('with a stop asks it to seal, once', async () => {
		const { runner, player } = await runs();
		expect(await runner.turn({ type: 'stop' })).toBeUndefined();
		expect(await runner.turn({ type: 'stop' })).toBeUndefined();
		expect(player.channel.cancels).toEqual(['stopped']);
		expect(runner.hearing.cancelled).toBe(true);
	});

	it('when its time is over asks it to seal, once, and reads what it says all the same', async () => {
		const { runner, player, says, scene } = await runs({ deadlineAt: 500 });
		await scene.clock.pass(499);
		await says(player.frame([1]));
		expect(player.channel.cancels).toEqual([]);
		await scene.clock.pass(1);
		expect(await says(player.frame([2]))).toMatchObject({ type: 'frame', frame: { tokens: [2] } });
		expect(player.channel.cancels).toEqual(['deadline']);
		await says(player.frame([3]));
		await runner.turn(undefined);
		expect(player.channel.cancels).toEqual(['deadline']);
		expect(runner.hearing.tokens).toEqual([1, 2, 3]);
		silent(runner, 3_000);
		expect(await code(runner.turn(undefined))).toBe('no-acknowledgement');
	});

	it('when its time is over in silence asks it to seal, though it is gone by then', async () => {
		const { runner, player, scene } = await runs({ deadlineAt: 500 });
		await scene.clock.pass(500);
		silent(runner, 60_000);
		expect(await code(runner.turn(undefined))).toBe('heard');
		expect(player.channel.cancels).toEqual(['deadline']);
	});

	it('refuses what the hearing refuses', async () => {
		const { says, player } = await runs();
		expect(await code(says(player.frame([1], 'w1 ', { sequence: 5 })))).toBe('out-of-order');
	});
});

describe('one that talks all the time', () => {
	it('without a word of the answer has stalled after 256 messages; a word in between counts', async () => {
		const { says, player } = await runs();
		for (let i = 0; i < 256; i++) expect(await says(WORDLESS)).toBeUndefined();
		await says(player.frame([1]));
		for (let i = 0; i < 256; i++) expect(await says(WORDLESS)).toBeUndefined();
		// A checkpoint says something, but no word.
		await says(await player.checkpoint());
		expect(await code(says(WORDLESS))).toBe('stalled');
	});

	it('after a stop is read no longer than one interval of frames takes', async () => {
		const { says, runner, player } = await runs();
		await says(player.frame([1]));
		await runner.turn({ type: 'stop' });
		for (let i = 0; i < LAST_WORDS; i++) expect(await code(says(WORDLESS))).toBe('heard');
		expect(await code(says(player.frame([2])))).toBe('no-acknowledgement');
		expect(LAST_WORDS).toBe(256);
	});
});

describe('its words against those shown', () => {
	it('are ahead, behind or parted, from where it was asked to go on', async () => {
		const { runner, says, player } = await runs({ continueFrom: [8, 9] }, {}, false, 5);
		const standing = (shown: readonly number[], text: string) =>
			runner.standing({ tokens: [8, 9, ...shown], text: `01234${text}` });
		expect(runner.parted).toBe(false);
		expect(standing([], '')).toEqual({ type: 'behind' });
		await says(player.frame([1]));
		expect(standing([], '')).toEqual({ type: 'ahead', tokens: [1], text: 'w1 ' });
		expect(standing([1], 'w1 ')).toEqual({ type: 'behind' });
		expect(runner.parted).toBe(false);
		expect(standing([1, 2], 'w1 w2 ')).toEqual({ type: 'behind' });
		await says(player.frame([3]));
		expect(standing([1, 2], 'w1 w2 ')).toEqual({ type: 'parted' });
		expect(runner.parted).toBe(true);
	});

	it('are compared token by token even where they have no text yet', async () => {
		const { runner, says, player } = await runs();
		await says(player.frame([1], ''));
		expect(runner.standing({ tokens: [1, 2, 3], text: '' })).toEqual({ type: 'behind' });
		await says(player.frame([9], ''));
		expect(runner.standing({ tokens: [1, 2, 3], text: '' })).toEqual({ type: 'parted' });
	});

	it('that were ahead are compared once others are shown there', async () => {
		const { runner, says, player } = await runs({ continueFrom: [8, 9] });
		await says(player.frame([1, 5], ''));
		expect(runner.standing({ tokens: [8, 9, 1], text: '' })).toEqual({ type: 'ahead', tokens: [5], text: '' });
		expect(runner.standing({ tokens: [8, 9, 1, 6], text: '' })).toEqual({ type: 'parted' });
	});
});

describe('what it can prove', () => {
	it('is what it delivered after what was given, at its price; an own device costs nothing', async () => {
		const { runner } = await runs({ continueFrom: [8, 9] }, { pricePer1k: 70_000 });
		expect(runner.part(5)).toStrictEqual({ pricePer1k: 70_000, startPosition: 2, answerTokens: 5, price: undefined });
		expect(runner.part(5, 11)).toMatchObject({ answerTokens: 5, price: 11 });
		const own = await runs({}, {}, true);
		expect(own.runner.part(1)).toMatchObject({ pricePer1k: 0, startPosition: 0 });
	});
});

describe('what is remembered of it', () => {
	/** A first frame of `first` tokens after 300 ms, and one of `rest` after another 400. */
	async function after(first: number, rest: number, begun: Begun = {}, laterMs = 400) {
		const { runner, says, player, scene } = await runs(begun);
		await scene.clock.pass(300);
		await says(player.frame(tokens(0, first)));
		await scene.clock.pass(laterMs);
		if (rest > 0) await says(player.frame(tokens(0, rest)));
		return runner.kept();
	}
	const kept = { type: 'kept', model: MODEL.id, promised: { tokensPerSecond: 85 } };

	it('is nothing when it delivered nothing', async () => {
		const { runner, says } = await runs();
		await says(WORDLESS);
		expect(runner.kept()).toBeUndefined();
	});
	it('is when its first word came, and its speed after that, as soon as there is enough to measure', async () => {
		expect(await after(3, 8)).toStrictEqual({ ...kept, tokensPerSecond: 20, firstMs: 300 });
		expect(await after(3, 7)).toStrictEqual({ ...kept, tokensPerSecond: undefined, firstMs: 300 });
		expect(await after(30, 0)).toStrictEqual({ ...kept, tokensPerSecond: undefined, firstMs: 300 });
	});
	it('is no speed when all came at once', async () => {
		expect(await after(3, 8, {}, 0)).toMatchObject({ tokensPerSecond: undefined });
	});
	it('is no first word when it had to run the words of others first', async () => {
		expect(await after(3, 8, { continueFrom: [1] })).toStrictEqual({
			...kept,
			tokensPerSecond: 20,
			firstMs: undefined
		});
	});
	it('is neither when its words had waited for a page that was away', async () => {
		const { player, hired, scene } = await runs();
		const transcript = {
			...{ job: hired.job.id, epoch: 1, assignment: hired.assignment.cid, start: 0, maxTokens: 100 },
			...{ sequence: 0, position: 0, checked: 0, lastCheckpoint: undefined },
			chain: chainStart(hired.assignment.bodyBytes)
		};
		const resumed = { transcript, tokens: [], text: '', shown: { tokens: [], text: '' }, attempt: 1 };
		const again = new Runner({ ...hired, resumed }, 0, scene.ports);
		await scene.clock.pass(300);
		await again.turn({ type: 'message', bytes: player.frame([1]) });
		await scene.clock.pass(400);
		await again.turn({ type: 'message', bytes: player.frame(tokens(0, 9)) });
		expect(again.kept()).toStrictEqual({ ...kept, tokensPerSecond: undefined, firstMs: undefined });
	});
});
