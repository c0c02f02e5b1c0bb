/** Lending as its person sees it: the states from the click to the end, and stopping in the midst of each. */
import { describe, expect, it } from 'vitest';
import { Contributor, type ContributorPorts } from '#lib/node/contributor.ts';
import type { PauseCause } from '#lib/market/lending.ts';
import type { ContributeState } from '#lib/node/app.ts';
import type { EngineReady } from '#lib/ports/engine.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { ScriptedEngine, type ScriptedEngineInit } from '../doubles/engine.ts';
import { endOf, World } from '../doubles/node.ts';

const LOAD_MS = 1_000;

/** An engine of which a test says how each load goes, counted from 1, and how fast it is after the first. */
class Fickle extends ScriptedEngine {
	loads = 0;
	fails: (load: number) => Code | undefined = () => undefined;
	laterPace = 20;

	override get tokensPerSecond(): number {
		return this.loads > 1 ? this.laterPace : 20;
	}

	override async load(...given: Parameters<ScriptedEngine['load']>): Promise<EngineReady> {
		if (this.state === 'ready') return super.load(...given);
		const why = this.fails(++this.loads);
		if (why !== undefined) throw new Refusal(why);
		return super.load(...given);
	}
}

/** A node of a world, lent by a person whom nothing limits. */
async function lender(
	seed: string,
	change: (world: World) => Partial<ContributorPorts> = () => ({}),
	engineInit: Partial<ScriptedEngineInit> = {}
) {
	const world = new World(seed);
	const node = await world.node();
	const engine = new Fickle({ clock: world.clock, loadMs: LOAD_MS, ...engineInit });
	const lent: (string | undefined)[] = [];
	let ended = 0;
	let say: (cause: PauseCause | undefined) => void = () => undefined;
	let followed = 0;
	const contributor: Contributor = new Contributor({
		ports: node.ports,
		here: { lend: (model) => (lent.push(model), engine), endLending: async () => void ended++ },
		lending: {
			follow: async (told) => {
				followed++;
				(say = told)(undefined);
				return () => void followed--;
			}
		},
		terms: { pricePer1k: 100_000, region: undefined },
		sharedOrigin: false,
		join: async () => undefined,
		offering: () => contributor.reachable(),
		...change(world)
	});
	const states: ContributeState[] = [];
	contributor.state.observe((state) => void states.push(state));
	const seen: string[] = [];
	contributor.state.observe(({ state }) => void (seen.at(-1) === state || seen.push(state)));
	return {
		...{ world, node, engine, lent, contributor, seen, states },
		ended: () => ended,
		followed: () => followed,
		pause: (cause: PauseCause | undefined) => say(cause)
	};
}

describe('lending this device', () => {
	it('loads, connects, is ready, works, and is off again', async () => {
		const { world, contributor, seen, ended, followed } = await lender('calm');
		await world.clock.until(contributor.start());
		expect(contributor.active).toBe(true);
		const asker = await world.node();
		const events = await world.clock.until(asker.ask({ minTokens: 0, maxTokens: 8 }));
		expect(endOf(events)).toMatchObject({ type: 'finished' });
		expect(contributor.state.value).toMatchObject({ state: 'ready', tokensPerSecond: 20, jobs: 1 });
		await world.clock.until(contributor.stop());
		expect(contributor.active).toBe(false);
		expect(seen).toEqual(['off', 'loading', 'connecting', 'ready', 'working', 'ready', 'off']);
		expect([ended(), followed()]).toEqual([1, 0]);
	});

	it('waits for somebody who can reach it, and says why it takes nothing', async () => {
		const { world, contributor, seen, pause } = await lender('alone', () => ({ offering: () => undefined }));
		await world.clock.until(contributor.start());
		expect(contributor.state.value.state).toBe('connecting');
		pause('person');
		contributor.reachable();
		expect(contributor.state.value).toMatchObject({ state: 'paused', why: 'person' });
		pause(undefined);
		pause('hours');
		await contributor.start();
		expect(seen).toEqual(['off', 'loading', 'connecting', 'paused', 'ready', 'paused']);
	});

	it('stopped while the model loads, it is off, and nothing was offered', async () => {
		const { world, contributor, seen } = await lender('hasty');
		const started = contributor.start();
		await contributor.stop();
		await world.clock.until(started);
		expect(contributor.active).toBe(false);
		expect(seen).toEqual(['off', 'loading', 'off']);
	});

	it('stopped while the limits are read, it is off, and follows them no more', async () => {
		const stops: Promise<void>[] = [];
		let followed = 0;
		const { world, contributor } = await lender('hasty later', () => ({
			lending: {
				follow: async () => {
					followed++;
					stops.push(contributor.stop());
					return () => void followed--;
				}
			}
		}));
		await world.clock.until(contributor.start());
		await Promise.all(stops);
		expect(contributor.state.value).toEqual({ state: 'off' });
		expect([contributor.active, followed]).toEqual([false, 0]);
	});

	it.each([
		['a shared origin', 'insecure-context', { sharedOrigin: true }],
		['a mesh that cannot be joined', 'unreachable', { join: () => Promise.reject(new Refusal('unreachable')) }],
		['limits that are not known', 'locked', { lending: { follow: () => Promise.reject(new Refusal('locked')) } }]
	] as const)('%s is a failure with its cause, and can be tried again', async (_, code, change) => {
		const { world, contributor } = await lender(code, () => change);
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe(code);
		expect(contributor.state.value).toEqual({ state: 'failed', code });
		expect(contributor.active).toBe(false);
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe(code);
	});
});

