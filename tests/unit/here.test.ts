/** Which model answers on this device: chosen, remembered, lent, freed. */
import { describe, expect, it } from 'vitest';
import { Here } from '#lib/node/here.ts';
import type { ModelEntry } from '#lib/ports/models.ts';
import type { Setting } from '#lib/ports/store.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { openStore } from '#lib/store/store.ts';
import { answer } from '../compliance/engine.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import { MemoryModels, modelEntry } from '../doubles/models.ts';
import { Shelves } from '../doubles/shelves.ts';

const never = () => new AbortController().signal;
const nothing = () => undefined;
const SMALL = 5_000_000;
const LARGE = 1_000_000_000;

const entry = (id: string, memoryBytes: number, more: Partial<ModelEntry> = {}): ModelEntry =>
	modelEntry(id, { origin: id === 'pocket' ? 'built-in' : 'added', memoryBytes, ...more });

/** Three models and every engine that was made. */
function someModels() {
	const made: ScriptedEngine[] = [];
	const clock = new VirtualClock();
	const models = new MemoryModels({
		entries: [entry('pocket', SMALL), entry('big', LARGE), entry('int8', LARGE, { lendable: false })],
		engine(modelId) {
			const engine = new ScriptedEngine({ clock, modelId });
			made.push(engine);
			return engine;
		}
	});
	const loaded = () => made.filter((engine) => engine.state === 'ready').map((engine) => engine.id);
	return Object.assign(models, { clock, loaded });
}

async function place(settings?: Awaited<ReturnType<typeof openStore>>) {
	const models = someModels();
	const store = settings ?? (await openStore({ pathname: '/', now: () => 0, keep: 'memory' }));
	const here = new Here({ models, store, now: () => 0 });
	await here.start();
	return { models, store, here };
}

describe('the model of this device', () => {
	it('is the built-in one at first, and the chosen one in the next visit', async () => {
		const { here, store } = await place();
		expect(here.chosen.value).toBe('pocket');
		await here.choose('big');
		expect(here.chosen.value).toBe('big');
		const next = await place(store);
		expect(next.here.chosen.value).toBe('big');
		expect(await next.here.choose('gone').catch(codeOf)).toBe('engine-not-ready');
	});

	it('waits for a chosen one that is not here yet, and goes back to the built-in one when it is deleted', async () => {
		const first = await place();
		await first.here.choose('big');
		const models = someModels();
		const whole = models.entries;
		models.entries = [whole[0] as ModelEntry];
		const here = new Here({ models, store: first.store, now: () => 0 });
		await here.start();
		expect(here.chosen.value).toBe('pocket');
		models.change(whole);
		expect(here.chosen.value).toBe('big');
		models.change([whole[0] as ModelEntry]);
		expect(here.chosen.value).toBe('pocket');
	});

	it('frees the one before when another is chosen', async () => {
		const { here, models } = await place();
		await here.forPerson().load(nothing, never());
		expect(here.engine.value.state).toBe('ready');
		await here.choose('big');
		expect([models.loaded(), here.engine.value.state]).toEqual([[], 'idle']);
		await here.forPerson().load(nothing, never());
		expect([models.loaded(), here.engine.value.state]).toEqual([['big'], 'ready']);
		await here.forPerson().unload();
		expect([models.loaded(), here.engine.value.state]).toEqual([[], 'idle']);
	});

	it('holds a small model twice and a large one once', async () => {
		const { here, models } = await place();
		await here.forPerson('pocket').load(nothing, never());
		await here.lend('pocket').load(nothing, never());
		expect(models.loaded()).toEqual(['pocket', 'pocket']);
		await here.endLending();
		expect(models.loaded()).toEqual(['pocket']);
		await here.choose('big');
		await here.lend('big').load(nothing, never());
		await here.forPerson().load(nothing, never());
		expect(models.loaded()).toEqual(['big']);
	});

	it('keeps a lent model when the person chooses another, and a chosen one when lending ends', async () => {
		const { here, models } = await place();
		await here.choose('big');
		await here.lend('big').load(nothing, never());
		await here.choose('pocket');
		expect(models.loaded()).toEqual(['big']);
		await here.endLending();
		expect(models.loaded()).toEqual([]);
		await here.choose('big');
		await here.lend('big').load(nothing, never());
		await here.endLending();
		expect(models.loaded()).toEqual(['big']);
	});

	it('is not lent when its answers cannot be checked', async () => {
		const { here } = await place();
		expect(() => here.lend('int8')).toThrow(expect.objectContaining({ code: 'not-verifiable' }));
	});

	it('shows every screen how a load goes and that an engine broke', async () => {
		const { here, models } = await place();
		const seen: string[] = [];
		here.engine.observe(({ state }) => void (state !== seen.at(-1) && seen.push(state)));
		expect(await here.forPerson().load(nothing, AbortSignal.abort()).catch(codeOf)).toBe('aborted');
		await here.forPerson().load(nothing, never());
		expect(seen).toEqual(['idle', 'loading', 'idle', 'loading', 'ready']);
		const { end } = await models.clock.until(answer(here.forPerson(), { minTokens: 2, maxTokens: 2 }));
		expect(end.tokens).toBe(2);
	});
});

