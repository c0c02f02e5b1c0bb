/** One engine, several callers: nobody is refused, nobody is cut short, the person goes first. */
import { describe, expect, it } from 'vitest';
import { takeTurns } from '#lib/node/turns.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine, GenerateRequest } from '#lib/ports/engine.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
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

describe('a turn', () => {
	/** An engine whose calls end when a test says so. */
	function held() {
		const calls: { readonly name: string; readonly end: () => void }[] = [];
		const state = { is: 'ready' as Engine['state'], fails: undefined as Error | undefined };
		const call = async (name: string) => {
			const gate = Promise.withResolvers<void>();
			calls.push({ name, end: gate.resolve });
			await gate.promise;
			if (state.fails !== undefined) throw state.fails;
		};
		const asked: unknown[] = [];
		const engine = {
			id: 'held',
			get state() {
				return state.is;
			},
			load: (...given: unknown[]) => (asked.push(['load', ...given]), Promise.resolve('loaded')),
			logits: (tokens: number[], signal: AbortSignal) => (
				asked.push(['logits', tokens, signal]),
				call('logits').then(() => [tokens])
			),

			async *generate(given: GenerateRequest, signal: AbortSignal) {
				asked.push(['generate', given, signal]);
				await call('generate');
				return NOTHING;
			},
			countTokens: (turns: unknown) => (asked.push(['count', turns]), Promise.resolve(42)),
			unload: () => (asked.push(['unload']), Promise.resolve())
		} as unknown as Engine;
		const of = takeTurns(engine);
		return { calls, state, asked, person: of('person'), job: of('job') };
	}
	const NOTHING = {
		...{ reason: 'aborted', promptTokens: 0, cachedTokens: 0, droppedTurns: 0, tokens: 0, prefillMs: 0, decodeMs: 0 }
	};
	const soon = () => new Promise((resolve) => setImmediate(resolve));

	it('passes everything on as it was given, and what needs no turn waits for none', async () => {
		const { asked, calls, person, job } = held();
		const signal = never();
		const wanted = request({});
		const first = job.generate(wanted, signal).next();
		await soon();
		const report = () => undefined;
		expect([person.id, await person.load(report, signal), await person.countTokens([]), await person.unload()]).toEqual(
			[...['held', 'loaded', 42, undefined]]
		);
		calls[0]?.end();
		expect(await first).toEqual({ done: true, value: NOTHING });
		const read = person.logits([7], signal);
		await soon();
		calls[1]?.end();
		expect(await read).toEqual([[7]]);
		expect(asked).toEqual([
			...[['generate', wanted, signal], ['load', report, signal], ['count', []], ['unload'], ['logits', [7], signal]]
		]);
	});

	it('is waited for by readings too, one at a time, and given back when one fails', async () => {
		const { calls, state, person, job } = held();
		const all = [job.logits([1], never()), person.logits([2], never())].map((work) => codeIn(() => work));
		await soon();
		expect(calls).toHaveLength(1);
		expect(job.state).toBe('busy');
		state.fails = new Refusal('engine-failed');
		calls[0]?.end();
		await soon();
		expect(calls).toHaveLength(2);
		calls[1]?.end();
		expect(await Promise.all(all)).toEqual(['engine-failed', 'engine-failed']);
		expect(job.state).toBe('ready');
	});

	it('of one who left is nothing, and a stop after it began takes nobody’s place', async () => {
		const { calls, asked, person, job } = held();
		const stop = new AbortController();
		const running = person.logits([1], stop.signal);
		const mine = person.logits([2], stop.signal).catch((error: unknown) => codeOf(error));
		const left = new AbortController();
		const [gone, waits] = [job.generate(request({}), left.signal).next(), job.logits([3], never())];
		left.abort();
		expect(await gone).toEqual({ done: true, value: NOTHING });
		calls[0]?.end();
		await running;
		await soon();
		// The second runs, the third waits: a stop now is the engine's affair.
		stop.abort();
		await soon();
		expect(calls).toHaveLength(2);
		calls[1]?.end();
		await mine;
		await soon();
		expect(asked.map((each) => (each as unknown[])[1])).toEqual([[1], [2], [3]]);
		calls[2]?.end();
		expect(await waits).toEqual([[3]]);
		expect(await codeIn(() => person.logits([4], AbortSignal.abort()))).toBe('aborted');
		expect((await person.generate(request({}), AbortSignal.abort()).next()).value).toEqual(NOTHING);
		expect(asked).toHaveLength(3);
	});

	it('is waited for by eight; nobody slips in between one and the next', async () => {
		const { calls, asked, job } = held();
		const all = Array.from({ length: 9 }, (_, i) => job.logits([i], never()));
		expect(await codeIn(() => job.logits([9], never()))).toBe('engine-busy');
		calls[0]?.end();
		await all[0];
		// Asked for in the very moment in which the next begins.
		const late = job.logits([10], never());
		for (let i = 1; i <= 9; i++) {
			await soon();
			expect(calls).toHaveLength(i + 1);
			calls[i]?.end();
		}
		await Promise.all([...all, late]);
		expect(asked.map((each) => (each as unknown[])[1])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 10].map((n) => [n]));
	});

	it('is the next one’s from the moment it is given back: whoever asks between two steps of the story waits', async () => {
		const { calls, asked, job } = held();
		const all = [job.logits([0], never()), job.logits([1], never())];
		await soon();
		calls[0]?.end();
		for (let step = 2; step < 10; step++) {
			await Promise.resolve();
			all.push(job.logits([step], never()));
		}
		await soon();
		expect(calls).toHaveLength(2);
		for (let i = 1; i < 10; i++) {
			calls[i]?.end();
			await soon();
		}
		await Promise.all(all);
		expect(asked.map((each) => (each as unknown[])[1])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n]));
	});

	it('is not spoken of by an engine that is not ready: its own state is said', async () => {
		const { state, calls, person, job } = held();
		for (const is of ['idle', 'loading', 'busy', 'failed'] as const) {
			state.is = is;
			expect([person.state, job.state]).toEqual([is, is]);
		}
		state.is = 'loading';
		const running = person.logits([1], never());
		expect(job.state).toBe('loading');
		await soon();
		calls[0]?.end();
		await running;
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
