/**
 * `npm run mutants -- [--sample N] [--seed WORD] [--fresh]`: changes the story and the market in small ways, one at a time, and counts
 * which changes the simulator notices, and which of the rest the unit tests do. Interrupted, it goes on where it was.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { SeededRandom } from '../doubles/chance.ts';
import { perform, SIMULATOR, survey, testFile, type Check } from './checks.ts';
import { report, type Verdict } from './report.ts';
import { draw } from './sample.ts';
import { plantMutants, type Mutant } from './tree.ts';

const { values: given } = parseArgs({
	options: {
		sample: { type: 'string', default: '400' },
		seed: { type: 'string', default: 'ash' },
		fresh: { type: 'boolean', default: false }
	}
});
const place = '.fireweed/mutants';
if (given.fresh) rmSync(place, { recursive: true, force: true });
mkdirSync(place, { recursive: true });
const checkout = process.cwd();
const tree = await plantMutants(checkout, join(checkout, place, 'tree'));
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
if (existsSync(kept)) {
	for (const line of readFileSync(kept, 'utf8').split('\n').filter(Boolean)) {
		const verdict = JSON.parse(line) as Verdict & { digest: string };
		if (verdict.digest === tree.digest) verdicts.set(verdict.mutant.id, verdict);
	}
}
const queue = sample.filter(({ id }) => !verdicts.has(id));
await Promise.all(
	Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
		for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
			const verdict = await judge(mutant);
			verdicts.set(mutant.id, verdict);
			appendFileSync(kept, `${JSON.stringify({ ...verdict, digest: tree.digest })}\n`);
			console.log(
				`${verdicts.size}/${sample.length} ${mutant.file}:${mutant.line} ${mutant.kind}: ${verdict.by ?? 'NOT NOTICED'}`
			);
		}
	})
);
const page = report(
	sample.map(({ id }) => verdicts.get(id) as Verdict),
	tree.mutants.length,
	given.seed
);
writeFileSync(join(place, 'report.md'), page);
console.log(page);

async function judge(mutant: Mutant): Promise<Verdict> {
	const begun = performance.now();
	const able = surveyed.filter(({ runs }) => runs.has(mutant.id));
	for (const { check, ms } of able) {
		const { noticed, timedOut } = await perform(check, tree.root, mutant.id, PATIENCE * ms + GRACE_MS);
		if (noticed)
			return { mutant, by: check.by, check: check.name, timedOut, ran: able.length, ms: performance.now() - begun };
	}
	return { mutant, by: undefined, check: undefined, timedOut: false, ran: able.length, ms: performance.now() - begun };
}

/** The simulator first, then unit tests, the quickest first; those that run no mutant at all are left out. */
async function surveyAll(): Promise<readonly Surveyed[]> {
	const note = join(place, 'survey.json');
	if (existsSync(note)) {
		const found = JSON.parse(readFileSync(note, 'utf8')) as {
			digest: string;
			list: { check: Check; ms: number; ids: string[] }[];
		};
		if (found.digest === tree.digest)
			return found.list.map(({ check, ms, ids }) => ({ check, ms, runs: new Set(ids) }));
	}
	const folders = ['tests/unit', 'tests/sim', 'tests/compliance'];
	const files = folders.flatMap((folder) =>
		readdirSync(folder)
			.filter((name) => /^(?!.*\.(browser|gpu)\.).*\.test\.ts$/.test(name))
			.map((name) => `${folder}/${name}`)
	);
	const list: { check: Check; ms: number; ids: readonly string[] }[] = [];
	for (const check of [SIMULATOR, ...files.map(testFile)]) {
		const { ids, ms } = await survey(check, tree.root);
		console.log(`${check.name}: runs ${ids.length} mutants in ${Math.round(ms)} ms`);
		if (ids.length > 0) list.push({ check, ms, ids });
	}
	const order = (check: Check) => (check.by === 'simulator' ? 0 : 1);
	list.sort((a, b) => order(a.check) - order(b.check) || a.ms - b.ms);
	writeFileSync(note, JSON.stringify({ digest: tree.digest, list }));
	return list.map(({ check, ms, ids }) => ({ check, ms, runs: new Set(ids) }));
}
