/** One job from its asker's first word to its end: whatever happens, there is one end, it is written down, and nothing is left listening. */
import { describe, expect, it } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { originate } from '#lib/node/originate.ts';
import type { NodePorts } from '#lib/node/ports.ts';
import { assignJob } from '#lib/protocol/assignment.ts';
import { read } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { DEFAULT_POLICY } from '#lib/protocol/policy.ts';
import { stage, type Stage } from '../doubles/losses.ts';
import { ORDINARY_WISH, World } from '../doubles/node.ts';

const WISH = { ...ORDINARY_WISH, minTokens: 20, maxTokens: 20, message: 'm' };
const never = new AbortController().signal;

/** Nobody but the asker, with ports of its own where a test wants them. */
async function alone(change: Partial<NodePorts> = {}) {
	const world = new World('alone');
	const asker = await world.node();
	const ports = { ...asker.ports, ...change };
	const collect = async (wish = WISH) => {
		const events: OriginateEvent[] = [];
		for await (const event of originate(wish, DEFAULT_POLICY, ports, never)) events.push(event);
		return events;
	};
	return { world, asker, collect };
}

const listens = ({ world, asker }: Pick<Stage, 'world' | 'asker'>) =>
	world.network.hearers.get('fireweed/1/bids')?.has(asker.mesh) ?? false;
const types = (events: readonly OriginateEvent[]) => [...new Set(events.map(({ type }) => type))];

describe('a job that comes to nothing', () => {
	it('ends with its code, written down, when nobody is there', async () => {
		const { world, asker, collect } = await alone();
		const events = await world.clock.until(collect());
		expect(events.at(-1)).toEqual({ type: 'failed', code: 'no-bids', retryMs: undefined });
		expect(events.filter(({ type }) => type === 'failed')).toHaveLength(1);
		expect(await asker.ports.store.jobs.list()).toMatchObject([{ state: 'failed', code: 'no-bids', message: 'm' }]);
		expect([listens({ world, asker }), asker.log.map(({ event }) => event)]).toEqual([false, []]);
	});

	it('ends at once when it cannot even be announced, with the time to come back if one was said', async () => {
		const { world, asker, collect } = await alone();
		const events = await world.clock.until(collect({ ...WISH, minTokens: 21 }));
		expect(events).toEqual([{ type: 'failed', code: 'malformed', retryMs: undefined }]);
		expect([await asker.ports.store.jobs.list(), asker.log]).toEqual([[], []]);
		const busy = await alone({ jobKey: () => Promise.reject(new Refusal('busy', 'keys', 700)) });
		expect(await busy.world.clock.until(busy.collect())).toEqual([{ type: 'failed', code: 'busy', retryMs: 700 }]);
	});

	it('tells the log of a mistake of our own', async () => {
		const { world, asker, collect } = await alone({ jobKey: () => Promise.reject(new Error('no keys')) });
		expect(await world.clock.until(collect())).toEqual([{ type: 'failed', code: 'internal', retryMs: undefined }]);
		expect(asker.log).toEqual([{ event: 'originate-failed', facts: { error: 'Error: no keys' } }]);
	});
});

describe('a job that is answered', () => {
	it('is told step by step, and its end is kept before it is told', async () => {
		const set = await stage('originate/one', [{}]);
		const states: unknown[] = [];
		const collect = async () => {
			const events: OriginateEvent[] = [];
			for await (const event of originate(WISH, DEFAULT_POLICY, set.asker.ports, never)) {
				events.push(event);
				if (event.type === 'finished') states.push((await set.asker.ports.store.jobs.list())[0]?.state);
			}
			return events;
		};
		const events = await set.world.clock.until(collect());
		expect(types(events)).toEqual(['announced', 'bid', 'assigned', 'accepted', 'words', 'finished']);
		expect([states, events.filter(({ type }) => type === 'finished').length]).toEqual([['finished'], 1]);
	});

	it('can be taken up by another page as long as it runs, at whoever has it then', async () => {
		const set = await stage('originate/two', [{}, {}]);
		const { world, asker, executors } = set;
		const epochs: unknown[] = [];
		const wish = { ...WISH, minTokens: 60, maxTokens: 60 };
		const events: OriginateEvent[] = [];
		const run = async () => {
			for await (const event of originate(wish, DEFAULT_POLICY, asker.ports, never)) {
				events.push(event);
				if (event.type === 'words' && event.position === 20) void executors[0].mesh.stop();
				if (event.type !== 'words' || ![19, 59].includes(event.position)) continue;
				const [row] = await asker.ports.store.jobs.list();
				epochs.push(read(assignJob, row?.unfinished?.assignment as Uint8Array).body.epoch);
			}
		};
		await world.clock.until(run());
		expect(types(events).slice(2)).toEqual(['assigned', 'accepted', 'words', 'handed-over', 'checkpoint', 'finished']);
		expect(epochs).toEqual([1, 2]);
		expect(listens(set)).toBe(false);
	});

	it('that is lost with nobody to go on ends once, and stops listening', async () => {
		const set = await stage('originate/lost', [{}]);
		let heard = false;
		const events = await set.world.clock.until(
			set.asker.ask(WISH, never, {}, (event) => {
				if (event.type === 'words' && event.position === 5) void set.executors[0].mesh.stop();
				heard ||= event.type === 'words' && listens(set);
			})
		);
		expect(events.at(-1)).toMatchObject({ type: 'lost', code: 'peer-lost' });
		expect(types(events).filter((type) => ['lost', 'failed', 'finished'].includes(type))).toEqual(['lost']);
		expect((await set.asker.ports.store.jobs.list())[0]).toMatchObject({ state: 'lost', unfinished: undefined });
		expect([heard, listens(set)]).toEqual([false, false]);
	});

	it('whose reader leaves lets its executor go', async () => {
		const set = await stage('originate/left', [{}]);
		const leave = async () => {
			for await (const event of originate(WISH, DEFAULT_POLICY, set.asker.ports, never))
				if (event.type === 'words') break;
		};
		await set.world.clock.until(leave());
		await set.world.clock.pass(10_000);
		expect(set.executors[0].engine.steps).toBeLessThan(20);
		expect(set.executors[0].engine.state).toBe('ready');
	});
});
