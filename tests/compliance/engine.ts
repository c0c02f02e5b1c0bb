/**
 * What every Engine must do, as cases that need no test runner. They are run over the real engine in Node, over its worker in
 * Chromium, and over the scripted double, which must not promise less than what it stands for.
 */
import assert from 'node:assert/strict';
import type { Engine, GenerateEnd, GenerateRequest, LoadProgress, Step } from '#lib/ports/engine.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { draw, MAX_CANDIDATES, type Sampling } from '#lib/protocol/sampler.ts';

/** Where engines are made. */
export interface EnginePlace {
	/** A new engine that has loaded nothing. */
	fresh(): Promise<Engine>;
	/** A loaded engine that several cases share; whoever breaks it takes a fresh one instead. */
	ready(): Promise<Engine>;
	/** Runs a model of its own, so requests and lengths are looked at. The double does not. */
	readonly model: boolean;
}

export interface EngineCase {
	readonly name: string;
	/** Only where `EnginePlace.model` holds. */
	readonly model?: true;
	run(place: EnginePlace): Promise<void>;
}

export interface Answer {
	readonly steps: readonly Step[];
	readonly tokens: readonly number[];
	readonly text: string;
	readonly end: GenerateEnd;
}

/** Temperature 1 over all candidates: every bit of the logits matters. */
export const WARM: Sampling = { temperatureMilli: 1000, topK: MAX_CANDIDATES, topPMilli: 1000 };
/** Hotter, at a question that means nothing: a small model is so sure of its ordinary answers that seed and position hardly matter. */
export const HOT = {
	sampling: { ...WARM, temperatureMilli: 2000 },
	turns: [{ role: 'user' as const, content: 'Zyx, or qwr?' }]
};
export const SEED = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256);

export function request(change: Partial<GenerateRequest> = {}): GenerateRequest {
	return {
		turns: [{ role: 'user', content: 'What is Fireweed?' }],
		continueFrom: [],
		seed: SEED,
		sampling: WARM,
		minTokens: 24,
		maxTokens: 24,
		...change
	};
}

/** Reads a whole answer; `onStep` may stop it. */
export async function answer(
	engine: Engine,
	change: Partial<GenerateRequest> = {},
	signal: AbortSignal = new AbortController().signal,
	onStep: (step: Step) => void = () => {}
): Promise<Answer> {
	const steps: Step[] = [];
	const stream = engine.generate(request(change), signal);
	for (;;) {
		const next = await stream.next();
		if (next.done === true) {
			return {
				steps,
				tokens: steps.map((step) => step.token),
				text: steps.map((step) => step.text).join(''),
				end: next.value
			};
		}
		steps.push(next.value);
		onStep(next.value);
	}
}

/** The code that `work` is refused with. */
export async function codeIn(work: () => Promise<unknown>): Promise<string> {
	try {
		await work();
	} catch (error) {
		return codeOf(error);
	}
	return 'not refused';
}

const never = () => new AbortController().signal;
const unheard = () => {};

