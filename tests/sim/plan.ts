/** The workload generator: from a scenario's rates and a seed to a script. Pure. */
import { SeededRandom } from '../doubles/chance.ts';
import type { Skew } from '../doubles/clock.ts';
import { TRADES } from './hostile/disguise.ts';
import { SCENARIOS, type FaultType, type Scenario, type ScenarioName } from './scenarios.ts';
import type { Cheat, FaultPlan, JobPlan, NodePlan, Script } from './script.ts';

export interface Wanted {
	readonly scenario: ScenarioName;
	readonly seed: number;
	/** Nodes at any moment; with churn more in all. */
	readonly nodes: number;
	/** Virtual minutes in which jobs are asked for. */
	readonly minutes: number;
}

const MINUTE_MS = 60_000;
/** Everybody has joined and spoken once. */
const WARM_UP_MS = 4_000;
/** The last part of the time is quiet, so that what the faults left can be seen to heal. */
const QUIET_SHARE = 0.2;
/** How long a job may take, hand-overs included. */
const DEADLINE_MS = 90_000;
/** How long faults last, ms. */
const LASTS: Readonly<Record<FaultType, readonly [number, number]>> = {
	partition: [400, 20_000],
	'one-way': [400, 20_000],
	freeze: [200, 30_000],
	'full-disk': [5_000, 40_000],
	'relay-gone': [5_000, 30_000],
	'slow-network': [2_000, 20_000],
	loss: [2_000, 20_000],
	break: [0, 0],
	'clock-jump': [0, 0],
	'stops-lending': [0, 0]
};

export function plan({ scenario: name, seed, nodes, minutes }: Wanted): Script {
	const scenario: Scenario = SCENARIOS[name];
	const chance = (what: string) => new SeededRandom(`${name}/${seed}/${nodes}/${what}`);
	const endsAt = WARM_UP_MS + minutes * MINUTE_MS;
	const quietAt = WARM_UP_MS + minutes * MINUTE_MS * (1 - QUIET_SHARE);
	const all = nodesOf(scenario, nodes, quietAt, chance('nodes'));
	return {
		scenario: name,
		seed,
		latencyMs: scenario.latencyMs,
		jitterMs: scenario.jitterMs,
		weather: scenario.weather,
		nodes: all,
		jobs: jobsOf(scenario, all, endsAt, chance('jobs')),
		faults: faultsOf(scenario, all, nodes, quietAt, chance('faults')),
		endsAt,
		quietAt,
		deadlineMs: DEADLINE_MS
	};
}

function nodesOf(scenario: Scenario, count: number, quietAt: number, chance: SeededRandom): NodePlan[] {
	const nodes: NodePlan[] = [];
	const come = (joinsAt: number): number | undefined => {
		// Lives are exponential; a node that would outlive the faults stays.
		const lifeMs = scenario.churn === 0 ? Infinity : (-Math.log(1 - chance.unit()) * MINUTE_MS) / scenario.churn;
		const leavesAt = joinsAt + Math.max(1_000, lifeMs);
		const node = nodeOf(scenario, nodes.length, joinsAt, leavesAt < quietAt ? leavesAt : undefined, chance);
		nodes.push(node);
		return node.leavesAt;
	};
	for (let i = 0; i < count; i++) {
		let next = come(chance.unit() * WARM_UP_MS * 0.5);
		// Somebody else comes for one that left.
		while (next !== undefined) next = come(next + chance.unit() * 2_000);
	}
	return nodes;
}

function nodeOf(
	scenario: Scenario,
	id: number,
	joinsAt: number,
	leavesAt: number | undefined,
	chance: SeededRandom
): NodePlan {
	const within = ([low, high]: readonly [number, number]) => low + chance.unit() * (high - low);
	const sick = chance.unit() < scenario.sick;
	const cheat = chance.unit() < scenario.hostile ? chance.of<Cheat>(scenario.cheats) : undefined;
	const trade = cheat === undefined ? undefined : TRADES[cheat];
	const byChance = chance.unit() < scenario.lends;
	const lends = trade?.lends ?? byChance;
	return {
		id,
		// One in ten is the second device of the node before it.
		account: id > 0 && chance.unit() < 0.1 && cheat === undefined ? id - 1 : id,
		joinsAt,
		leavesAt,
		leaves: chance.unit() < 0.5 ? 'closed' : 'killed',
		lends,
		asks: trade?.asks ?? (!lends || chance.unit() < scenario.asks),
		tokensPerSecond: within(scenario.tokensPerSecond),
		pricePer1k: 50_000 + chance.below(200_000),
		skew: skewOf(scenario, chance),
		diesOnceIn: sick && chance.unit() < 0.5 ? 150 + chance.below(600) : 0,
		pausesOnceIn: sick ? 40 + chance.below(300) : 0,
		pauseMs: 100 + chance.below(9_000),
		cheat
	};
}

