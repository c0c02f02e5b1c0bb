/**
 * The simulator's small runs, as one check: ends with 1 at the first run that violates an invariant or does much less than it must.
 * How much is asked for: nine tenths of what the run does with no mutant awake, so that a change of chance alone is not noticed.
 */
import process from 'node:process';
import { simulate } from '../sim/simulate.ts';
import type { Wanted } from '../sim/plan.ts';
import { writeCoverage } from './coverage.ts';

interface SmallRun extends Wanted {
	/** Honest jobs answered to the end. */
	readonly atLeast: number;
}

const RUNS: readonly SmallRun[] = [
	{ scenario: 'sick-engines', seed: 2, nodes: 16, minutes: 3, atLeast: 37 },
	{ scenario: 'hostile30', seed: 2, nodes: 20, minutes: 3, atLeast: 18 },
	{ scenario: 'partitions', seed: 1, nodes: 20, minutes: 3, atLeast: 53 },
	{ scenario: 'storm', seed: 2, nodes: 24, minutes: 3, atLeast: 61 },
	{ scenario: 'churn', seed: 3, nodes: 24, minutes: 3, atLeast: 76 }
];

for (const run of RUNS) {
	const { violations, counts } = await simulate(run);
	const answered = counts.ends['success'] ?? 0;
	if (violations.length === 0 && answered >= run.atLeast) continue;
	console.error(`${run.scenario}: ${answered} answered, wanted ${run.atLeast}`, violations.slice(0, 3));
	process.exitCode = 1;
	break;
}
writeCoverage();
