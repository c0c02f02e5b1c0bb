/**
 * `npm run bench -- [walk | engines | failover | soak | ui | release | lighthouse] …`: measures, prints, and keeps the result with its method in bench/results. A busy machine is
 * refused, because its numbers would be about the other work.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { measureEngines } from './engines/measure.ts';
import { reportEngines } from './engines/report.ts';
import { KEPT, measureFailover } from './failover/measure.ts';
import { reportFailover } from './failover/report.ts';
import { format, keep, type Circumstances } from './kept.ts';
import { measureLighthouse } from './lighthouse/measure.ts';
import { reportLighthouse } from './lighthouse/report.ts';
import { loadAverage } from './machine.ts';
import { ROOT } from '../scripts/bootstrap.mjs';
import { measureRelease, reportRelease } from './release.ts';
import { report } from './report.ts';
import { measureSoak, reportSoak } from './soak.ts';
import { measureUi } from './ui/measure.ts';
import { reportUi } from './ui/report.ts';
import { measureWalk } from './walk.ts';

const USAGE =
	'Usage: npm run bench -- [walk] [--pairs N] [--tokens N] [--arrivals N] [--force] [--no-keep]\n' +
	'       npm run bench -- engines [--rounds N] [--tokens N] [--force] [--no-keep]\n' +
	'       npm run bench -- failover [--kills N] [--alarms MINUTES] [--force] [--no-keep]\n' +
	'       npm run bench -- lighthouse [--rounds N] [--force] [--no-keep]\n' +
	'       npm run bench -- release [--rounds N] [--force] [--no-keep]\n' +
	'       npm run bench -- soak [--jobs N] [--force] [--no-keep]\n' +
	'       npm run bench -- ui [--rounds N] [--force] [--no-keep]\n' +
	'Fewer than 20 pairs, 5 rounds or 2000 jobs are for trying it out and are not kept; failover goes on where the run before it ended.';

/** Of two cores one engine takes one; anything more than this beside it would be measured too. */
const IDLE_LOAD = 1.5;
/** Fewer say too little about a median; such a run is not kept. */
const ENOUGH_PAIRS = 20;
/** A round holds whole profiles and loads, whose times vary less than those over a network. */
const ENOUGH_ROUNDS = 5;
/** Tokens of an answer, where nothing is said. */
const TOKENS = { walk: 200, engines: 128, failover: 200, soak: 40, ui: 1, release: 1, lighthouse: 1 } as const;
const KINDS = Object.keys(TOKENS) as (keyof typeof TOKENS)[];
/** Jobs of a soak. */
const ENOUGH_JOBS = 2_000;

function options(argv: string[]) {
	const { values, positionals } = parseArgs({
		args: argv,
		allowPositionals: true,
		allowNegative: true,
		options: {
			pairs: { type: 'string', default: '24' },
			rounds: { type: 'string', default: String(ENOUGH_ROUNDS) },
			tokens: { type: 'string' },
			arrivals: { type: 'string', default: '10' },
			kills: { type: 'string', default: '24' },
			alarms: { type: 'string', default: '0' },
			jobs: { type: 'string', default: String(ENOUGH_JOBS) },
			force: { type: 'boolean', default: false },
			keep: { type: 'boolean', default: true }
		}
	});
	const kind = KINDS.find((each) => each === (positionals[0] ?? 'walk'));
	if (positionals.length > 1 || kind === undefined) throw new TypeError(`There are ${KINDS.join(', ')}.`);
	const count = (
		name: 'pairs' | 'rounds' | 'tokens' | 'arrivals' | 'kills' | 'alarms' | 'jobs',
		least = 1,
		most = 400
	) => {
		const number = Number(values[name] ?? TOKENS[kind]);
		if (!Number.isInteger(number) || number < least || number > most)
			throw new TypeError(`--${name} is a number from ${least} to ${most}.`);
		return number;
	};
	return {
		kind,
		pairs: count('pairs'),
		rounds: count('rounds'),
		tokens: count('tokens'),
		arrivals: count('arrivals'),
		kills: count('kills', 0),
		alarms: count('alarms', 0),
		jobs: count('jobs', 1, 20_000),
		force: values.force,
		keep: values.keep
	} as const;
}

type Chosen = ReturnType<typeof options>;

async function main(argv: string[]): Promise<number> {
	let chosen: Chosen;
	try {
		chosen = options(argv);
	} catch (error) {
		console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
		return 2;
	}
	const loadBefore = loadAverage();
	if (loadBefore > IDLE_LOAD && !chosen.force) {
		console.error(
			`The machine is busy (load average ${loadBefore.toFixed(2)}, at most ${IDLE_LOAD}). ` +
				'Wait, or add --force: the result will say so.'
		);
		return 3;
	}
	const startedAt = new Date().toISOString();
	const circumstances = (): Circumstances => ({
		startedAt,
		endedAt: new Date().toISOString(),
		loadBefore,
		loadAfter: loadAverage(),
		busyAtStart: loadBefore > IDLE_LOAD
	});
	const { kept, page, enough } = await MEASURES[chosen.kind](chosen, circumstances);
	const formatted = await format(page, 'markdown');
	console.log(formatted);
	if (!chosen.keep) return 0;
	if (chosen.kind === 'failover') await writeFile(KEPT.replace('.jsonl', '.md'), formatted);
	if (chosen.kind === 'failover' || !enough) return 0;
	console.error(`kept as ${await keep(chosen.kind, kept, formatted)}.json and .md`);
	return 0;
}

/** What one kind of bench found: with its circumstances, as a page, and whether it is enough to keep. */
interface Found {
	readonly kept: Circumstances;
	readonly page: string;
	readonly enough: boolean;
}

const tell = (line: string) => console.error(line);

async function walk(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureWalk({ ...chosen, tell });
	const kept = { ...circumstances(), ...result };
	return { kept, page: report(kept), enough: chosen.pairs >= ENOUGH_PAIRS };
}

async function engines(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureEngines({ ...chosen, tell });
	const kept = { ...circumstances(), ...result };
	return { kept, page: reportEngines(kept), enough: chosen.rounds >= ENOUGH_ROUNDS };
}

async function failover(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const busy = circumstances().busyAtStart;
	const { lines, machine } = await measureFailover({ ...chosen, busy, tell });
	return { kept: circumstances(), page: reportFailover(lines, machine), enough: true };
}

async function soak(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureSoak({ ...chosen, tell });
	const kept = { ...circumstances(), ...result };
	return { kept, page: reportSoak(kept), enough: chosen.jobs >= ENOUGH_JOBS };
}

async function ui(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureUi({ ...chosen, tell });
	const kept = { ...circumstances(), ...result };
	return { kept, page: reportUi(kept), enough: chosen.rounds >= ENOUGH_ROUNDS };
}

async function release(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureRelease(path.join(ROOT, 'build'), chosen.rounds, tell);
	return {
		kept: { ...circumstances(), ...result },
		page: reportRelease(result),
		enough: chosen.rounds >= ENOUGH_ROUNDS
	};
}

async function lighthouse(chosen: Chosen, circumstances: () => Circumstances): Promise<Found> {
	const result = await measureLighthouse(chosen.rounds, tell);
	const kept = { ...circumstances(), ...result };
	return { kept, page: reportLighthouse(kept), enough: chosen.rounds >= ENOUGH_ROUNDS };
}

const MEASURES = { walk, engines, failover, soak, ui, release, lighthouse } as const;

process.exitCode = await main(process.argv.slice(2));
