/**
 * `npm run mutants -- --only WORD[,WORD] --with FILE[,FILE]`: every mutant of the sources whose path contains a word, against these files of
 * tests alone; prints those that none of them notices. With `--left`, only those that nobody noticed the last time. For writing tests: the
 * share that counts is of a sample of all (main.ts).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tree } from './tree.ts';
import { Watcher } from './watcher.ts';

/** A run may take this many times what it takes with no mutant awake. */
const PATIENCE = 4;
const GRACE_MS = 4_000;

export interface Focus {
	/** Parts of paths of sources. */
	readonly only: readonly string[];
	/** Files of tests. */
	readonly files: readonly string[];
	/** Only what nobody noticed the last time. */
	readonly left: boolean;
	/** Where those are written down. */
	readonly note: string;
}

/** Resolves when all were tried. Throws when the tests fail without a mutant. */
export async function focus(tree: Tree, { only, files, left, note }: Focus): Promise<void> {
	const watcher = new Watcher(tree.root);
	const before = left && existsSync(note) ? new Set(JSON.parse(readFileSync(note, 'utf8')) as string[]) : undefined;
	const queue = tree.mutants.filter(
		({ file, id }) => only.some((word) => file.includes(word)) && (before?.has(id) ?? true)
	);
	const drawn = queue.length;
	const usual = new Map<string, number>();
	const survivors: string[] = [];
	try {
		for (const file of files) {
			// Twice: the first compiles.
			for (const _ of [1, 2]) {
				const { noticed, ms, output } = await watcher.perform(
					{ file: join(tree.root, file), mutant: undefined },
					300_000
				);
				if (noticed) throw new Error(`${file} fails without any mutant:\n${output}`);
				usual.set(file, ms);
			}
		}
		for (const mutant of queue) {
			let noticed = false;
			for (const file of files) {
				const limit = PATIENCE * (usual.get(file) ?? 0) + GRACE_MS;
				({ noticed } = await watcher.perform({ file: join(tree.root, file), mutant: mutant.id }, limit));
				if (noticed) break;
			}
			if (noticed) continue;
			survivors.push(mutant.id);
			const { file, line, kind } = mutant;
			const shown = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, 90);
			console.log(`${file}:${line} ${kind}: ${shown(mutant.before)} → ${shown(mutant.after)}`);
		}
	} finally {
		watcher.close();
	}
	writeFileSync(note, JSON.stringify(survivors));
	console.log(`${drawn} mutants, ${survivors.length} not noticed`);
}