const PROGRESS = {
	stage: 'fetching',
	loadedBytes: 1,
	totalBytes: 1,
	bytesPerSecond: undefined,
	secondsLeft: undefined
};
const MEASURED = { tokensPerSecond: 20, model: 'Scripted', jobs: 0 };

describe('what the screen shows', () => {
	it('each step with its facts, and the model that was asked for', async () => {
		const { world, contributor, states, lent } = await lender('exact');
		await world.clock.until(contributor.start('a model'));
		expect(states).toStrictEqual([
			{ state: 'off' },
			{ state: 'loading', progress: undefined },
			{ state: 'loading', progress: PROGRESS },
			{ state: 'connecting' },
			{ state: 'ready', ...MEASURED }
		]);
		await world.clock.until(contributor.stop());
		await world.clock.until(contributor.start());
		expect(lent).toEqual(['a model', undefined]);
	});

	it('a running job goes on through a pause, which is shown at its end; nothing is offered meanwhile', async () => {
		const { world, contributor, states, pause, node } = await lender('paused');
		await world.clock.until(contributor.start());
		const asked = (await world.node()).ask({ minTokens: 20, maxTokens: 20 });
		while (contributor.state.value.state !== 'working') await world.clock.pass(10);
		expect(contributor.state.value).toStrictEqual({ state: 'working', ...MEASURED });
		pause('battery');
		contributor.reachable();
		expect(contributor.state.value.state).toBe('working');
		await world.clock.until(asked);
		const paused = { state: 'paused', why: 'battery', ...MEASURED, jobs: 1 };
		expect(states.at(-1)).toStrictEqual(paused);
		const said = () => world.network.gossip.filter(({ from }) => from === node.identity.peer).length;
		const before = said();
		await world.clock.pass(60_000);
		expect(said()).toBe(before);
		pause(undefined);
		await world.clock.pass(1);
		expect(said()).toBe(before + 1);
		expect(states.at(-1)).toStrictEqual({ state: 'ready', ...MEASURED, jobs: 1 });
	});

	it('nobody is ready because others can reach a node that offers nothing', async () => {
		const { world, contributor, pause } = await lender('early', () => ({ offering: () => undefined }));
		await contributor.stop();
		contributor.reachable();
		expect(contributor.state.value).toEqual({ state: 'off' });
		const started = contributor.start();
		contributor.reachable();
		expect(contributor.state.value.state).toBe('loading');
		await world.clock.until(started);
		pause('hours');
		pause(undefined);
		expect(contributor.state.value).toEqual({ state: 'connecting' });
		await contributor.stop();
		expect(() => pause('hours')).not.toThrow();
	});

	it('whoever listens hears what the jobs do, until they stop listening', async () => {
		const { world, contributor } = await lender('heard');
		const events: string[] = [];
		const stop = contributor.observe(({ type }) => void events.push(type));
		await world.clock.until(contributor.start());
		await world.clock.until((await world.node()).ask({ minTokens: 0, maxTokens: 4 }));
		await world.clock.until(contributor.stop());
		expect(new Set(events)).toEqual(new Set(['ready', 'considered', 'started', 'ended']));
		stop();
		await world.clock.until(contributor.start());
		expect(events.filter((type) => type === 'ready')).toHaveLength(1);
	});
});

