/**
 * Makes a failing script small: leaves out jobs, faults and nodes, half of them, a quarter, one by one, as long as the same invariant still
 * fails (delta debugging, Zeller and Hildebrandt 2002). What is left is what to read.
 */
import { kept, type Keep, type Script } from './script.ts';

/** Whether the run of that script still fails in the same way. */
export type Fails = (script: Script) => Promise<boolean>;

export interface Shrunk {
	readonly keep: Required<Keep>;
	readonly script: Script;
	/** Runs it took. */
	readonly runs: number;
}

/** In this order: without its jobs a fault does little, and without both most nodes do nothing. */
const PARTS = ['jobs', 'faults', 'nodes'] as const;

/** `most`: runs after which the smallest found so far is good enough. */
export async function shrink(whole: Script, fails: Fails, most = 300): Promise<Shrunk> {
	let keep: Required<Keep> = {
		nodes: whole.nodes.map(({ id }) => id),
		jobs: whole.jobs.map(({ id }) => id),
		faults: whole.faults.map(({ id }) => id)
	};
	let runs = 0;
	const still = async (other: Keep) => {
		runs++;
		return fails(kept(whole, other));
	};
	for (let smaller = true; smaller && runs < most;) {
		smaller = false;
		for (const part of PARTS) {
			const list = keep[part] ?? [];
			for (let size = Math.max(1, list.length >> 1); size >= 1 && runs < most; size = size === 1 ? 0 : size >> 1) {
				for (let at = 0; at < (keep[part] ?? []).length && runs < most;) {
					const now = keep[part] ?? [];
					const fewer = { ...keep, [part]: [...now.slice(0, at), ...now.slice(at + size)] };
					if (await still(fewer)) {
						keep = fewer;
						smaller = true;
					} else at += size;
				}
			}
		}
	}
	const script = kept(whole, keep);
	// Jobs of nodes that went are gone too.
	return { keep: { ...keep, jobs: script.jobs.map(({ id }) => id) }, script, runs };
}

/** How to run just that again. */
export function command(
	script: Script,
	wanted: { readonly nodes: number; readonly minutes: number },
	keep: Keep
): string {
	const list = (name: string, ids: readonly number[] | undefined) =>
		ids === undefined ? '' : ` --keep-${name} ${ids.length === 0 ? 'none' : ids.join(',')}`;
	const { seed, scenario } = script;
	return (
		`npm run sim -- --seed ${seed} --nodes ${wanted.nodes} --minutes ${wanted.minutes} --scenario ${scenario}` +
		list('nodes', keep.nodes) +
		list('jobs', keep.jobs) +
		list('faults', keep.faults)
	);
}
