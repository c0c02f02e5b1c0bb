/** Lending as its person sees it: the states from the click to the end, and stopping in the midst of each. */
import { describe, expect, it } from 'vitest';
import { Contributor, type ContributorPorts } from '#lib/node/contributor.ts';
import type { PauseCause } from '#lib/market/lending.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import { endOf, World } from '../doubles/node.ts';

const LOAD_MS = 1_000;

/** A node of a world, lent by a person whom nothing limits. */
async function lender(seed: string, change: (world: World) => Partial<ContributorPorts> = () => ({})) {
	const world = new World(seed);
	const node = await world.node({ engine: { tokensPerSecond: 20, loadMs: LOAD_MS } });
	let ended = 0;
	let say: (cause: PauseCause | undefined) => void = () => undefined;
	let followed = 0;
	const contributor: Contributor = new Contributor({
		ports: node.ports,
		here: { lend: () => node.engine, endLending: async () => void ended++ },
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
	const seen: string[] = [];
	contributor.state.observe(({ state }) => void (seen.at(-1) === state || seen.push(state)));
	return {
		...{ world, contributor, seen },
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
		expect(contributor.state.value.state).toBe('ready');
		await contributor.start();
		expect(seen).toEqual(['off', 'loading', 'connecting', 'paused', 'ready']);
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
		['a mesh that cannot be joined', 'unreachable', { join: () => Promise.reject(new Refusal('unreachable')) }]
	] as const)('%s is a failure with its cause, and can be tried again', async (_, code, change) => {
		const { world, contributor } = await lender(code, () => change);
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe(code);
		expect(contributor.state.value).toEqual({ state: 'failed', code });
		expect(contributor.active).toBe(false);
		expect(await world.clock.until(contributor.start().catch(codeOf))).toBe(code);
	});
});
