/** The engines that stand for a model on this device: how many there are, who is answered by which, and what every screen sees of them. */
import { describe, expect, it } from 'vitest';
import type { EngineState } from '#lib/node/app.ts';
import { Here } from '#lib/node/here.ts';
import type { Engine, GenerateRequest, LoadProgress } from '#lib/ports/engine.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { MemoryModels, modelEntry } from '../doubles/models.ts';
import { Shelves } from '../doubles/shelves.ts';

const never = new AbortController().signal;
const nothing = () => undefined;
const MIB = 1024 * 1024;
const REQUEST = {} as GenerateRequest;

/** An engine that does as it is told, and notes what it was asked. */
class Puppet {
	readonly asked: string[] = [];
	state: Engine['state'] = 'idle';
	fails: Code | undefined;
	/** What its card says once its weights were hashed. */
	named: string;
	readonly id: string;

	constructor(id: string) {
		[this.id, this.named] = [id, id];
	}

	async load(report: (progress: LoadProgress) => void, signal: AbortSignal) {
		this.asked.push(`load ${String(signal === never)}`);
		report('half' as unknown as LoadProgress);
		await Promise.resolve();
		if (this.fails !== undefined) throw new Refusal(this.fails);
		this.state = 'ready';
		return { card: { id: this.named } };
	}

	async *generate(request: GenerateRequest, signal: AbortSignal) {
		this.asked.push(`generate ${String(request === REQUEST && signal === never)}`);
		yield 'step';
		if (this.fails !== undefined) throw new Refusal(this.fails);
		return 'end';
	}

	async logits(tokens: readonly number[], signal: AbortSignal) {
		this.asked.push(`logits ${tokens.join()} ${String(signal === never)}`);
		return ['logits'];
	}

	async countTokens(turns: readonly unknown[]) {
		this.asked.push(`count ${turns.length}`);
		return 42;
	}

	async unload() {
		this.asked.push('unload');
		this.state = 'idle';
	}
}

/** A device with `small`, which is built in, and models of the memory given; every engine that was made, and every state that was seen. */
function device(memory: Readonly<Record<string, number | undefined>> = {}) {
	const made: Puppet[] = [];
	const sizes = { small: MIB, ...memory };
	const entries = Object.entries(sizes).map(([id, memoryBytes]) =>
		modelEntry(id, { origin: id === 'small' ? 'built-in' : 'added', memoryBytes })
	);
	const models = new MemoryModels({
		entries,
		engine: (id) => {
			made.push(new Puppet(id));
			return made.at(-1) as unknown as Engine;
		}
	});
	const store = new Shelves();
	const here = new Here({ models, store, now: () => 7 });
	const seen: EngineState[] = [];
	here.engine.observe((state) => seen.push(state));
	return { made, here, store, seen, models };
}

describe('a model', () => {
	it('is held twice up to 128 MiB, once above or when nobody knows how large it is', () => {
		const { made, here } = device({ most: 128 * MIB, more: 128 * MIB + 1, unknown: undefined });
		for (const id of ['most', 'more', 'unknown']) here.forPerson(id);
		expect(made.map(({ id }) => id)).toEqual(['most', 'most', 'more', 'unknown']);
		here.forPerson('most');
		here.lend('more');
		expect(made).toHaveLength(4);
	});

	it('held twice answers the person with its first engine and jobs with its second', async () => {
		const { made, here } = device();
		await here.forPerson().load(nothing, never);
		await here.lend().load(nothing, never);
		expect(made.map(({ asked }) => asked)).toEqual([['load true'], ['load true']]);
		await here.endLending();
		expect(made.map(({ asked }) => asked.length)).toEqual([1, 2]);
		await here.endLending();
		await here.forPerson().unload();
		expect(made.map(({ asked }) => asked)).toEqual([
			['load true', 'unload'],
			['load true', 'unload']
		]);
	});

	it('is made anew once nobody uses it, and not before', async () => {
		const { made, here } = device({ other: MIB });
		here.lend('small');
		await here.choose('other');
		expect(made.map(({ asked }) => asked)).toEqual([['unload'], []]);
		here.forPerson('small');
		expect(made).toHaveLength(2);
		await here.endLending();
		here.forPerson('small');
		expect(made).toHaveLength(4);
		here.lend('other');
		await here.endLending();
		here.forPerson('other');
		expect(made).toHaveLength(6);
	});

	it('held once stays for the other caller', async () => {
		const { made, here } = device({ large: 1_000 * MIB });
		await here.choose('large');
		here.lend('large');
		await here.endLending();
		expect(made[0]?.asked).toEqual([]);
		here.lend('large');
		await here.forPerson().unload();
		expect(made[0]?.asked).toEqual([]);
		await here.choose('small');
		await here.endLending();
		expect(made[0]?.asked).toEqual(['unload']);
	});

	it('that was never used has nothing to free', async () => {
		const { made, here } = device({ other: MIB });
		await here.choose('other');
		await here.endLending();
		expect(made).toEqual([]);
	});

	it('that nobody knows is refused by the models themselves', () => {
		const { here } = device();
		expect(() => here.lend('unknown')).toThrow(expect.objectContaining({ code: 'engine-not-ready' }));
	});
});

