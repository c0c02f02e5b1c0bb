/** The short walk on virtual time. */
import { expect, test } from 'vitest';
import { answerHere } from '#lib/node/answer-here.ts';
import type { LocalEvent, Wish } from '#lib/node/app.ts';
import { fixedAnswer } from '#lib/node/fixed.ts';
import type { Engine, GenerateEnd, GenerateRequest, LoadProgress } from '#lib/ports/engine.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import { ORDINARY_WISH } from '../doubles/node.ts';

const never = new AbortController().signal;

async function answer(clock: VirtualClock, engine: Engine, signal = never) {
	const seen: { readonly type: string; readonly at: number }[] = [];
	const run = async () => {
		for await (const { type } of answerHere(
			ORDINARY_WISH,
			{ engine, clock, random: new SeededRandom('here') },
			signal
		)) {
			seen.push({ type, at: clock.monotonic() });
		}
	};
	await clock.until(run());
	return seen;
}

/** As a real engine behind its worker: a load takes a few turns of the event loop, and a time of its own. */
function slowly(clock: VirtualClock, ms: number, code?: 'engine-load-failed') {
	const engine = new ScriptedEngine({ clock, tokensPerSecond: 100 });
	const load = engine.load.bind(engine);
	engine.load = async (report, signal) => {
		for (let i = 0; i < 5; i += 1) await Promise.resolve();
		if (ms > 0) await clock.sleep(ms, signal);
		if (code !== undefined) throw new Refusal(code);
		return load(ms > 0 ? report : () => undefined, signal);
	};
	return engine;
}

test('a model that is loaded answers at once: the first word waits for its step and for nothing else', async () => {
	const clock = new VirtualClock();
	const seen = await answer(clock, slowly(clock, 0));
	expect(seen[0]).toEqual({ type: 'words', at: 10 });
});

test('a load is told about, and answered the moment it is done', async () => {
	const clock = new VirtualClock();
	const seen = await answer(clock, slowly(clock, 777));
	expect(seen.slice(0, 2)).toEqual([
		{ type: 'loading', at: 777 },
		{ type: 'words', at: 787 }
	]);
});

test('a load that fails ends the answer with its code', async () => {
	const clock = new VirtualClock();
	expect(await answer(clock, slowly(clock, 5, 'engine-load-failed'))).toEqual([{ type: 'failed', at: 5 }]);
});

/** Everything that an answer tells, by an engine that plays this. */
async function told(
	engine: (clock: VirtualClock) => Engine,
	wish: Partial<Wish> = {},
	signal = never,
	onEvent: (event: LocalEvent, clock: VirtualClock) => void = () => undefined
) {
	const clock = new VirtualClock();
	const events: LocalEvent[] = [];
	const run = async () => {
		const ports = { engine: engine(clock), clock, random: new SeededRandom('here') };
		for await (const event of answerHere({ ...ORDINARY_WISH, ...wish }, ports, signal)) {
			events.push(event);
			onEvent(event, clock);
		}
	};
	await clock.until(run());
	return { events, clock };
}
const scripted = (clock: VirtualClock) => new ScriptedEngine({ clock, tokensPerSecond: 100 });

test('the engine is asked for exactly what was wished, with a fresh seed, and remembers what it read for the next', async () => {
	const asked: GenerateRequest[] = [];
	const wish = { continueFrom: [3, 4], minTokens: 5, maxTokens: 6 };
	const { events } = await told(
		(clock) => new ScriptedEngine({ clock, tokensPerSecond: 100, ran: (request) => asked.push(request) }),
		wish
	);
	const { turns, sampling } = ORDINARY_WISH;
	expect(asked).toStrictEqual([
		{ turns, sampling, ...wish, seed: new SeededRandom('here').bytes(32), cacheScope: 'here' }
	]);
	const positions = events.flatMap((event) => (event.type === 'words' ? [event.position] : []));
	expect(positions.slice(0, 3)).toEqual([2, 3, 4]);
	const [loading, first] = events;
	expect(loading).toMatchObject({ type: 'loading', progress: { stage: 'fetching', loadedBytes: 1 } });
	const tokens = first?.type === 'words' ? first.tokens : [];
	expect(tokens).toHaveLength(1);
	expect(first).toEqual({ type: 'words', text: `w${tokens[0]} `, tokens, position: 2 });
});

test('the end says how many words, how fast, and which model, by its name too', async () => {
	const { events } = await told(scripted, { minTokens: 4, maxTokens: 4 });
	expect(events.at(-1)).toEqual({
		...{ type: 'finished', status: 'success', tokens: 4, tokensPerSecond: 100, droppedTurns: 0 },
		...{ model: 'scripted', modelName: 'Scripted' }
	});
});

