/** What happens in one simulated run, as plain data: made from a seed, and made smaller when a violation is to be understood. */
import type { Skew } from '../doubles/clock.ts';
import type { WeatherInit } from '../doubles/weather.ts';

/** Ways to cheat; each is a program of tests/sim/hostile. */
export const CHEATS = [
	'liar',
	'staller',
	'no-show',
	'overbiller',
	'equivocator',
	'replayer',
	'flooder',
	'sybil',
	'ack-withholder',
	'seal-withholder'
] as const;
export type Cheat = (typeof CHEATS)[number];

/** Times are virtual ms from the start. */
export interface NodePlan {
	readonly id: number;
	/** Nodes of one account work for each other for nothing. */
	readonly account: number;
	readonly joinsAt: number;
	readonly leavesAt: number | undefined;
	/** `closed`: it says goodbye; `killed`: nothing is said. */
	readonly leaves: 'closed' | 'killed';
	readonly lends: boolean;
	readonly asks: boolean;
	readonly tokensPerSecond: number;
	readonly pricePer1k: number;
	readonly skew: Skew;
	/** Its engine dies once in so many steps by chance; 0: never. */
	readonly diesOnceIn: number;
	/** Its engine pauses for `pauseMs` once in so many steps; 0: never. */
	readonly pausesOnceIn: number;
	readonly pauseMs: number;
	readonly cheat: Cheat | undefined;
}

export interface JobPlan {
	readonly id: number;
	readonly at: number;
	readonly asker: number;
	readonly words: number;
	readonly minTokens: number;
	readonly maxTokens: number;
	readonly temperatureMilli: number;
	/** Its person stops it so long after it was asked. */
	readonly stopAfterMs: number | undefined;
}

interface Span {
	readonly id: number;
	readonly at: number;
	readonly until: number;
}

export type FaultPlan =
	| (Span & { readonly type: 'partition'; readonly nodes: readonly number[] })
	/** Nothing from `from` reaches `to`. */
	| (Span & { readonly type: 'one-way'; readonly from: readonly number[]; readonly to: readonly number[] })
	| (Span & { readonly type: 'freeze'; readonly node: number })
	| (Span & { readonly type: 'full-disk'; readonly node: number })
	| (Span & { readonly type: 'relay-gone' })
	| (Span & { readonly type: 'slow-network'; readonly times: number })
	| (Span & { readonly type: 'loss'; readonly weather: Omit<WeatherInit, 'relays'> })
	/** Every channel of the node breaks at once. */
	| (Span & { readonly type: 'break'; readonly node: number })
	| (Span & { readonly type: 'clock-jump'; readonly node: number; readonly ms: number })
	| (Span & { readonly type: 'stops-lending'; readonly node: number });

export interface Script {
	readonly scenario: string;
	readonly seed: number;
	readonly latencyMs: number;
	readonly jitterMs: number;
	readonly weather: Omit<WeatherInit, 'relays'>;
	readonly nodes: readonly NodePlan[];
	readonly jobs: readonly JobPlan[];
	readonly faults: readonly FaultPlan[];
	/** Nobody asks after this. */
	readonly endsAt: number;
	/** Faults and churn are over. */
	readonly quietAt: number;
	readonly deadlineMs: number;
}

/** Which of a script's parts a smaller one keeps; undefined: all. */
export interface Keep {
	readonly nodes?: readonly number[] | undefined;
	readonly jobs?: readonly number[] | undefined;
	readonly faults?: readonly number[] | undefined;
}

/** The script with only what is kept; jobs of nodes that are not there go too. */
export function kept(script: Script, keep: Keep): Script {
	const has = (list: readonly number[] | undefined) => {
		const set = list === undefined ? undefined : new Set(list);
		return (id: number) => set === undefined || set.has(id);
	};
	const [node, job, fault] = [has(keep.nodes), has(keep.jobs), has(keep.faults)];
	return {
		...script,
		nodes: script.nodes.filter(({ id }) => node(id)),
		jobs: script.jobs.filter(({ id, asker }) => job(id) && node(asker)),
		faults: script.faults.filter(({ id }) => fault(id))
	};
}