describe('the choice', () => {
	const kept = (value: unknown) => {
		const store = new Shelves();
		store.settings.rows.set('chosen-model', { id: 'chosen-model', savedAt: 0, value } as Setting);
		return store;
	};
	const puts = (store: Shelves) => {
		const values: unknown[] = [];
		const put = store.settings.put.bind(store.settings);
		store.settings.put = async (row) => {
			values.push(row);
			await put(row);
		};
		return values;
	};
	const hereOf = (store: Shelves, models = someModels()) => ({
		models,
		here: new Here({ models, store, now: () => 5 })
	});

	it('needs a model that is built in', () => {
		const models = new MemoryModels({ entries: [entry('big', LARGE)] });
		const made = () => new Here({ models, store: new Shelves(), now: () => 0 });
		expect(made).toThrow(expect.objectContaining({ code: 'internal' }));
	});

	it('is written down once, with its time', async () => {
		const store = new Shelves();
		const values = puts(store);
		const { here } = hereOf(store);
		await here.start();
		await here.choose('big');
		await here.choose('big');
		expect(values).toEqual([{ id: 'chosen-model', savedAt: 5, value: 'big' }]);
	});

	it('that was written down before is not written again', async () => {
		const store = kept('big');
		const values = puts(store);
		const { here } = hereOf(store);
		await here.start();
		await here.choose('big');
		expect(values).toEqual([]);
		await here.choose('pocket');
		expect(values).toEqual([{ id: 'chosen-model', savedAt: 5, value: 'pocket' }]);
	});

	it('lasts as long as the tab where nothing can be kept or read', async () => {
		const store = kept('big');
		store.full = true;
		store.settings.get = () => Promise.reject(new Refusal('storage-unavailable'));
		const { here } = hereOf(store);
		await here.start();
		expect(here.chosen.value).toBe('pocket');
		await here.choose('big');
		expect(here.chosen.value).toBe('big');
	});

	it('of which something else than a name was kept is the built-in one', async () => {
		for (const value of [undefined, 3, null]) {
			const { here } = hereOf(kept(value));
			await here.start();
			expect(here.chosen.value).toBe('pocket');
		}
	});

	it('made while the earlier one is still read stands', async () => {
		const { here, models } = hereOf(kept('int8'));
		const starting = here.start();
		await here.choose('big');
		await starting;
		models.change(models.entries);
		expect(here.chosen.value).toBe('big');
	});

	it('of an earlier visit is not taken any more once another was made', async () => {
		const all = someModels();
		const { entries } = all;
		all.entries = entries.filter(({ id }) => id !== 'int8');
		const { here } = hereOf(kept('int8'), all);
		await here.start();
		await here.choose('pocket');
		all.change(entries);
		expect(here.chosen.value).toBe('pocket');
	});

	it('of an earlier visit is taken when all of it is here, and not while it is fetched', async () => {
		const all = someModels();
		const part = (state: ModelEntry['kept']) =>
			all.change(all.entries.map((each) => (each.id === 'big' ? { ...each, kept: state } : each)));
		part('partly');
		const { here } = hereOf(kept('big'), all);
		await here.start();
		expect(here.chosen.value).toBe('pocket');
		part('whole');
		expect(here.chosen.value).toBe('big');
		part('no');
		expect(here.chosen.value).toBe('big');
	});

	it('that is gone gives way to the built-in one, which is remembered', async () => {
		const store = new Shelves();
		const { here, models } = hereOf(store);
		const stop = await here.start();
		await here.choose('big');
		await here.forPerson().load(nothing, never());
		models.change(models.entries.filter(({ id }) => id !== 'big'));
		expect([here.chosen.value, here.engine.value.state]).toEqual(['pocket', 'idle']);
		await models.clock.pass(0);
		expect((await store.settings.get('chosen-model'))?.value).toBe('pocket');
		stop();
		await here.choose('int8');
		models.change(models.entries.filter(({ id }) => id === 'pocket'));
		expect(here.chosen.value).toBe('int8');
	});

	it('of the one that is chosen already frees nothing', async () => {
		const { here, models } = hereOf(new Shelves());
		await here.forPerson().load(nothing, never());
		await here.choose('pocket');
		expect([models.loaded(), here.engine.value.state]).toEqual([['pocket'], 'ready']);
	});
});
