/**
 * `npm run bench -- [walk | engines] …`: measures, prints, and keeps the result with its method in bench/results. A busy machine is
 * refused, because its numbers would be about the other work.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { measureEngines } from './engines/measure.ts';
import { reportEngines } from './engines/report.ts';
import { format, keep, type Circumstances } from './kept.ts';
import { loadAverage } from './machine.ts';
import { report } from './report.ts';
import { measureWalk } from './walk.ts';

const USAGE =
	'Usage: npm run bench -- [walk] [--pairs N] [--tokens N] [--arrivals N] [--force] [--no-keep]\n' +
	'       npm run bench -- engines [--rounds N] [--tokens N] [--force] [--no-keep]\n' +
	'Fewer than 20 pairs or 5 rounds are for trying it out and are not kept.';

/** Of two cores one engine takes one; anything more than this beside it would be measured too. */
const IDLE_LOAD = 1.5;
/** Fewer say too little about a median; such a run is not kept. */
const ENOUGH_PAIRS = 20;
/** A round holds whole profiles and loads, whose times vary less than those over a network. */
const ENOUGH_ROUNDS = 5;
/** Tokens of an answer, where nothing is said. */
const TOKENS = { walk: 200, engines: 128 } as const;

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
			force: { type: 'boolean', default: false },
			keep: { type: 'boolean', default: true }
		}
	});
	const kind = positionals[0] ?? 'walk';
	if (positionals.length > 1 || (kind !== 'walk' && kind !== 'engines'))
		throw new TypeError(`There are "walk" and "engines".`);
	const count = (name: 'pairs' | 'rounds' | 'tokens' | 'arrivals') => {
		const number = Number(values[name] ?? TOKENS[kind]);
		if (!Number.isInteger(number) || number < 1 || number > 400)
			throw new TypeError(`--${name} is a number from 1 to 400.`);
		return number;
	};
	return {
		kind,
		pairs: count('pairs'),
		rounds: count('rounds'),
		tokens: count('tokens'),
		arrivals: count('arrivals'),
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
	const { kept, page, enough } = await (chosen.kind === 'walk' ? walk : engines)(chosen, circumstances);
	const formatted = await format(page, 'markdown');
	console.log(formatted);
	if (!chosen.keep || !enough) return 0;
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

process.exitCode = await main(process.argv.slice(2));