export const ENGINE_CASES: readonly EngineCase[] = [
	{
		name: 'refuses work before it has loaded',
		async run(place) {
			const engine = await place.fresh();
			assert.equal(engine.state, 'idle');
			assert.equal(await codeIn(() => answer(engine)), 'engine-not-ready');
		}
	},
	{
		name: 'loads, says how far it is, and shares one load between two callers',
		async run(place) {
			const engine = await place.fresh();
			const heard: LoadProgress[] = [];
			const [one, two] = await Promise.all([
				engine.load((each) => heard.push(each), never()),
				engine.load(unheard, never())
			]);
			assert.equal(engine.state, 'ready');
			assert.deepEqual(one.card.weightsHash, two.card.weightsHash);
			assert.equal(one.card.id, engine.id);
			for (const hash of [one.card.weightsHash, one.card.tokenizerHash, one.card.templateHash, one.card.engineHash]) {
				assert.equal(hash.length, 32);
			}
			assert.ok(one.tokensPerSecond > 0 && one.loadMs >= 0);
			assert.ok(heard.length > 0);
			const order = ['fetching', 'preparing', 'checking'];
			heard.reduce((before, here) => {
				assert.ok(order.indexOf(here.stage) >= order.indexOf(before.stage));
				if (here.stage === before.stage) assert.ok(here.loadedBytes >= before.loadedBytes);
				return here;
			});
			const third = await engine.load(unheard, never());
			assert.deepEqual(third.card.engineHash, one.card.engineHash);
			await engine.unload();
		}
	},
	{
		name: 'gives up a load that is cancelled, and can load again',
		async run(place) {
			const engine = await place.fresh();
			const gone = AbortSignal.abort();
			assert.equal(await codeIn(() => engine.load(unheard, gone)), 'aborted');
			assert.equal(engine.state, 'idle');
			if (place.model) {
				const cancel = new AbortController();
				const loading = engine.load(() => cancel.abort(), cancel.signal);
				assert.equal(await codeIn(() => loading), 'aborted');
				assert.equal(engine.state, 'idle');
			}
			await engine.load(unheard, never());
			assert.equal(engine.state, 'ready');
			await engine.unload();
		}
	},
	{
		name: 'streams steps in order, each with its top 20, each draw replayable from them alone',
		async run(place) {
			const engine = await place.ready();
			const { steps, end } = await answer(engine, HOT);
			assert.equal(steps.length, 24);
			assert.equal(end.reason, 'length');
			assert.equal(end.tokens, 24);
			steps.forEach((step, i) => {
				assert.equal(step.position, i);
				assert.equal(step.topIds.length, MAX_CANDIDATES);
				const ranked = Array.from(step.topIds, (id, rank) => ({ id, logit: step.topLogits[rank] as number }));
				ranked.reduce((before, here) => {
					assert.ok(before.logit > here.logit || (before.logit === here.logit && before.id < here.id));
					return here;
				});
				assert.equal(draw(ranked, HOT.sampling, SEED, step.position), step.token);
			});
		}
	},
	{
		name: 'is the same again for the same request, and another for another seed',
		async run(place) {
			const engine = await place.ready();
			const [one, two] = [await answer(engine, HOT), await answer(engine, HOT)];
			assert.deepEqual(one.steps, two.steps);
			const other = await answer(engine, { ...HOT, seed: SEED.map((byte) => byte ^ 1) });
			assert.notDeepEqual(one.tokens, other.tokens);
		}
	},
	{
		name: 'never stops before minTokens nor goes past maxTokens, and emits no stop token',
		async run(place) {
			const engine = await place.ready();
			const { card } = await engine.load(unheard, never());
			const long = await answer(engine, { minTokens: 60, maxTokens: 64 });
			assert.ok(long.tokens.length >= 60 && long.tokens.length <= 64);
			assert.ok(!long.tokens.some((token) => card.stopTokens.includes(token)));
			for (const step of long.steps.slice(0, 60)) {
				assert.ok(!Array.from(step.topIds).some((id) => card.stopTokens.includes(id)));
			}
			const one = await answer(engine, { minTokens: 0, maxTokens: 1 });
			assert.ok(one.tokens.length <= 1);
		}
	},
	{
		name: 'ends within one step of a stop, without an error, and is free at once',
		async run(place) {
			const engine = await place.ready();
			const stop = new AbortController();
			let after = 0;
			let stopped = 0;
			// An answer that would take seconds, so that running it to its end would be noticed.
			const { end, tokens } = await answer(engine, { minTokens: 800, maxTokens: 800 }, stop.signal, (step) => {
				if (stop.signal.aborted) after++;
				if (step.position !== 4) return;
				stopped = performance.now();
				stop.abort();
			});
			assert.ok(performance.now() - stopped < 1000, 'it stops within a step');
			assert.equal(end.reason, 'aborted');
			assert.ok(after <= 1, `${after} steps after the stop`);
			assert.equal(end.tokens, tokens.length);
			assert.equal(engine.state, 'ready');
			assert.equal((await answer(engine)).end.reason, 'length');
		}
	},
	{
		name: 'shows a slow reader nothing more after a stop, however far it had run ahead',
		async run(place) {
			const engine = await place.ready();
			const stop = new AbortController();
			const stream = engine.generate(request({ minTokens: 40, maxTokens: 40 }), stop.signal);
			await stream.next();
			await new Promise((resolve) => setTimeout(resolve, 1500));
			stop.abort();
			const next = await stream.next();
			const last = next.done === true ? next : await stream.next();
			assert.ok(last.done === true);
			assert.equal(last.value.reason, 'aborted');
			assert.equal(last.value.tokens, next.done === true ? 1 : 2);
			assert.equal(engine.state, 'ready');
		}
	},
	{
		name: 'answers nothing to a signal that was raised before',
		async run(place) {
			const { end, tokens } = await answer(await place.ready(), {}, AbortSignal.abort());
			assert.equal(end.reason, 'aborted');
			assert.equal(tokens.length, 0);
		}
	},
	{
		name: 'answers one at a time',
		async run(place) {
			const engine = await place.ready();
			const first = engine.generate(request(), never());
			await first.next();
			assert.equal(engine.state, 'busy');
			assert.equal(await codeIn(() => answer(engine)), 'engine-busy');
			while ((await first.next()).done !== true);
			assert.equal(engine.state, 'ready');
			await answer(engine);
		}
	},
	{
		name: 'stops when its reader leaves early',
		async run(place) {
			const engine = await place.ready();
			// An answer that would take seconds, so that running it to its end would be noticed.
			let left = 0;
			for await (const step of engine.generate(request({ minTokens: 800, maxTokens: 800 }), never())) {
				if (step.position !== 2) continue;
				left = performance.now();
				break;
			}
			assert.ok(performance.now() - left < 1000, 'it stops within a step');
			assert.equal(engine.state, 'ready');
			await answer(engine);
		}
	},
	{
		name: 'goes on from given tokens exactly as the unbroken run',
		async run(place) {
			const engine = await place.ready();
			const whole = await answer(engine);
			for (const seam of [1, 7, 23]) {
				const rest = await answer(engine, { continueFrom: whole.tokens.slice(0, seam) });
				assert.deepEqual(rest.steps, whole.steps.slice(seam));
				assert.equal(rest.end.tokens, 24 - seam);
				assert.equal(rest.end.promptTokens, whole.end.promptTokens + seam);
			}
		}
	},
	{
		name: 'counts the tokens of a prompt as it then runs it',
		async run(place) {
			const engine = await place.ready();
			const turns = request().turns;
			assert.equal((await answer(engine)).end.promptTokens, await engine.countTokens(turns));
		}
	},
	{
		name: 'refuses a request that makes no sense',
		model: true,
		async run(place) {
			const engine = await place.ready();
			const { card } = await engine.load(unheard, never());
			const stop = card.stopTokens[0] as number;
			const wrong: Partial<GenerateRequest>[] = [
				{ turns: [] },
				{ turns: [{ role: 'assistant', content: 'Hello' }] },
				{ turns: [{ role: 'tool' as 'user', content: 'Hello' }, ...request().turns] },
				{ seed: new Uint8Array(31) },
				{ sampling: { ...WARM, temperatureMilli: 2001 } },
				{ sampling: { ...WARM, topK: 0 } },
				{ sampling: { ...WARM, topK: 21 } },
				{ sampling: { ...WARM, topPMilli: 0.5 } },
				{ minTokens: 25 },
				{ minTokens: -1 },
				{ maxTokens: 0, minTokens: 0 },
				{ continueFrom: new Array<number>(24).fill(100) },
				{ continueFrom: [card.vocabularySize] },
				{ continueFrom: [stop] },
				{ continueFrom: [1.5] }
			];
			for (const change of wrong)
				assert.equal(await codeIn(() => answer(engine, change)), 'malformed', JSON.stringify(change));
			assert.equal(engine.state, 'ready');
		}
	},
	{
		name: 'drops the oldest rounds when a conversation is too long, and refuses a last turn that does not fit',
		model: true,
		async run(place) {
			const engine = await place.ready();
			const round = (n: number) => [
				{
					role: 'user' as const,
					content: `Question number ${n}: ${'what is the capital of France and why? '.repeat(6)}`
				},
				{ role: 'assistant' as const, content: 'The capital of France is Paris. '.repeat(10) }
			];
			const turns = [
				...Array.from({ length: 12 }, (_, n) => round(n)).flat(),
				{ role: 'user' as const, content: 'And of Peru?' }
			];
			const { end } = await answer(engine, { turns, minTokens: 2, maxTokens: 200 });
			assert.ok(end.droppedTurns > 0 && end.droppedTurns % 2 === 0, `${end.droppedTurns} dropped`);
			assert.ok(end.promptTokens <= 824);
			const kept = turns.slice(end.droppedTurns);
			assert.equal(await engine.countTokens(kept), end.promptTokens);
			assert.ok((await engine.countTokens(turns.slice(end.droppedTurns - 2))) > 824, 'no more was dropped than needed');

			const endless = { role: 'user' as const, content: 'tell me more about it '.repeat(300) };
			assert.equal(await codeIn(() => answer(engine, { turns: [endless] })), 'prompt-too-long');
			const huge = { role: 'user' as const, content: 'x'.repeat(3_000_000) };
			assert.equal(await codeIn(() => answer(engine, { turns: [...turns.slice(0, 2), huge] })), 'prompt-too-long');
			assert.equal(await codeIn(() => answer(engine, { minTokens: 0, maxTokens: 1024 })), 'prompt-too-long');
			assert.equal(engine.state, 'ready');
		}
	},
	{
		name: 'gives the logits of every position of known tokens',
		model: true,
		async run(place) {
			const engine = await place.ready();
			const { card } = await engine.load(unheard, never());
			const tokens = [1, 652, 323, 642, 67, 3, 2, 896, 323, 261];
			const found = await engine.logits(tokens, never());
			assert.equal(found.length, tokens.length);
			const { steps } = await answer(engine, { sampling: { ...WARM, temperatureMilli: 0 } });
			const predicted = found[6];
			steps[0]?.topLogits.forEach((logit, rank) => {
				// The prompt runs in the same shape, but in a shorter pass; stop tokens are masked there and not here.
				const at = predicted?.topIds.indexOf(steps[0]?.topIds[rank] as number) ?? -1;
				if (at >= 0) assert.ok(Math.abs(logit - (predicted?.topLogits[at] as number)) < 1e-4);
			});
			for (const { topLogits, logSumExp } of found) assert.ok(logSumExp > (topLogits[0] as number));
			assert.equal(await codeIn(() => engine.logits([card.vocabularySize], never())), 'malformed');
			assert.equal(await codeIn(() => engine.logits([], never())), 'malformed');
			assert.equal(await codeIn(() => engine.logits(new Array<number>(1025).fill(5), never())), 'prompt-too-long');
		}
	},
	{
		name: 'unloads, refuses, and loads again',
		async run(place) {
			const engine = await place.fresh();
			await engine.load(unheard, never());
			await engine.unload();
			assert.equal(engine.state, 'idle');
			assert.equal(await codeIn(() => answer(engine)), 'engine-not-ready');
			await engine.load(unheard, never());
			assert.equal((await answer(engine)).tokens.length, 24);
			await engine.unload();
		}
	}
];
