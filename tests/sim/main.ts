/**
 * `npm run sim`: one run, printed as JSON; a run that violates an invariant is made small, and how to repeat it is printed.
 * `npm run sim:long`: the two long runs.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { plan, type Wanted } from './plan.ts';
import { isPolicy, POLICIES } from './policies.ts';
import { isScenario, SCENARIOS } from './scenarios.ts';
import { kept, type Script } from './script.ts';
import { share } from './share.ts';
import { command, shrink } from './shrink.ts';
import { run, type Result } from './simulate.ts';

const LONG: readonly Wanted[] = [
	{ scenario: 'wide', seed: 1, nodes: 1_000, minutes: 60 },
	{ scenario: 'long', seed: 1, nodes: 100, minutes: 24 * 60 }
];

const { values } = parseArgs({
	options: {
		seed: { type: 'string', default: '1' },
		nodes: { type: 'string', default: '100' },
		minutes: { type: 'string', default: '2' },
		scenario: { type: 'string', default: 'calm' },
		'keep-nodes': { type: 'string' },
		'keep-jobs': { type: 'string' },
		'keep-faults': { type: 'string' },
		policy: { type: 'string', default: 'ours' },
		compare: { type: 'string' },
		seeds: { type: 'string', default: '1' },
		policies: { type: 'string', default: POLICIES.join(',') },
		long: { type: 'boolean', default: false },
		progress: { type: 'boolean', default: false },
		'no-shrink': { type: 'boolean', default: false }
	}
});

process.exitCode = values.long
	? await long()
	: values.compare === undefined
		? await one()
		: await compared(values.compare);

async function one(): Promise<number> {
	const { scenario, policy } = values;
	if (!isPolicy(policy)) return complain(`There is no policy ${policy}. Policies: ${POLICIES.join(', ')}.`);
	const [seed, nodes, minutes] = [Number(values.seed), Number(values.nodes), Number(values.minutes)];
	if (!isScenario(scenario))
		return complain(`There is no scenario ${scenario}. Scenarios: ${Object.keys(SCENARIOS).join(', ')}.`);
	if (!Number.isInteger(seed) || !(nodes >= 2) || !(minutes > 0))
		return complain('--seed, --nodes and --minutes are numbers.');
	const ids = (text: string | undefined) =>
		text === undefined ? undefined : text === 'none' ? [] : text.split(',').map(Number);
	const keep = { nodes: ids(values['keep-nodes']), jobs: ids(values['keep-jobs']), faults: ids(values['keep-faults']) };
	const script = kept(plan({ scenario, seed, nodes, minutes }), keep);
	const onMinute = values.progress ? progress({ scenario, seed, nodes, minutes }) : undefined;
	const result = await run(script, { policy, onMinute });
	print(script, result);
	const [first] = result.violations;
	if (first === undefined) return 0;
	if (values['no-shrink']) return 1;
	console.error(`\n${first.invariant}: ${first.what}\nmaking it smaller…`);
	const fails = async (smaller: Script) =>
		(await run(smaller, { policy })).violations.some(({ invariant }) => invariant === first.invariant);
	const small = await shrink(script, fails);
	const { nodes: left, jobs, faults } = small.script;
	console.error(
		`${left.length} nodes, ${jobs.length} jobs, ${faults.length} faults are left after ${small.runs} runs:`
	);
	console.error(JSON.stringify({ nodes: left, jobs, faults }, undefined, 2));
	console.error(command(script, { nodes, minutes }, small.keep));
	return 1;
}

async function compared(names: string): Promise<number> {
	const [first, seeds] = [Number(values.seed), Number(values.seeds)];
	const [nodes, minutes] = [Number(values.nodes), Number(values.minutes)];
	const scenarios = names.split(',').filter(isScenario);
	const policies = values.policies.split(',').filter(isPolicy);
	if (scenarios.length === 0 || policies.length === 0 || !(seeds >= 1))
		return complain('--compare names scenarios, --policies ways to choose, --seeds how many seeds from --seed on.');
	const violations = await compare(
		scenarios.map((scenario) => ({ scenario, nodes, minutes })),
		Array.from({ length: seeds }, (_, i) => first + i),
		policies,
		(line) => console.log(line)
	);
	return violations === 0 ? 0 : 1;
}

/** Each long run in a process of its own: one core each, where there are two. */
async function long(): Promise<number> {
	const began = performance.now();
	const codes = await Promise.all(
		LONG.map(async ({ scenario, seed, nodes, minutes }) => {
			const of = { scenario, seed, nodes, minutes };
			const options = Object.entries(of).flatMap(([name, value]) => [`--${name}`, String(value)]);
			const child = fork(import.meta.filename, [...options, '--progress', '--no-shrink']);
			const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
			if (signal !== null) console.error(`${scenario}: ended by ${signal}`);
			return code ?? 1;
		})
	);
	const broken = codes.filter((code) => code !== 0).length;
	console.log(`${Math.round((performance.now() - began) / 1_000)} s in all, ${broken} of ${LONG.length} runs broken`);
	return broken === 0 ? 0 : 1;
}

function progress({ scenario, minutes }: Wanted): (minute: number) => void {
	return (minute) => {
		if (minute % Math.ceil(minutes / 20) === 0) console.error(`${scenario}: ${minute} of ${minutes} minutes`);
	};
}

function print({ scenario, seed }: Script, result: Result): void {
	const { waits, ...rest } = result;
	console.log(JSON.stringify({ scenario, seed, ...rest, share: share(result.counts) }, undefined, 2));
}

function complain(what: string): number {
	console.error(what);
	return 2;
}
