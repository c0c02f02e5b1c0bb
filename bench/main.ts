/**
 * `npm run bench -- [walk] [--pairs N] [--tokens N] [--arrivals N] [--force] [--no-keep]`: measures, prints, and keeps the result with its
 * method in bench/results. A busy machine is refused, because its numbers would be about the other work.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import prettier from 'prettier';
import { ROOT } from '../scripts/bootstrap.mjs';
import { loadAverage } from './machine.ts';
import { report } from './report.ts';
import { measureWalk } from './walk.ts';

const USAGE =
	'Usage: npm run bench -- [walk] [--pairs N] [--tokens N] [--arrivals N] [--force] [--no-keep]\n' +
	'Fewer than 20 pairs are for trying it out and are not kept.';

/** Of two cores one engine takes one; anything more than this beside it would be measured too. */
const IDLE_LOAD = 1.5;
/** Fewer say too little about a median; such a run is not kept. */
const ENOUGH_PAIRS = 20;

function options(argv: string[]) {
	const { values, positionals } = parseArgs({
		args: argv,
		allowPositionals: true,
		allowNegative: true,
		options: {
			pairs: { type: 'string', default: '24' },
			tokens: { type: 'string', default: '200' },
			arrivals: { type: 'string', default: '10' },
			force: { type: 'boolean', default: false },
			keep: { type: 'boolean', default: true }
		}
	});
	if (positionals.length > 1 || (positionals[0] ?? 'walk') !== 'walk') throw new TypeError(`There is only "walk".`);
	const count = (name: 'pairs' | 'tokens' | 'arrivals') => {
		const number = Number(values[name]);
		if (!Number.isInteger(number) || number < 1 || number > 400)
			throw new TypeError(`--${name} is a number from 1 to 400.`);
		return number;
	};
	return {
		pairs: count('pairs'),
		tokens: count('tokens'),
		arrivals: count('arrivals'),
		force: values.force,
		keep: values.keep
	};
}

async function main(argv: string[]): Promise<number> {
	let chosen: ReturnType<typeof options>;
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
	const startedAt = new Date();
	const result = await measureWalk({ ...chosen, tell: (line) => console.error(line) });
	const kept = {
		startedAt: startedAt.toISOString(),
		endedAt: new Date().toISOString(),
		loadBefore,
		loadAfter: loadAverage(),
		busyAtStart: loadBefore > IDLE_LOAD,
		...result
	};
	const page = await format(report(kept), 'markdown');
	console.log(page);
	if (!chosen.keep || chosen.pairs < ENOUGH_PAIRS) return 0;
	const folder = path.join(ROOT, 'bench/results');
	await mkdir(folder, { recursive: true });
	const name = await unused(path.join(folder, `${startedAt.toISOString().slice(0, 10)}-walk`));
	await writeFile(`${name}.json`, await format(JSON.stringify(kept, rounded), 'json'));
	await writeFile(`${name}.md`, page);
	console.error(`kept as ${path.relative(ROOT, name)}.json and .md`);
	return 0;
}

/** The name itself, or with a number behind it: an earlier result of the day is never written over. */
async function unused(name: string): Promise<string> {
	const taken = new Set(await readdir(path.dirname(name)));
	const free = (candidate: string) => !taken.has(`${path.basename(candidate)}.json`);
	let candidate = name;
	for (let number = 2; !free(candidate); number += 1) candidate = `${name}-${number}`;
	return candidate;
}

/** As `npm run format` would leave it: kept results are files of the house like any other. */
async function format(text: string, parser: 'json' | 'markdown'): Promise<string> {
	return prettier.format(text, { ...(await prettier.resolveConfig(path.join(ROOT, 'package.json'))), parser });
}

/** A hundredth of a millisecond is finer than any clock here. */
function rounded(_key: string, value: unknown): unknown {
	return typeof value === 'number' ? Math.round(value * 100) / 100 : value;
}

process.exitCode = await main(process.argv.slice(2));
