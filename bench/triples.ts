/** The same prompt answered here, by the mesh and by a plain server, in turns, with every other engine idle. */
import { setTimeout } from 'node:timers/promises';
import type { Page } from 'playwright';
import type { BenchPage } from './page/page.ts';
import { busyCores, cpuTime, loadAverage } from './machine.ts';
import { orderAt, type Ask, type Run, type Way } from './run.ts';
import type { Stage } from './stage.ts';

declare const bench: BenchPage;

/** One prompt answered in all three ways. */
export interface Triple {
	readonly order: readonly Way[];
	readonly runs: Readonly<Record<Way, Run>>;
	readonly loadAverage: number;
	/** Cores that were busy on average, ours and everybody else's; one engine with its page keeps a little over one busy. */
	readonly busyCores: number | undefined;
}

/** Between two answers: receipts are kept and countersigned, pages settle. */
const SETTLE_MS = 400;
/** Whole turns before counting: code is compiled, the pair is connected, caches are warm. */
const WARM_UPS = 2;

/**
 * The first words differ, so that no way can take over what it computed for the prompt before; the rest is the same, so that all cost alike.
 */
const SUBJECTS = [
	...['forests', 'rivers', 'bread', 'stars', 'bridges', 'winter', 'music', 'clocks', 'islands', 'paper', 'gardens'],
	...['trains', 'honey', 'maps', 'glass', 'clouds', 'salt', 'horses', 'lamps', 'markets', 'mountains', 'letters', 'tea']
];

export function promptAt(turn: number): string {
	return `${SUBJECTS[turn % SUBJECTS.length] as string}: please tell me a long and friendly story about that, with many small details.`;
}

/** Runs `pairs` triples of `tokens` tokens each on `asker`; somebody else must be contributing. Answers that failed are counted, not hidden. */
export async function measureTriples(
	asker: Page,
	stage: Stage,
	{ pairs, tokens, tell }: { readonly pairs: number; readonly tokens: number; readonly tell: (line: string) => void }
): Promise<{ readonly triples: readonly Triple[]; readonly failures: readonly string[] }> {
	const ways: Record<Way, (ask: Ask) => Promise<Run>> = {
		here: (ask) => asker.evaluate((wanted) => bench.here(wanted), ask),
		mesh: (ask) => asker.evaluate((wanted) => bench.mesh(wanted), ask),
		served: (ask) => asker.evaluate(([wanted, address]) => bench.served(wanted, address), [ask, stage.server] as const)
	};
	const triples: Triple[] = [];
	const failures: string[] = [];
	for (let turn = -WARM_UPS; triples.length < pairs; turn += 1) {
		const order = orderAt(turn + WARM_UPS);
		const before = cpuTime();
		const began = performance.now();
		const runs: Partial<Record<Way, Run>> = {};
		try {
			for (const way of order) {
				runs[way] = await ways[way]({ prompt: promptAt(turn + WARM_UPS), tokens });
				await setTimeout(SETTLE_MS);
			}
		} catch (error) {
			failures.push(`turn ${turn}: ${error instanceof Error ? error.message : String(error)}`);
			if (failures.length > Math.max(3, pairs / 4)) throw new Error(failures.join('\n'), { cause: error });
			continue;
		}
		if (turn < 0) continue;
		triples.push({
			order,
			runs: whole(runs, tokens),
			loadAverage: loadAverage(),
			busyCores: busyCores(before, cpuTime())
		});
		tell(`${triples.length} of ${pairs} in ${((performance.now() - began) / 1000).toFixed(1)} s`);
	}
	return { triples, failures };
}

function whole(runs: Partial<Record<Way, Run>>, tokens: number): Record<Way, Run> {
	const { here, mesh, served } = runs;
	if (here === undefined || mesh === undefined || served === undefined) throw new Error('a way is missing');
	for (const { way, tokensAt } of [here, mesh, served]) {
		if (tokensAt.length !== tokens) throw new Error(`${way} gave ${tokensAt.length} tokens instead of ${tokens}`);
	}
	return { here, mesh, served };
}