function skewOf(scenario: Scenario, chance: SeededRandom): Skew {
	if (chance.unit() >= scenario.skewed) return { aheadMs: 0, driftPpm: 0 };
	return {
		aheadMs: Math.round((2 * chance.unit() - 1) * scenario.skewMs),
		driftPpm: Math.round((2 * chance.unit() - 1) * 200)
	};
}

function jobsOf(scenario: Scenario, nodes: readonly NodePlan[], endsAt: number, chance: SeededRandom): JobPlan[] {
	const jobs: JobPlan[] = [];
	const perMinute = scenario.jobsPerLender * nodes.filter(({ lends, joinsAt }) => lends && joinsAt < WARM_UP_MS).length;
	const [shortest, longest] = scenario.maxTokens;
	if (perMinute === 0) return jobs;
	let at = WARM_UP_MS;
	for (;;) {
		at += (-Math.log(1 - chance.unit()) * MINUTE_MS) / perMinute;
		if (at >= endsAt) return jobs;
		const here = (node: NodePlan) => node.joinsAt < at - 500 && (node.leavesAt ?? Infinity) > at;
		const maxTokens = shortest + chance.below(longest - shortest + 1);
		const first = chance.below(nodes.length);
		const asker = [...nodes.slice(first), ...nodes.slice(0, first)].find((node) => node.asks && here(node));
		const stopped = chance.unit() < scenario.stopped;
		const stopAfterMs = stopped ? chance.below(4_000) : undefined;
		const temperatureMilli = chance.of([0, 700, 1000]);
		const exact = chance.unit() < 0.5;
		const words = 1 + chance.below(60);
		if (asker === undefined) continue;
		const minTokens = exact ? maxTokens : 0;
		const id = jobs.length;
		jobs.push({ id, at, asker: asker.id, words, minTokens, maxTokens, temperatureMilli, stopAfterMs });
	}
}

function faultsOf(
	scenario: Scenario,
	nodes: readonly NodePlan[],
	count: number,
	quietAt: number,
	chance: SeededRandom
): FaultPlan[] {
	const faults: FaultPlan[] = [];
	const span = quietAt - WARM_UP_MS;
	const some = (share: number) => nodes.filter(() => chance.unit() < share).map(({ id }) => id);
	for (const [type, rate] of Object.entries(scenario.faults) as [FaultType, number][]) {
		// Rates of what strikes one node grow with their number; the rest strikes all at once.
		const strikesOne = !['partition', 'one-way', 'relay-gone', 'slow-network', 'loss'].includes(type);
		const wanted = (rate * span * (strikesOne ? count / 100 : 1)) / MINUTE_MS;
		const number = Math.floor(wanted) + (chance.unit() < wanted % 1 ? 1 : 0);
		const [shortest, longest] = LASTS[type];
		let free = WARM_UP_MS;
		for (let i = 0; i < number; i++) {
			// What strikes all at once comes one after the other: the network is in one state at a time.
			const slot = span / number;
			const lasts = Math.min(shortest + chance.unit() ** 2 * (longest - shortest), strikesOne ? Infinity : slot * 0.7);
			const at = strikesOne ? WARM_UP_MS + chance.unit() * span : free + chance.unit() * (slot - lasts);
			if (!strikesOne) free += slot;
			const base = { id: 0, at, until: Math.min(quietAt, at + lasts) };
			const here = nodes.filter(({ joinsAt, leavesAt = Infinity }) => joinsAt < at && leavesAt > at);
			if (here.length === 0) continue;
			const node = chance.of(here).id;
			switch (type) {
				case 'partition':
					faults.push({ ...base, type, nodes: some(0.1 + 0.4 * chance.unit()) });
					break;
				case 'one-way':
					faults.push({ ...base, type, from: some(0.2), to: some(0.2) });
					break;
				case 'slow-network':
					faults.push({ ...base, type, times: 2 + chance.below(10) });
					break;
				case 'loss': {
					const loss = 0.05 + chance.unit() * 0.25;
					const weather = { gossipLoss: chance.unit() * 0.5, gossipDouble: 0.2, gossipLate: 0.3, loss };
					faults.push({ ...base, type, weather });
					break;
				}
				case 'relay-gone':
					faults.push({ ...base, type });
					break;
				case 'clock-jump':
					faults.push({ ...base, type, node, ms: Math.round((2 * chance.unit() - 1) * 60_000) });
					break;
				case 'freeze':
				case 'full-disk':
				case 'break':
				case 'stops-lending':
					faults.push({ ...base, type, node });
					break;
			}
		}
	}
	return faults.sort((a, b) => a.at - b.at).map((fault, id) => ({ ...fault, id }));
}
