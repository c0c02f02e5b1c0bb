/**
 * `npm run mutants -- --only WORD[,WORD] --with FILE[,FILE]`: every mutant of the sources whose path contains a word, against these files of
 * tests alone; prints those that none of them notices. For writing tests: the share that counts is of a sample of all (main.ts).
 */
import { join } from 'node:path';
import type { Tree } from './tree.ts';
import { Watcher } from './watcher.ts';

/** A run may take this many times what it takes with no mutant awake. */
const PATIENCE = 4;
const GRACE_MS = 4_000;

/** Resolves to how many nobody noticed. Throws when the tests fail without a mutant. */
export async function focus(tree: Tree, only: readonly string[], files: readonly string[]): Promise<number> {
	const watcher = new Watcher(tree.root);
	const queue = tree.mutants.filter(({ file }) => only.some((word) => file.includes(word)));
	const drawn = queue.length;
	const usual = new Map<string, number>();
	let left = 0;
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
			left++;
			const { file, line, kind, before, after } = mutant;
			const shown = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, 90);
			console.log(`${file}:${line} ${kind}: ${shown(before)} → ${shown(after)}`);
		}
	} finally {
		watcher.close();
	}
	console.log(`${drawn} mutants, ${left} not noticed`);
	return left;
}
