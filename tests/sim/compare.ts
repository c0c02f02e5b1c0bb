/**
 * `npm run sim -- --compare calm,sybils --seeds 3 --nodes 100 --minutes 2 [--policies ours,random]`: the same scripts under each way to choose among bids, as a table in
 * Markdown. A script depends on scenario and seed alone, so every policy has the same nodes, jobs and faults.
 */
import process from 'node:process';
import { plan, type Wanted } from './plan.ts';
import type { Policy } from './policies.ts';
import type { Cheat, Script } from './script.ts';
import { share, wilson } from './share.ts';
import { run, type Result } from './simulate.ts';

/** What one policy made of all seeds of a scenario. */
interface Row {
	readonly policy: Policy;
	readonly results: readonly Result[];
	/** Tokens asked for over tokens that honest lenders could make. */
	readonly demand: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const seconds = (ms: number): string => (ms / 1000).toFixed(1);

/** Runs everything; `told` hears each line as it is done. Returns the number of violations. */
export async function compare(
	wanted: readonly Omit<Wanted, 'seed'>[],
	seeds: readonly number[],
	policies: readonly Policy[],
	told: (line: string) => void
): Promise<number> {
	let violations = 0;
	const rows: Row[] = [];
	told(
		'| scenario | choice | asked of capacity | finished, in % (95 %) | nobody had room | violations | first word s | end s | handed over | given to cheats | held up | false tokens |'
	);
	told('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
	for (const each of wanted) {
		for (const policy of policies) {
			const results: Result[] = [];
			let demand = 0;
			for (const seed of seeds) {
				const script = plan({ ...each, seed });
				demand += demandOf(script) / seeds.length;
				const result = await run(script, { policy });
				results.push(result);
				// A run of many seeds takes an hour: what is known already is said, and which seed to look at.
				process.stderr.write(`${each.scenario}, ${policy}, seed ${seed}: ${progress(result)}\n`);
			}
			for (const result of results) violations += result.violations.length;
			rows.push({ policy, results, demand });
			told(line(each.scenario, { policy, results, demand }));
		}
	}
	told('');
	for (const row of harmed(rows)) told(row);
	return violations;
}

/** What each way to cheat did, under each policy: harm.ts says what the columns count. */
function harmed(rows: readonly Row[]): readonly string[] {
	const columns = ['jobs', 'unfinished', 'heldUp', 'falseTokens', 'overbilled', 'unpaidTokens', 'served'] as const;
	const told = ['| choice | cheat | ' + columns.join(' | ') + ' |', '| --- | --- |' + ' ---: |'.repeat(columns.length)];
	for (const { policy, results } of rows) {
		const cheats = [...new Set(results.flatMap(({ harm }) => Object.keys(harm) as Cheat[]))].sort();
		for (const cheat of cheats) {
			const sums = columns.map((column) => results.reduce((all, { harm }) => all + (harm[cheat]?.[column] ?? 0), 0));
			told.push(`| ${[policy, cheat, ...sums].join(' | ')} |`);
		}
	}
	return told;
}

function line(scenario: string, { policy, results, demand }: Row): string {
	const shares = results.map(({ counts }) => share(counts));
	const sum = (of: (result: Result) => number) => results.reduce((all, result) => all + of(result), 0);
	const asked = shares.reduce((all, one) => all + one.asked, 0);
	const finished = shares.reduce((all, one) => all + one.finished, 0);
	const { low, high } = wilson(finished, asked);
	const percent = (part: number) => (100 * part).toFixed(asked > 2_000 ? 2 : 1);
	const harm = (what: 'jobs' | 'heldUp' | 'falseTokens') =>
		sum((result) => Object.values(result.harm).reduce((all, done) => all + done[what], 0));
	const cells = [
		scenario,
		policy,
		`${percent(demand)} %`,
		`${finished} of ${asked}: ${percent(finished / Math.max(1, asked))} (${percent(low)}–${percent(high)})`,
		shares.reduce((all, one) => all + one.refused, 0),
		sum((result) => result.violations.length),
		seconds(median(results.flatMap(({ waits }) => waits.firstMs))),
		seconds(median(results.flatMap(({ waits }) => waits.endMs))),
		sum(({ counts }) => counts.handOvers),
		harm('jobs'),
		harm('heldUp'),
		harm('falseTokens')
	];
	return `| ${cells.join(' | ')} |`;
}

/** One seed in a line: what was answered, how everything else ended, and what was violated. */
function progress({ counts, violations }: Result): string {
	const { finished, asked } = share(counts);
	const others = Object.entries(counts.ends).filter(([name]) => !/^(?:hostile|success|cancelled)/.test(name));
	const ends = others.map(([name, n]) => `${name} ${n}`).join(', ');
	const broken = violations.map(({ invariant, what }) => `${invariant}: ${what}`).join('; ');
	return [`${finished} of ${asked}`, ends, broken].filter(Boolean).join('; ');
}

/** Lenders that do not cheat, for as long as each is there; prompts are left out. */
function demandOf({ nodes, jobs, endsAt }: Script): number {
	const honest = nodes.filter(({ lends, cheat }) => lends && cheat === undefined);
	const could = honest.reduce(
		(all, { tokensPerSecond, joinsAt, leavesAt }) => all + (tokensPerSecond * ((leavesAt ?? endsAt) - joinsAt)) / 1000,
		0
	);
	return jobs.reduce((all, { maxTokens }) => all + maxTokens, 0) / Math.max(1, could);
}
