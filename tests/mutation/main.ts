/**
 * `npm run mutants -- [--sample N] [--seed WORD] [--fresh]`: changes the story and the market in small ways, one at a time, and counts
 * which changes the simulator notices, and which of the rest the unit tests do. Interrupted, it goes on where it was.
 * With `--only WORD,… --with FILE,…`, the changes of a few sources against a few files of tests (focus.ts).
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../doubles/chance.ts';
import { perform, SIMULATOR, survey, testFile, type Check } from './checks.ts';
import { focus } from './focus.ts';
import { report, type Verdict } from './report.ts';
import { draw } from './sample.ts';
import { plantMutants, type Mutant } from './tree.ts';
import { Watcher } from './watcher.ts';

const { values: given } = parseArgs({
	options: {
		sample: { type: 'string', default: '400' },
		seed: { type: 'string', default: 'ash' },
		fresh: { type: 'boolean', default: false },
		only: { type: 'string' },
		with: { type: 'string' },
		left: { type: 'boolean', default: false }
	}
});
const place = '.fireweed/mutants';
if (given.fresh) rmSync(place, { recursive: true, force: true });
mkdirSync(place, { recursive: true });
const checkout = process.cwd();
const tree = await plantMutants(checkout, join(checkout, place, 'tree'));
if (given.only !== undefined) {
	const listed = (text: string) => text.split(',').filter((word) => word !== '');
	await focus(tree, {
		...{ only: listed(given.only), files: listed(given.with ?? ''), left: given.left },
		note: join(place, 'left.json')
	});
	process.exit();
}
const random = new SeededRandom(`mutants/${given.seed}`);
const sample = draw(tree.mutants, Number(given.sample), (n) => random.below(n));
console.log(`${tree.mutants.length} mutants, ${sample.length} drawn with seed ${given.seed}`);

/** A check that runs this many times longer than without a mutant has lost its way, which is noticing too. */
const PATIENCE = 4;
const GRACE_MS = 15_000;

interface Surveyed {
	readonly check: Check;
	readonly ms: number;
	readonly runs: ReadonlySet<string>;
}

const surveyed = await surveyAll();
const kept = join(place, `verdicts-${given.seed}.jsonl`);
const verdicts = new Map<string, Verdict>();
for (const verdict of read<Verdict & { digest: string }>(kept))
	if (verdict.digest === tree.digest) verdicts.set(verdict.mutant.id, verdict);
const queue = sample.filter(({ id }) => !verdicts.has(id));
await Promise.all(
	Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
		const watcher = new Watcher(tree.root);
		for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
			const verdict = await judge(mutant, watcher);
			verdicts.set(mutant.id, verdict);
			appendFileSync(kept, `${JSON.stringify({ ...verdict, digest: tree.digest })}\n`);
			console.log(
				`${verdicts.size}/${sample.length} ${mutant.file}:${mutant.line} ${mutant.kind}: ${verdict.by ?? 'NOT NOTICED'}`
			);
		}
		watcher.close();
	})
);
const page = report(
	sample.map(({ id }) => verdicts.get(id) as Verdict),
	tree.mutants.length,
	given.seed
);
writeFileSync(join(place, 'report.md'), page);
console.log(page);

async function judge(mutant: Mutant, watcher: Watcher): Promise<Verdict> {
	const begun = performance.now();
	const able = surveyed.filter(({ runs }) => runs.has(mutant.id));
	for (const { check, ms } of able) {
		const limitMs = PATIENCE * ms + GRACE_MS;
		const { noticed, timedOut } = await (check.name === SIMULATOR.name
			? perform(check, tree.root, mutant.id, limitMs)
			: watcher.perform({ file: join(tree.root, check.name), mutant: mutant.id }, limitMs));
		if (noticed)
			return { mutant, by: check.by, check: check.name, timedOut, ran: able.length, ms: performance.now() - begun };
	}
	return { mutant, by: undefined, check: undefined, timedOut: false, ran: able.length, ms: performance.now() - begun };
}

interface Row {
	readonly digest: string;
	readonly check: Check;
	readonly ms: number;
	readonly ids: readonly string[];
}

/** The simulator's small runs first, then files of tests, the quickest first; those that run no mutant at all are left out. */
async function surveyAll(): Promise<readonly Surveyed[]> {
	const note = join(place, 'survey.jsonl');
	const rows = read<Row>(note).filter(({ digest }) => digest === tree.digest);
	const folders = ['tests/unit', 'tests/sim', 'tests/compliance'];
	const files = folders.flatMap((folder) =>
		readdirSync(folder)
			.filter((name) => /^(?!.*\.(browser|gpu)\.).*\.test\.ts$/.test(name))
			.map((name) => `${folder}/${name}`)
	);
	for (const check of [SIMULATOR, ...files.map(testFile)]) {
		if (rows.some((row) => row.check.name === check.name)) continue;
		const { ids, ms } = await survey(check, tree.root);
		console.log(`${check.name}: runs ${ids.length} mutants in ${Math.round(ms)} ms`);
		const row: Row = { digest: tree.digest, check, ms, ids };
		rows.push(row);
		appendFileSync(note, `${JSON.stringify(row)}\n`);
	}
	// The simulator's tests of minutes come when nothing quicker has noticed.
	const order = (check: Check) => (check.name === SIMULATOR.name ? 0 : 1);
	return rows
		.filter(({ ids }) => ids.length > 0)
		.sort((a, b) => order(a.check) - order(b.check) || a.ms - b.ms)
		.map(({ check, ms, ids }) => ({ check, ms, runs: new Set(ids) }));
}

/** The lines of a file of JSON; none when there is no file. A last line that was broken off is left out. */
function read<T>(file: string): T[] {
	if (!existsSync(file)) return [];
	return readFileSync(file, 'utf8')
		.split('\n')
		.slice(0, -1)
		.map((line) => JSON.parse(line) as T);
}
