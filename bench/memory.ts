/** Memory of a browser's processes, as the operating system counts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { residentOf } from './engines/memory.ts';

/** Resident memory of the renderers below the process `root`, in bytes, the largest first. Linux only; elsewhere empty. */
export function rendererMemory(root: number): number[] {
	const parents = new Map<number, number>();
	const sizes: { readonly pid: number; readonly bytes: number }[] = [];
	for (const name of entries()) {
		const pid = Number(name);
		const parent = field(pid, 'PPid');
		if (parent === undefined) continue;
		parents.set(pid, parent);
		if (!commandLine(pid).includes('--type=renderer')) continue;
		sizes.push({ pid, bytes: residentOf(pid)?.now ?? 0 });
	}
	const below = (pid: number): boolean => pid === root || (pid > 1 && below(parents.get(pid) ?? 0));
	return sizes
		.filter(({ pid }) => below(pid))
		.map(({ bytes }) => bytes)
		.sort((a, b) => b - a);
}

function entries(): string[] {
	try {
		return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	} catch {
		return [];
	}
}

/** A number of /proc/<pid>/status; undefined when the process is gone. */
function field(pid: number, name: string): number | undefined {
	try {
		const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
		return found?.[1] === undefined ? undefined : Number(found[1]);
	} catch {
		return undefined;
	}
}

function commandLine(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
	} catch {
		return '';
	}
}
