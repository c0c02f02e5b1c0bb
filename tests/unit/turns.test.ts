/** One engine, several callers: nobody is refused, nobody is cut short, the person goes first. */
import { describe, expect, it } from 'vitest';
import { takeTurns } from '#lib/node/turns.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine } from '#lib/ports/engine.ts';
import { answer, codeIn, ENGINE_CASES, request } from '../compliance/engine.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { ScriptedEngine } from '../doubles/engine.ts';

const never = () => new AbortController().signal;

async function shared() {
	const clock = new VirtualClock();
	const engine = new ScriptedEngine({ clock });
	await engine.load(() => undefined, never());
	const of = takeTurns(engine);
	return { clock, engine, person: of('person'), job: of('job') };
}

/** Reads `engine` to its end and notes when. */
async function noted(engine: Engine, name: string, ends: string[], signal = never()) {
	const { end } = await answer(engine, { minTokens: 4, maxTokens: 4 }, signal);
	ends.push(`${name} ${end.reason}`);
}

describe('turns', () => {
	it('waits for the answer under way, then takes the person before jobs that came earlier', async () => {
		const { clock, person, job } = await shared();
		const ends: string[] = [];
		const all = [
			noted(job, 'job 1', ends),
			noted(job, 'job 2', ends),
			noted(job, 'job 3', ends),
			noted(person, 'person', ends)
		];
		await clock.until(Promise.all(all));
		expect(ends).toEqual(['job 1 length', 'person length', 'job 2 length', 'job 3 length']);
	});

	it('says busy to jobs while somebody answers or waits, so that no bid has to wait', async () => {
		const { clock, engine, person, job } = await shared();
		expect([person.state, job.state]).toEqual(['ready', 'ready']);
		const steps = person.generate(request({ minTokens: 2, maxTokens: 2 }), never());
		await clock.until(steps.next());
		expect(job.state).toBe('busy');
		await clock.until(steps.return(undefined as never));
		expect([engine.state, job.state]).toEqual(['ready', 'ready']);
	});

	it('says busy to jobs only: to its person an engine that somebody else waits for is ready', async () => {
		const { clock, engine } = await shared();
		const ready = new Proxy(engine, {
			get: (of, key) => {
				if (key === 'state') return 'ready';
				const value: unknown = Reflect.get(of, key, of);
				return typeof value === 'function' ? value.bind(of) : value;
			}
		});
		const of = takeTurns(ready);
		const steps = of('job').generate(request({ minTokens: 2, maxTokens: 2 }), never());
		await clock.until(steps.next());
		expect([of('person').state, of('job').state]).toEqual(['ready', 'busy']);
		await clock.until(steps.return(undefined as never));
		expect([of('person').state, of('job').state]).toEqual(['ready', 'ready']);
	});

	it('lets a waiting caller leave, and the others keep their places', async () => {
		const { clock, person, job } = await shared();
		const ends: string[] = [];
		const stop = new AbortController();
		const all = [noted(person, 'first', ends), noted(person, 'leaves', ends, stop.signal), noted(job, 'job', ends)];
		stop.abort();
		await clock.until(Promise.all(all));
		expect(ends).toEqual(['leaves aborted', 'first length', 'job length']);
		expect(await clock.until(codeIn(() => job.logits([1], AbortSignal.abort())))).toBe('aborted');
	});

	it('refuses a crowd, and a failing answer gives its turn back', async () => {
		const { clock, engine, person, job } = await shared();
		const ends: string[] = [];
		const crowd = Array.from({ length: 9 }, (_, i) => noted(job, String(i), ends));
		expect(await codeIn(() => answer(person))).toBe('engine-busy');
		await clock.until(Promise.all(crowd));
		expect(ends).toHaveLength(9);
		await engine.unload();
		expect(await codeIn(() => answer(person))).toBe('engine-not-ready');
		await engine.load(() => undefined, never());
		await clock.until(noted(job, 'after', ends));
		expect(ends.at(-1)).toBe('after length');
	});
});

describe('a view of an engine is an engine', () => {
	const realClock: Clock = {
		now: () => Date.now(),
		monotonic: () => performance.now(),
		sleep: (_, signal) =>
			new Promise((resolve, reject) =>
				signal?.aborted === true ? reject(new Error('stopped')) : setImmediate(resolve)
			)
	};
	const place = {
		fresh: async () => takeTurns(new ScriptedEngine({ clock: realClock }))('person'),
		async ready() {
			const engine = await this.fresh();
			await engine.load(() => undefined, never());
			return engine;
		},
		model: false
	};
	// Its whole point is that a second caller waits.
	const cases = ENGINE_CASES.filter(({ name, model }) => model !== true && name !== 'answers one at a time');
	for (const { name, run } of cases) it(name, () => run(place));
});