/** An engine whose run is over at once. */
const ends = (end: Partial<GenerateEnd>) => (clock: VirtualClock) => {
	const engine = scripted(clock);

	engine.generate = async function* () {
		return {
			...{ reason: 'length', promptTokens: 1, cachedTokens: 0, droppedTurns: 3, tokens: 8, prefillMs: 1, decodeMs: 0 },
			...end
		} as GenerateEnd;
	};
	return engine;
};

test.each([
	[{}, { status: 'success', tokens: 8, tokensPerSecond: 0, droppedTurns: 3 }],
	[{ decodeMs: 1 }, { status: 'success', tokensPerSecond: 8_000 }],
	[{ reason: 'stop' }, { status: 'success' }],
	[{ reason: 'aborted' }, { status: 'cancelled', tokens: 8 }]
] as const)('a run that ended with %j is told as %j', async (end, expected) => {
	expect((await told(ends(end))).events.at(-1)).toMatchObject({ type: 'finished', ...expected });
});

test('a stop in the middle ends it as cancelled, with what there is', async () => {
	const stop = new AbortController();
	const { events } = await told(scripted, {}, stop.signal, (event) => {
		if (event.type === 'words' && event.position === 6) stop.abort();
	});
	expect(events.at(-1)).toMatchObject({ type: 'finished', status: 'cancelled', tokens: 7 });
	const before = await told(scripted, {}, AbortSignal.abort());
	expect(before.events).toEqual([{ type: 'failed', code: 'aborted' }]);
});

test('an engine that fails in the middle is told with its code, after the words that came', async () => {
	const { events } = await told(
		(clock) => new ScriptedEngine({ clock, failAt: { position: 2, code: 'out-of-memory' } })
	);
	expect(events.map(({ type }) => type)).toEqual(['loading', 'words', 'words', 'failed']);
	expect(events.at(-1)).toEqual({ type: 'failed', code: 'out-of-memory' });
});

test('what no model may answer is answered by its fixed text, by the last thing that the person said', async () => {
	const crisis = 'I want to kill myself';
	const fixed = fixedAnswer(crisis);
	const engine = (clock: VirtualClock) => {
		const made = scripted(clock);
		made.load = () => Promise.reject(new Refusal('engine-load-failed'));
		return made;
	};
	const turns = [
		{ role: 'user', content: 'hello' },
		{ role: 'user', content: crisis },
		{ role: 'assistant', content: 'hello' }
	] as const;
	expect((await told(engine, { turns })).events).toEqual([{ type: 'fixed', text: fixed?.text, topic: fixed?.topic }]);
	expect(fixed?.topic).toBe('crisis');
	const before = [turns[1], turns[0]] as const;
	expect((await told(scripted, { turns: before })).events.at(-1)?.type).toBe('finished');
	const nobody = [{ role: 'system', content: crisis }] as const;
	expect((await told(scripted, { turns: nobody })).events.at(-1)?.type).toBe('finished');
});

test('every report of a load is told in its order, however long nothing is reported', async () => {
	const report = (loadedBytes: number): LoadProgress => ({
		...{ stage: 'fetching', loadedBytes, totalBytes: 9, bytesPerSecond: undefined, secondsLeft: undefined }
	});
	const { events, clock } = await told(
		(world) => {
			const engine = scripted(world);
			const load = engine.load.bind(engine);
			engine.load = async (tell, signal) => {
				tell(report(1));
				tell(report(2));
				await world.sleep(200_000);
				tell(report(9));
				return load(() => undefined, signal);
			};
			return engine;
		},
		{ minTokens: 1, maxTokens: 1 }
	);
	expect(events.filter(({ type }) => type === 'loading')).toEqual(
		[1, 2, 9].map((at) => ({ type: 'loading', progress: report(at) }))
	);
	expect(clock.monotonic()).toBe(200_010);
	expect(clock.waiting).toBe(0);
});

test('a load that fails after its reader has left is nobody’s unhandled failure', async () => {
	const unhandled: unknown[] = [];
	const hear = (reason: unknown) => unhandled.push(reason);
	process.on('unhandledRejection', hear);
	const clock = new VirtualClock();
	const engine = scripted(clock);
	engine.load = async (tell) => {
		tell({ stage: 'fetching', loadedBytes: 1, totalBytes: 9, bytesPerSecond: undefined, secondsLeft: undefined });
		await clock.sleep(100);
		throw new Refusal('engine-load-failed');
	};
	const story = answerHere(ORDINARY_WISH, { engine, clock, random: new SeededRandom('here') }, never);
	expect((await clock.until(story.next())).value).toMatchObject({ type: 'loading' });
	await story.return();
	await clock.pass(200);
	await new Promise((resolve) => setImmediate(resolve));
	process.off('unhandledRejection', hear);
	expect(unhandled).toEqual([]);
});
