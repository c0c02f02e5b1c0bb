/**
 * What every Engine must do when the world is unkind: cancelled at every stage, damaged files, no memory, no room, a dead worker, a lost
 * device. Every promise settles, with a code; and what broke can be loaded again.
 */
import assert from 'node:assert/strict';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import { answer, codeIn, request, type EnginePlace } from './engine.ts';

/** What a place can bring about. One that cannot leaves it out and says why in engine-rows.ts. */
export interface EngineFaults {
	/** A new engine whose files come with other bytes than recorded, until `heal`. */
	corrupt(): Promise<Engine>;
	/** A new engine whose weights are no model, though their hash is right. */
	junk(): Promise<Engine>;
	/** A new engine that will not get the memory it needs. */
	starved(): Promise<Engine>;
	/** A new engine with no room to keep what it must keep, until `heal`. */
	full(): Promise<Engine>;
	/** Ends the worker of the engine made last, as a crash does: without a word. */
	kill(): Promise<void>;
	/** Loses the graphics device of the engine made last. */
	lose(): Promise<void>;
	/** Ends all faults. */
	heal(): Promise<void>;
}

export interface FaultyPlace extends EnginePlace {
	readonly faults: Partial<EngineFaults>;
}

export interface FaultCase {
	readonly name: string;
	/** What the place must be able to bring about. */
	readonly needs: readonly (keyof EngineFaults)[];
	run(place: EnginePlace & { readonly faults: EngineFaults }): Promise<void>;
}

/** Longer than any load here; a promise that has not settled by then never will. */
const WATCHDOG_MS = 100_000;

const never = () => new AbortController().signal;
const load = (engine: Engine, onProgress: (progress: LoadProgress) => void = () => {}, signal = never()) =>
	engine.load(onProgress, signal);

/** Fails instead of waiting for ever. */
async function settled<T>(work: Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const dog = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error('a promise did not settle')), WATCHDOG_MS);
	});
	return Promise.race([work, dog]).finally(() => clearTimeout(timer));
}

/** It loads and answers. */
async function works(engine: Engine): Promise<void> {
	await settled(load(engine));
	assert.equal(engine.state, 'ready');
	assert.equal((await settled(answer(engine))).tokens.length, 24);
}

const cancelledAt = (stage: LoadProgress['stage']): FaultCase => ({
	name: `gives up a load cancelled while ${stage}, and loads again`,
	needs: [],
	async run(place) {
		const engine = await place.fresh();
		const cancel = new AbortController();
		const stages = new Set<string>();
		const leave = (progress: LoadProgress) => {
			stages.add(progress.stage);
			if (progress.stage === stage) cancel.abort();
		};
		assert.equal(await settled(codeIn(() => load(engine, leave, cancel.signal))), 'aborted');
		assert.ok(stages.has(stage));
		assert.equal(engine.state, 'idle');
		await works(engine);
		await engine.unload();
	}
});

