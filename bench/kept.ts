/** A result and the circumstances of its run, as it is kept in bench/results: a page to read, and the raw samples beside it. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import prettier from 'prettier';
import { ROOT } from '../scripts/bootstrap.mjs';

export interface Circumstances {
	readonly startedAt: string;
	readonly endedAt: string;
	readonly loadBefore: number;
	readonly loadAfter: number;
	/** It was run all the same, with --force. */
	readonly busyAtStart: boolean;
}

/** Writes both files and resolves to their name without its end. An earlier result of the day is never written over. */
export async function keep(kind: string, kept: Circumstances, page: string): Promise<string> {
	const folder = path.join(ROOT, 'bench/results');
	await mkdir(folder, { recursive: true });
	const name = await unused(path.join(folder, `${kept.startedAt.slice(0, 10)}-${kind}`));
	await writeFile(`${name}.json`, await format(JSON.stringify(kept, rounded), 'json'));
	await writeFile(`${name}.md`, page);
	return path.relative(ROOT, name);
}

/** As `npm run format` would leave it: kept results are files of the house like any other. */
export async function format(text: string, parser: 'json' | 'markdown'): Promise<string> {
	return prettier.format(text, { ...(await prettier.resolveConfig(path.join(ROOT, 'package.json'))), parser });
}

/** The name itself, or with a number behind it. */
async function unused(name: string): Promise<string> {
	const taken = new Set(await readdir(path.dirname(name)));
	const free = (candidate: string) => !taken.has(`${path.basename(candidate)}.json`);
	let candidate = name;
	for (let number = 2; !free(candidate); number += 1) candidate = `${name}-${number}`;
	return candidate;
}

/** A hundredth of a millisecond is finer than any clock here. */
function rounded(_key: string, value: unknown): unknown {
	return typeof value === 'number' ? Math.round(value * 100) / 100 : value;
}
