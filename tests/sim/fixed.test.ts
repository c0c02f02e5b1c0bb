/** The fixed set: these scenarios under these seeds, with at least so many jobs and faults, and every invariant holds in each. */
import { execFile } from 'node:child_process';
import process from 'node:process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ScenarioName } from './scenarios.ts';
import { simulate, type Result } from './simulate.ts';

const NODES = 100;

/** Scenario, seed, virtual minutes, fewest jobs, fewest of them answered, fewest faults. */
type Row = readonly [ScenarioName, number, number, number, number, number];

const FIXED: readonly Row[] = [
	['calm', 1, 0.5, 20, 20, 0],
	['lossy', 1, 0.5, 20, 15, 2],
	['partitions', 1, 1, 40, 30, 4],
	['churn', 1, 1, 40, 35, 10],
	['frozen', 1, 1, 40, 30, 15],
	['sick-engines', 1, 1, 40, 30, 3],
	['full-disk', 1, 0.5, 20, 15, 8],
	['relay-gone', 1, 0.5, 20, 10, 1],
	['skew', 1, 0.5, 20, 10, 3],
	['overload', 1, 0.3, 60, 20, 0],
	['hostile30', 1, 1, 30, 1, 8],
	['storm', 1, 1, 40, 25, 12]
];

/** On two busy cores. */
const PATIENCE_MS = 300_000;

describe(`${NODES} nodes`, () => {
	it.each(FIXED)(
		'%s, seed %i',
		async (scenario, seed, minutes, jobs, answered, faults) => {
			const { counts, violations } = await simulate({ scenario, seed, nodes: NODES, minutes });
			expect(violations).toEqual([]);
			expect(counts.nodes).toBeGreaterThanOrEqual(NODES);
			expect(counts.jobs).toBeGreaterThanOrEqual(jobs);
			expect(counts.ends['success'] ?? 0).toBeGreaterThanOrEqual(answered);
			expect(counts.faultsInAll).toBeGreaterThanOrEqual(faults);
		},
		PATIENCE_MS
	);
});

it(
	'is the same run in any process under one seed, and another under another',
	async () => {
		const own = await simulate({ scenario: 'storm', seed: 4, nodes: 20, minutes: 0.5 });
		const elsewhere = async (seed: number): Promise<Result> => {
			const args = [
				'tests/sim/main.ts',
				'--scenario',
				'storm',
				'--seed',
				`${seed}`,
				'--nodes',
				'20',
				'--minutes',
				'0.5'
			];
			const { stdout } = await promisify(execFile)(process.execPath, args);
			return JSON.parse(stdout) as Result;
		};
		const [first, second, other] = [await elsewhere(4), await elsewhere(4), await elsewhere(5)];
		expect([first.traceHash, second.traceHash]).toEqual([own.traceHash, own.traceHash]);
		expect([first.counts, second.counts]).toEqual([own.counts, own.counts]);
		expect(other.traceHash).not.toBe(own.traceHash);
	},
	PATIENCE_MS
);
