/** The short walk on virtual time. */
import { expect, test } from 'vitest';
import { answerHere } from '#lib/node/answer-here.ts';
import type { Engine } from '#lib/ports/engine.ts';
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
