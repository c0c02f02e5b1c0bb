import { describe, it } from 'vitest';
import type { Clock } from '#lib/ports/clock.ts';
import { rows } from '../compliance/engine-rows.ts';
import { ScriptedEngine } from '../doubles/engine.ts';

const clock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	sleep: (_, signal) =>
		new Promise((resolve, reject) => (signal?.aborted === true ? reject(new Error('stopped')) : setImmediate(resolve)))
};

/** The double keeps the port's promises, so that what is tested on it holds on a real engine. */
describe('the scripted engine', () => {
	const fresh = async () => new ScriptedEngine({ clock, tokensPerSecond: 1000 });
	const ready = async () => {
		const engine = await fresh();
		await engine.load(() => {}, new AbortController().signal);
		return engine;
	};
	for (const { name, run, reason } of rows('scripted', { fresh, ready, model: false, faults: {} })) {
		if (run === undefined) it.skip(`${name} (${reason})`, () => {});
		else it(name, run);
	}
});
