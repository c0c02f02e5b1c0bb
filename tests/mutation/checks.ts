/** What may notice a mutant: each check is a process that ends with 0 when it noticed nothing. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** Set for a run that shall write down which mutants it would have run; the folder to write into. */
export const COVERAGE = 'FIREWEED_MUTANT_COVERAGE';
/** Stryker's own name for the mutant that is awake. */
const ACTIVE = '__STRYKER_ACTIVE_MUTANT__';

export interface Check {
	readonly name: string;
	readonly by: 'simulator' | 'unit';
	readonly command: readonly [string, ...string[]];
}

export interface Outcome {
	readonly noticed: boolean;
	readonly timedOut: boolean;
	readonly ms: number;
	readonly output: string;
}

/** Kept of what a check prints. */
const OUTPUT_BYTES = 4_000;

/** The simulator's small runs. */
export const SIMULATOR: Check = {
	name: 'simulator',
	by: 'simulator',
	command: [process.execPath, 'tests/mutation/simulate.ts']
};

/** One file of tests: the simulator's own, or unit tests. */
export const testFile = (file: string): Check => ({
	name: file,
	by: file.startsWith('tests/sim/') ? 'simulator' : 'unit',
	command: [
		...[process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--config', 'tests/mutation/vitest.config.ts'],
		...['--bail', '1', file]
	] as [string, ...string[]]
});

/** Runs a check in the tree, with this mutant awake (none when undefined). */
export async function perform(
	check: Check,
	root: string,
	mutant: string | undefined,
	limitMs: number,
	coverage?: string
): Promise<Outcome> {
	const [file, ...given] = check.command;
	const begun = performance.now();
	const child = spawn(file, given, {
		cwd: root,
		detached: true,
		stdio: ['ignore', 'pipe', 'pipe'],
		env: {
			...process.env,
			NODE_OPTIONS: '',
			...(mutant === undefined ? {} : { [ACTIVE]: mutant }),
			...(coverage === undefined ? {} : { [COVERAGE]: coverage })
		}
	});
	let output = '';
	const hear = (bytes: Buffer) => (output = (output + bytes.toString('utf8')).slice(-OUTPUT_BYTES));
	child.stdout.on('data', hear);
	child.stderr.on('data', hear);
	let timedOut = false;
	const timer = setTimeout(() => {
		timedOut = true;
		// The whole group: a test runner's workers spin on when their parent goes.
		if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
	}, limitMs);
	const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
	clearTimeout(timer);
	return { noticed: code !== 0, timedOut, ms: performance.now() - begun, output };
}

/** Which mutants a check runs at all, and how long it takes with none awake. Throws when it fails by itself. */
export async function survey(
	check: Check,
	root: string
): Promise<{ readonly ids: readonly string[]; readonly ms: number }> {
	const folder = join(root, 'coverage');
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder);
	const { noticed, ms, output } = await perform(check, root, undefined, 600_000, folder);
	if (noticed) throw new Error(`${check.name} fails without any mutant:\n${output}`);
	const lists = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as string[]);
	return { ids: [...new Set(lists.flat())], ms };
}
