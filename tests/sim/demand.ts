/** Open-loop demand for a few executors in virtual time, so that nobody's patience hides the load; and what must hold whatever is demanded. */
import { expect } from 'vitest';
import type { OriginateEvent } from '#lib/node/events.ts';
import { MAX_PATIENCE_MS } from '#lib/market/again.ts';
import { MAX_RETRY_MS, MAX_WAITING, MIN_RETRY_MS } from '#lib/market/queue.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { read } from '#lib/protocol/envelope.ts';
import { SeededRandom } from '../doubles/chance.ts';
import { answerOf, endOf, World, type TestNode } from '../doubles/node.ts';

const EXECUTORS = 3;
/** Of each executor; an answer of 40 tokens takes two seconds. */
const TOKENS_PER_SECOND = 20;
const TOKENS = 40;
export const SECONDS = 30;
/** Long enough that who is known outweighs how they became so, which takes each node a job at each executor. */
const LONG_SECONDS = 120;
/** Answers a second that the executors could give if they did nothing else. */
export const CAPACITY = (EXECUTORS * TOKENS_PER_SECOND) / TOKENS;

interface Asked {
	readonly who: string;
	readonly askedAt: number;
	readonly events: readonly OriginateEvent[];
	readonly endedAt: number;
	/** From the asking to the first word that it is full, or to an executor, ms. */
	readonly firstWordMs: number;
}

/** Each of `askers` begins a wish every `everyMs`, at moments by `seed`, whatever became of the ones before. */
export async function demand(
	world: World,
	askers: ReadonlyMap<string, readonly TestNode[]>,
	everyMs: (who: string) => number,
	seconds = SECONDS,
	seed = 'demand'
): Promise<readonly Asked[]> {
	const chance = new SeededRandom(seed);
	const all: Promise<Asked>[] = [];
	for (const [who, nodes] of askers) {
		const times = Math.floor((seconds * 1_000) / everyMs(who));
		for (let i = 0; i < times; i++) {
			const at = i * everyMs(who) + chance.below(everyMs(who));
			const node = nodes[i % nodes.length] as TestNode;
			all.push(
				(async () => {
					await world.clock.sleep(at);
					const askedAt = world.clock.monotonic();
					let firstWordMs = Infinity;
					const events = await node.ask({ minTokens: TOKENS, maxTokens: TOKENS }, undefined, {}, ({ type }) => {
						if (type !== 'busy' && type !== 'queued' && type !== 'assigned' && type !== 'failed') return;
						firstWordMs = Math.min(firstWordMs, world.clock.monotonic() - askedAt);
					});
					return { who, askedAt, events, endedAt: world.clock.monotonic(), firstWordMs };
				})()
			);
		}
	}
	return world.clock.until(Promise.all(all));
}

export async function executors(world: World): Promise<TestNode[]> {
	const nodes: TestNode[] = [];
	for (let i = 0; i < EXECUTORS; i++) {
		const node = await world.node({ engine: { tokensPerSecond: TOKENS_PER_SECOND } });
		await world.clock.until(node.contribution.start());
		nodes.push(node);
	}
	return nodes;
}

/** Answers finished within the time of the demand, by who asked. */
export function served(asked: readonly Asked[], seconds = SECONDS): Map<string, number> {
	const counts = new Map<string, number>();
	for (const { who } of asked) counts.set(who, 0);
	for (const { who, events, endedAt } of asked) {
		if (endOf(events).type !== 'finished' || endedAt > seconds * 1_000) continue;
		expect(answerOf(events).tokens).toHaveLength(TOKENS);
		counts.set(who, (counts.get(who) ?? 0) + 1);
	}
	return counts;
}

/** What holds whatever is demanded. */
export function holds(world: World, asked: readonly Asked[]): void {
	for (const { events, firstWordMs, askedAt, endedAt } of asked) {
		const end = endOf(events);
		expect(['finished', 'failed']).toContain(end.type);
		if (end.type === 'failed') {
			expect(end.code).toBe('busy');
			expect(end.retryMs).toBeGreaterThanOrEqual(MIN_RETRY_MS);
			expect(end.retryMs).toBeLessThanOrEqual(MAX_RETRY_MS);
			expect(endedAt - askedAt).toBeLessThanOrEqual(MAX_PATIENCE_MS + 45_000);
		}
		for (const event of events) if (event.type === 'busy') expect(event.retryMs).toBeLessThanOrEqual(MAX_PATIENCE_MS);
		// Early: two bid windows, a connection, and the way there and back.
		expect(firstWordMs).toBeLessThan(1_500);
	}
	for (const { topic, bytes } of world.network.gossip) {
		if (topic !== 'fireweed/1/capabilities') continue;
		const { running, queued } = read(capabilityAdvertisement, bytes).body;
		expect(running).toBeLessThanOrEqual(1);
		expect(queued).toBeLessThanOrEqual(MAX_WAITING);
	}
}

export const askersOf = async (world: World, names: readonly string[], nodes = 1) => {
	const all = new Map<string, TestNode[]>();
	for (const name of names) {
		const mine: TestNode[] = [];
		for (let i = 0; i < nodes; i++) mine.push(await world.node({ account: name }));
		all.set(name, mine);
	}
	return all;
};

/** Answers in time, added up over runs, when somebody with so many nodes asks six times as often as each of six others. */
export async function withGreedy(nodes: number, runs: number): Promise<{ greedy: number; others: readonly number[] }> {
	const honest = Array.from({ length: 6 }, (_, i) => `asker ${i}`);
	const everyMs = 2_500;
	const pace = (who: string) => (who === 'greedy' ? Math.round(everyMs / 6) : everyMs);
	let greedy = 0;
	const others = honest.map(() => 0);
	for (let run = 1; run <= runs; run++) {
		const world = new World(`greedy with ${nodes}${run === 1 ? '' : `, ${run}`}`);
		await executors(world);
		const askers = new Map([...(await askersOf(world, honest)), ...(await askersOf(world, ['greedy'], nodes))]);
		const asked = await demand(world, askers, pace, LONG_SECONDS, run === 1 ? 'demand' : `demand ${run}`);
		holds(world, asked);
		const counts = served(asked, LONG_SECONDS);
		greedy += counts.get('greedy') ?? 0;
		for (const [i, name] of honest.entries()) others[i] = (others[i] ?? 0) + (counts.get(name) ?? 0);
	}
	console.log(
		`greedy with ${nodes}: ${greedy} answers, honest ${Math.min(...others)}–${Math.max(...others)}, in ${runs} times ${LONG_SECONDS} s`
	);
	return { greedy, others };
}

/** Nobody has more than the shares of its nodes, and nobody much less than its own. */
export function isFair({ greedy, others }: Awaited<ReturnType<typeof withGreedy>>, nodes: number): void {
	const mean = others.reduce((sum, each) => sum + each, 0) / others.length;
	expect(greedy / nodes).toBeLessThanOrEqual(mean * 1.5);
	expect(Math.min(...others)).toBeGreaterThanOrEqual(mean * 0.7);
}
