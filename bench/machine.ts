/** What a number was measured on. A number without it is hearsay. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

export interface Machine {
	readonly cpu: string;
	readonly cores: number;
	readonly memoryGiB: number;
	readonly system: string;
	readonly node: string;
	readonly chromium: string;
	readonly commit: string;
	/** Files of this checkout that were not as committed; other people's work in progress may be among them. */
	readonly changed: readonly string[];
}

export function machine(root: string, chromium: string): Machine {
	const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' }).trimEnd();
	return {
		cpu: os.cpus()[0]?.model ?? 'unknown',
		cores: os.availableParallelism(),
		memoryGiB: Math.round(os.totalmem() / 2 ** 30),
		system: `${os.type()} ${os.release()} ${os.arch()}`,
		node: process.version,
		chromium,
		commit: git('rev-parse', 'HEAD'),
		changed: git('status', '--porcelain')
			.split('\n')
			.filter((line) => line !== '')
			.map((line) => line.slice(3))
	};
}

/** Processes that wanted a core, on average over the last minute. */
export function loadAverage(): number {
	return os.loadavg()[0] ?? Number.NaN;
}

/** CPU time of the whole machine so far, in ticks; the difference of two tells how busy it was between them. */
export interface CpuTime {
	readonly busy: number;
	readonly all: number;
}

/** Linux only; elsewhere undefined, and nothing is said about it. */
export function cpuTime(): CpuTime | undefined {
	try {
		const [, ...ticks] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/).map(Number);
		// user nice system idle iowait irq softirq steal; what follows is counted in the first two already.
		const counted = ticks.slice(0, 8);
		const all = counted.reduce((sum, each) => sum + each, 0);
		return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
	} catch {
		return undefined;
	}
}

/** Cores that were busy on average between two looks. */
export function busyCores(before: CpuTime | undefined, after: CpuTime | undefined): number | undefined {
	if (before === undefined || after === undefined || after.all === before.all) return undefined;
	return (os.cpus().length * (after.busy - before.busy)) / (after.all - before.all);
}