describe('an engine that is lost', () => {
	const dying = { dies: (position: number) => (position === 5 ? ('device-lost' as const) : undefined) };
	const askOf = async ({ world }: { readonly world: World }) => {
		await world.clock.until((await world.node()).ask({ minTokens: 20, maxTokens: 20 }));
		await world.clock.pass(5_000);
	};

	it('is loaded again, which is shown, and is then as fast as it was measured anew', async () => {
		const at = await lender('revived', undefined, dying);
		at.engine.laterPace = 10;
		await at.world.clock.until(at.contributor.start());
		await askOf(at);
		expect(at.states.slice(-3)).toStrictEqual([
			{ state: 'loading', again: true, progress: undefined },
			{ state: 'loading', again: true, progress: PROGRESS },
			{ state: 'ready', ...MEASURED, tokensPerSecond: 10, jobs: 1 }
		]);
		expect(at.contributor.active).toBe(true);
	});

	it('and does not come back ends the lending with its cause', async () => {
		const at = await lender('lost', undefined, dying);
		at.engine.fails = (load) => (load > 1 ? 'no-graphics' : undefined);
		await at.world.clock.until(at.contributor.start());
		await askOf(at);
		expect(at.states.slice(-2)).toStrictEqual([{ state: 'off' }, { state: 'failed', code: 'no-graphics' }]);
		expect([at.contributor.active, at.ended(), at.followed()]).toEqual([false, 1, 0]);
	});
});

describe('what ends it before it began', () => {
	it('a model whose answers nobody can check is not lent', async () => {
		let joined = 0;
		const change = () => ({ join: async () => void joined++ });
		const { world, contributor, states, ended } = await lender('unverifiable', change, { verifiable: false });
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe('not-verifiable');
		expect(states.slice(-2)).toStrictEqual([{ state: 'connecting' }, { state: 'failed', code: 'not-verifiable' }]);
		expect([joined, ended(), contributor.active]).toEqual([0, 1, false]);
	});

	it('stopped while the mesh is joined, it is off, and nothing was offered or followed', async () => {
		let followed = 0;
		const { world, contributor, seen, node } = await lender('joining', ({ clock }) => ({
			join: () => clock.sleep(5_000),
			lending: { follow: async () => () => void followed++ }
		}));
		const started = contributor.start();
		await world.clock.pass(LOAD_MS + 100);
		await contributor.stop();
		await world.clock.until(started);
		expect(seen).toEqual(['off', 'loading', 'connecting', 'off']);
		expect([contributor.active, followed, node.mesh.held.subscriptions]).toEqual([false, 0, 0]);
	});

	it('what fails at the last step undoes those before it, and it can be tried again', async () => {
		const at = await lender('late failure');
		const { world, contributor, engine } = at;
		// The engine is lost between its load and the offer.
		engine.fails = (load) => (load === 2 ? 'engine-failed' : undefined);
		contributor.state.observe(({ state }) => void (state === 'connecting' && engine.loads === 1 && engine.unload()));
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe('engine-failed');
		expect(contributor.state.value).toStrictEqual({ state: 'failed', code: 'engine-failed' });
		expect([at.ended(), at.followed(), contributor.active]).toEqual([1, 0, false]);
		await world.clock.until(contributor.start());
		expect([contributor.state.value.state, at.followed()]).toEqual(['ready', 1]);
	});
});

it('stopped in a job, it frees the engine when its asker has the receipt, and takes no more', async () => {
	const { world, contributor, node, ended } = await lender('stopped');
	const freed: number[] = [];
	contributor.observe(({ type }) => void (type === 'ended' && freed.push(ended())));
	await world.clock.until(contributor.start());
	const asker = await world.node();
	const asked = asker.ask({ minTokens: 40, maxTokens: 40 });
	while (contributor.state.value.state !== 'working') await world.clock.pass(10);
	await world.clock.pass(500);
	await world.clock.until(contributor.stop());
	expect([freed, ended(), contributor.state.value]).toEqual([[0], 1, { state: 'off' }]);
	await world.clock.until(asked);
	expect(await node.ports.store.receipts.list()).toHaveLength(1);
	expect(node.mesh.held.subscriptions).toBe(0);
});
