/** The scenarios by name: how many nodes do what, and what goes wrong how often. Numbers are rates; chance makes a script of them (plan.ts). */
import type { WeatherInit } from '../doubles/weather.ts';
import { CHEATS, type Cheat } from './script.ts';

export interface Scenario {
	readonly about: string;
	/** Share of nodes that lend an engine, and that ask; a node may do both. */
	readonly lends: number;
	readonly asks: number;
	/** Jobs a minute for each lender: 1 a minute of 60 tokens at 40 a second keeps it busy for 2.5 % of its time. */
	readonly jobsPerLender: number;
	/** Share of jobs that their person stops. */
	readonly stopped: number;
	readonly maxTokens: readonly [number, number];
	readonly tokensPerSecond: readonly [number, number];
	readonly weather: Omit<WeatherInit, 'relays'>;
	/** Share of all nodes that leaves in a minute; as many others come. */
	readonly churn: number;
	/** Share of engines that are sick: die or pause now and then. */
	readonly sick: number;
	/** Share of nodes whose wall clock is wrong, and by how much at most, ms. */
	readonly skewed: number;
	readonly skewMs: number;
	/** Share of nodes that cheat, and how; each as many as the others. */
	readonly hostile: number;
	readonly cheats: readonly Cheat[];
	/** Faults a minute for 100 nodes, by type. */
	readonly faults: Readonly<Partial<Record<FaultType, number>>>;
	readonly latencyMs: number;
	readonly jitterMs: number;
}

export type FaultType =
	| 'partition'
	| 'one-way'
	| 'freeze'
	| 'full-disk'
	| 'relay-gone'
	| 'slow-network'
	| 'loss'
	| 'break'
	| 'clock-jump'
	| 'stops-lending';

const CALM: Scenario = {
	about: 'nothing goes wrong',
	lends: 0.5,
	asks: 0.6,
	jobsPerLender: 1.5,
	stopped: 0.05,
	maxTokens: [8, 160],
	tokensPerSecond: [20, 90],
	weather: {},
	churn: 0,
	sick: 0,
	skewed: 0,
	skewMs: 0,
	hostile: 0,
	cheats: [],
	faults: {},
	latencyMs: 20,
	jitterMs: 30
};

/** Three nodes in ten cheat in this one way. */
function only(cheat: Cheat, what: string): Scenario {
	return { ...CALM, about: `three nodes in ten ${what}`, hostile: 0.3, maxTokens: [8, 200], cheats: [cheat] };
}

export const SCENARIOS = {
	calm: CALM,
	lossy: {
		...CALM,
		about: 'one packet in twenty is lost, one public message in ten; some come twice, late or out of order',
		weather: { gossipLoss: 0.1, gossipDouble: 0.1, gossipLate: 0.2, loss: 0.05 },
		faults: { loss: 1, 'slow-network': 1, break: 6 },
		jitterMs: 150
	},
	partitions: {
		...CALM,
		about: 'the network falls in two for seconds, and some hear without being heard',
		faults: { partition: 3, 'one-way': 4, break: 2 }
	},
	churn: { ...CALM, about: 'one node in five leaves every minute, half of them without a word', churn: 0.2 },
	frozen: { ...CALM, about: 'tabs are frozen for parts of a second to half a minute', faults: { freeze: 30 } },
	'sick-engines': {
		...CALM,
		about: 'engines die, pause and are slow; lenders stop in the middle',
		sick: 0.6,
		tokensPerSecond: [4, 90],
		faults: { 'stops-lending': 6 }
	},
	'full-disk': { ...CALM, about: 'disks are full for a while', faults: { 'full-disk': 30, break: 4 } },
	'relay-gone': { ...CALM, about: 'every relay vanishes for a while', faults: { 'relay-gone': 2, break: 4 } },
	skew: {
		...CALM,
		about: 'clocks are wrong by up to two and a half minutes, drift and jump',
		skewed: 0.7,
		skewMs: 150_000,
		faults: { 'clock-jump': 10 }
	},
	overload: {
		...CALM,
		about: 'twice as much is asked as can be answered',
		jobsPerLender: 8,
		maxTokens: [60, 160],
		tokensPerSecond: [4, 10]
	},
	hostile30: {
		...CALM,
		about: 'three nodes in ten cheat, each in its way, and one in five leaves every minute',
		churn: 0.2,
		hostile: 0.3,
		maxTokens: [8, 200],
		cheats: CHEATS
	},
	liars: only('liar', 'tell other words than the model'),
	stallers: only('staller', 'answer a little and then nothing'),
	'no-shows': only('no-show', 'bid, and say nothing when somebody comes'),
	overbillers: only('overbiller', 'count the prompt as long as can be believed'),
	equivocators: only('equivocator', 'say two things'),
	replayers: only('replayer', 'say again what others said'),
	flooders: only('flooder', 'announce, open and send what nobody means'),
	sybils: only('sybil', 'bid under five names each'),
	'ack-withholders': only('ack-withholder', 'read and never acknowledge'),
	'seal-withholders': only('seal-withholder', 'read everything and never sign the receipt'),
	wide: {
		...CALM,
		about: 'a thousand nodes for an hour',
		jobsPerLender: 0.03,
		churn: 0.005,
		faults: { partition: 0.1, freeze: 0.2 }
	},
	long: {
		...CALM,
		about: 'a hundred nodes for a day',
		jobsPerLender: 0.08,
		churn: 0.005,
		faults: {
			partition: 0.02,
			'relay-gone': 0.02,
			freeze: 0.5,
			'full-disk': 0.2,
			loss: 0.02,
			break: 0.2,
			'clock-jump': 0.05
		}
	},
	storm: {
		...CALM,
		about: 'all of it a little at once',
		weather: { gossipLoss: 0.03, gossipDouble: 0.05, gossipLate: 0.1, loss: 0.02 },
		churn: 0.1,
		sick: 0.2,
		skewed: 0.3,
		skewMs: 90_000,
		faults: {
			partition: 1,
			'one-way': 1,
			freeze: 6,
			'full-disk': 4,
			'relay-gone': 0.5,
			'slow-network': 0.5,
			loss: 1,
			break: 4,
			'clock-jump': 2,
			'stops-lending': 2
		}
	}
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;

export function isScenario(name: string): name is ScenarioName {
	return Object.hasOwn(SCENARIOS, name);
}