export const FAULT_CASES: readonly FaultCase[] = [
	cancelledAt('fetching'),
	cancelledAt('preparing'),
	cancelledAt('checking'),
	{
		name: 'gives up a load when it is unloaded meanwhile, and loads again',
		needs: [],
		async run(place) {
			const engine = await place.fresh();
			const loading = codeIn(() => load(engine));
			await engine.unload();
			assert.equal(await settled(loading), 'aborted');
			assert.equal(engine.state, 'idle');
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'ends an answer when it is unloaded meanwhile',
		needs: [],
		async run(place) {
			const engine = await place.fresh();
			await load(engine);
			let stopping: Promise<void> | undefined;
			const code = await settled(
				codeIn(() =>
					answer(engine, { minTokens: 800, maxTokens: 800 }, never(), (step) => {
						if (step.position === 3) stopping ??= engine.unload();
					})
				)
			);
			await stopping;
			// An engine without a worker of its own may end the answer at its next step instead.
			assert.ok(['aborted', 'engine-not-ready', 'engine-failed'].includes(code), code);
			assert.equal(engine.state, 'idle');
		}
	},
	{
		name: 'answers one job after the other, and nothing of the first is in the second',
		needs: [],
		async run(place) {
			const engine = await place.ready();
			const other = { turns: [{ role: 'user' as const, content: 'Who can read my prompt?' }] };
			const [first, second] = [await answer(engine), await answer(engine, other)];
			assert.deepEqual((await answer(engine)).tokens, first.tokens);
			assert.deepEqual((await answer(engine, other)).tokens, second.tokens);
			assert.equal(second.end.cachedTokens, 0);
		}
	},
	{
		name: 'refuses files with other bytes than recorded, and loads when they are right again',
		needs: ['corrupt', 'heal'],
		async run({ faults }) {
			const engine = await faults.corrupt();
			assert.equal(await settled(codeIn(() => load(engine))), 'weights-corrupt');
			assert.equal(engine.state, 'failed');
			assert.equal(await settled(codeIn(() => answer(engine))), 'engine-not-ready');
			await faults.heal();
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'refuses weights that are no model',
		needs: ['junk', 'heal'],
		async run({ faults }) {
			const engine = await faults.junk();
			const code = await settled(codeIn(() => load(engine)));
			assert.ok(['engine-load-failed', 'model-unsupported'].includes(code), code);
			assert.equal(engine.state, 'failed');
			await faults.heal();
		}
	},
	{
		name: 'says so when there is not enough memory',
		needs: ['starved', 'heal'],
		async run({ faults }) {
			const engine = await faults.starved();
			assert.equal(await settled(codeIn(() => load(engine))), 'out-of-memory');
			assert.equal(engine.state, 'failed');
			await faults.heal();
		}
	},
	{
		name: 'says so when there is no room to keep the model, and loads when there is',
		needs: ['full', 'heal'],
		async run({ faults }) {
			const engine = await faults.full();
			assert.equal(await settled(codeIn(() => load(engine))), 'storage-full');
			assert.equal(engine.state, 'failed');
			await faults.heal();
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'refuses a load whose worker dies, and loads in a new one',
		needs: ['kill'],
		async run(place) {
			const engine = await place.fresh();
			let killed: Promise<void> | undefined;
			const loading = codeIn(() => load(engine, () => void (killed ??= place.faults.kill())));
			assert.equal(await settled(loading), 'engine-failed');
			await killed;
			assert.equal(engine.state, 'failed');
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'refuses an answer whose worker dies, and answers in a new one',
		needs: ['kill'],
		async run(place) {
			const engine = await place.fresh();
			await load(engine);
			let killed: Promise<void> | undefined;
			const broken = codeIn(() =>
				answer(engine, { minTokens: 300, maxTokens: 300 }, never(), (step) => {
					if (step.position === 5) killed ??= place.faults.kill();
				})
			);
			assert.equal(await settled(broken), 'engine-failed');
			await killed;
			assert.equal(engine.state, 'failed');
			assert.equal(await settled(codeIn(() => answer(engine))), 'engine-not-ready');
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'refuses logits and counts whose worker dies',
		needs: ['kill'],
		async run(place) {
			const engine = await place.fresh();
			await load(engine);
			await place.faults.kill();
			const counted = codeIn(() => engine.countTokens(request().turns));
			const logits = codeIn(() => engine.logits([1, 2, 3], never()));
			for (const code of [await settled(counted), await settled(logits)])
				assert.ok(['engine-failed', 'engine-not-ready'].includes(code), code);
			await works(engine);
			await engine.unload();
		}
	},
	{
		name: 'says so when its graphics device is lost, and answers on a new one',
		needs: ['lose'],
		async run(place) {
			const engine = await place.fresh();
			await load(engine);
			await place.faults.lose();
			assert.equal(await settled(codeIn(() => answer(engine))), 'device-lost');
			await works(engine);
			await engine.unload();
		}
	}
];
