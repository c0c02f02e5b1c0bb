/**
 * A copy of the checkout whose story and market hold every mutant at once, each asleep until its number is named in the environment
 * (mutant switching: https://stryker-mutator.io/docs/stryker-js/how-does-it-work). What a mutant is, Stryker's instrumenter decides.
 */
import { Instrumenter, type File } from '@stryker-mutator/instrumenter';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Files that are changed: the story and the market. The fixed answers are left out: they are tables of words, judged by what they recognise (spec/fixed-answers.md). */
const MUTATED = /^src\/lib\/(node|market)\/(?!fixed)[\w-]+\.ts$/;

/**
 * Left out: a text put to nothing. Most texts here are the detail of a refusal or a line of the log, which nothing may depend on; the rest
 * are members of closed unions, where the compiler refuses the change before any test could.
 */
const LEFT_OUT = ['StringLiteral'];

/** One change of one place. */
export interface Mutant {
	/** What the environment names. */
	readonly id: string;
	readonly file: string;
	/** From 1. */
	readonly line: number;
	/** Stryker's name of the kind of change. */
	readonly kind: string;
	readonly before: string;
	readonly after: string;
}

export interface Tree {
	readonly root: string;
	/** Of the sources and the tests it was made from. */
	readonly digest: string;
	/** In order of file and place. */
	readonly mutants: readonly Mutant[];
}

const LOGGER = {
	...{ isTraceEnabled: no, isDebugEnabled: no, isInfoEnabled: no, isWarnEnabled: no, isErrorEnabled: no },
	...{ isFatalEnabled: no, trace: no, debug: no, info: no, warn: no, error: no, fatal: no }
};
function no(): false {
	return false;
}

/** Copies what git knows or would add in `checkout` into `root`, instrumented. A tree of the very same sources is used again, with the tests as they are now. */
export async function plantMutants(checkout: string, root: string): Promise<Tree> {
	const tracked = execFileSync('git', ['ls-files', '-zco', '--exclude-standard'], {
		cwd: checkout,
		encoding: 'utf8',
		maxBuffer: 1 << 26
	});
	const files = tracked.split('\0').filter((file) => file !== '' && existsSync(join(checkout, file)));
	const digestOf = (which: RegExp): string => {
		const print = createHash('sha256');
		for (const file of files.filter((each) => which.test(each)))
			print.update(file).update(readFileSync(join(checkout, file)));
		return print.digest('hex');
	};
	const digest = digestOf(/^(src|tests|workers|package\.json)/);
	const sources = digestOf(/^(src|workers|package\.json)/);
	const copy = (file: string): void => {
		mkdirSync(dirname(join(root, file)), { recursive: true });
		cpSync(join(checkout, file), join(root, file));
	};
	const note = join(root, 'mutants.json');
	if (existsSync(note)) {
		const kept = JSON.parse(readFileSync(note, 'utf8')) as { sources: string; mutants: readonly Mutant[] };
		if (kept.sources === sources) {
			rmSync(join(root, 'tests'), { recursive: true, force: true });
			for (const file of files.filter((each) => each.startsWith('tests/'))) copy(file);
			return { root, digest, mutants: kept.mutants };
		}
	}
	rmSync(root, { recursive: true, force: true });
	for (const file of files) copy(file);
	symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'));
	if (existsSync(join(checkout, '.svelte-kit')))
		cpSync(join(checkout, '.svelte-kit'), join(root, '.svelte-kit'), { recursive: true });

	const given: File[] = files
		.filter((file) => MUTATED.test(file))
		.map((name) => ({
			name,
			mutate: true,
			content: readFileSync(join(checkout, name), 'utf8')
		}));
	const instrumenter = new Instrumenter(LOGGER);
	const done = await instrumenter.instrument(given, { plugins: null, excludedMutations: LEFT_OUT, ignorers: [] });
	for (const { name, content } of done.files) writeFileSync(join(root, name), content);
	const text = new Map(given.map(({ name, content }) => [name, content]));
	const meant = done.mutants.filter(({ status }) => status !== 'Ignored');
	const mutants = meant.map(({ id, fileName, location, mutatorName, replacement }): Mutant => {
		const { start, end } = location;
		const lines = (text.get(fileName) ?? '').split('\n').slice(start.line, end.line + 1);
		lines[lines.length - 1] = (lines.at(-1) ?? '').slice(0, end.column);
		lines[0] = (lines[0] ?? '').slice(start.column);
		const before = lines.join('\n');
		return { id, file: fileName, line: start.line + 1, kind: mutatorName, before, after: replacement };
	});
	writeFileSync(note, JSON.stringify({ sources, mutants }));
	return { root, digest, mutants };
}
