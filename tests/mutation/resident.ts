/**
 * A process that keeps vitest's compiled files and runs one file of tests after another, each with the mutant that it is told of awake:
 * a second a run, where a new process takes three. Its parent sends `Order`s and gets `Result`s; it is killed when a mutant never ends.
 */
import process from 'node:process';
import { createVitest } from 'vitest/node';
import { MUTANT } from './awake.ts';

/** What the parent sends. */
export interface Order {
	readonly file: string;
	/** No mutant is awake when undefined. */
	readonly mutant: string | undefined;
}

/** What it gets back. */
export interface Result {
	readonly failed: boolean;
	/** What failed, for reading. */
	readonly why: string;
}

const vitest = await createVitest({
	...{ run: true, watch: false, bail: 1, reporters: [], silent: true },
	config: 'tests/mutation/vitest.config.ts'
});
await vitest.standalone();

process.on('message', (order: Order) => {
	void perform(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function perform({ file, mutant }: Order): Promise<Result> {
	vitest.provide(MUTANT, mutant ?? '');
	const specifications = await vitest.globTestSpecifications([file]);
	const { testModules: all, unhandledErrors } = await vitest.runTestSpecifications(specifications);
	// Vitest hands back what it still knows of files that ran before, too: their failures are not this one's.
	const asked = new Set(specifications.map(({ moduleId }) => moduleId));
	const testModules = all.filter(({ moduleId }) => asked.has(moduleId));
	const errors = [
		...testModules.flatMap((module) => [
			...module.errors(),
			...[...module.children.allTests('failed')].flatMap((test) => test.result().errors ?? [])
		]),
		...unhandledErrors
	];
	const failed = errors.length > 0 || testModules.length === 0 || testModules.some((module) => !module.ok());
	return { failed, why: errors.map((error) => String((error as Error).message)).join('\n') };
}