describe("the person's engine", () => {
	it('passes everything on', async () => {
		const { made, here } = device();
		const engine = here.forPerson();
		const [puppet] = made as [Puppet];
		expect([engine.id, engine.state]).toEqual(['small', 'idle']);
		puppet.state = 'busy';
		expect(engine.state).toBe('busy');
		const steps = engine.generate(REQUEST, never);
		expect([await steps.next(), await steps.next()]).toEqual([
			{ done: false, value: 'step' },
			{ done: true, value: 'end' }
		]);
		expect(await engine.logits([1, 2], never)).toEqual(['logits']);
		expect(await engine.countTokens([{ role: 'user', content: '' }])).toBe(42);
		expect(puppet.asked).toEqual(['generate true', 'logits 1,2 true', 'count 1']);
	});

	it('is seen loading, how far it is, and ready', async () => {
		const { here, seen } = device();
		const told: unknown[] = [];
		const ready = await here.forPerson().load((progress) => told.push(progress), never);
		expect(told).toEqual(['half']);
		const loading = { state: 'loading', progress: undefined };
		const idle = { state: 'idle' };
		expect(seen).toEqual([idle, loading, { state: 'loading', progress: 'half' }, { state: 'ready', ready }]);
		await here.forPerson().unload();
		expect(seen.slice(4)).toEqual([idle]);
	});

	it('that is loaded already, or at work, is not shown as if it began anew', async () => {
		for (const state of ['ready', 'busy'] as const) {
			const { made, here, seen } = device();
			const engine = here.forPerson();
			(made[0] as Puppet).state = state;
			await engine.load(nothing, never);
			expect(seen.filter((each) => each.state === 'loading')).toEqual([{ state: 'loading', progress: 'half' }]);
		}
	});

	it('is seen failed for its reason, and idle when the load was stopped; whoever asked hears it too', async () => {
		for (const [code, state] of [
			['out-of-memory', { state: 'failed', code: 'out-of-memory' }],
			['aborted', { state: 'idle' }]
		] as const) {
			const { made, here, seen } = device();
			const engine = here.forPerson();
			(made[0] as Puppet).fails = code;
			expect(await engine.load(nothing, never).catch(codeOf)).toBe(code);
			expect(seen.at(-1)).toEqual(state);
		}
	});

	it('that began an answer and is not the chosen one any more shows nothing', async () => {
		const { made, here, seen, store } = device({ other: MIB });
		const engine = here.forPerson('other');
		await engine.load(nothing, never);
		(made[0] as Puppet).fails = 'engine-failed';
		expect(await engine.load(nothing, never).catch(codeOf)).toBe('engine-failed');
		await engine.unload();
		(made[0] as Puppet).state = 'failed';
		const steps = engine.generate(REQUEST, never);
		await steps.next();
		expect(await steps.next().catch(codeOf)).toBe('engine-failed');
		expect(seen).toEqual([{ state: 'idle' }]);
		expect(await store.settings.list()).toEqual([]);
	});

	it('that breaks in an answer is seen by every screen, one that only refuses is not', async () => {
		for (const state of ['failed', 'ready'] as const) {
			const { made, here, seen } = device();
			const steps = here.forPerson().generate(REQUEST, never);
			await steps.next();
			Object.assign(made[0] as Puppet, { state, fails: 'engine-failed' });
			expect(await steps.next().catch(codeOf)).toBe('engine-failed');
			expect(seen.slice(1)).toEqual(state === 'failed' ? [{ state: 'failed', code: 'engine-failed' }] : []);
		}
	});

	it('is remembered by the name that its weights give it', async () => {
		const { made, here, store } = device();
		const engine = here.forPerson();
		(made[0] as Puppet).named = 'small-1234';
		await engine.load(nothing, never);
		expect(await store.settings.list()).toEqual([{ id: 'chosen-model', savedAt: 7, value: 'small-1234' }]);
	});
});
