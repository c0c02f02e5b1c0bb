/**
 * The walk, measured: decode rate and first token here, over the mesh and from a plain server; what a newcomer waits for; what the first
 * answer and a new pair cost in bytes.
 */
import { buildWhenStale } from '../scripts/build.mjs';
import { arrive, type Arrival } from './arrival.ts';
import { visit, type Visit } from './bytes.ts';
import { machine, type Machine } from './machine.ts';
import type { BenchPage } from './page/page.ts';
import { openStage } from './stage.ts';
import { measureTriples, type Triple } from './triples.ts';
import { ROOT } from '../scripts/bootstrap.mjs';

declare const bench: BenchPage;

export interface WalkOptions {
	readonly pairs: number;
	readonly tokens: number;
	readonly arrivals: number;
	readonly tell: (line: string) => void;
}

export interface WalkResult {
	readonly machine: Machine;
	readonly tokens: number;
	readonly triples: readonly Triple[];
	readonly failures: readonly string[];
	readonly arrivals: readonly Arrival[];
	readonly visits: readonly Visit[];
}

export async function measureWalk({ pairs, tokens, arrivals, tell }: WalkOptions): Promise<WalkResult> {
	await buildWhenStale();
	const stage = await openStage();
	try {
		const made = machine(ROOT, stage.browser.version());
		const lender = await stage.person();
		await lender.evaluate(() => bench.lend());
		const asker = await stage.person();
		tell(`${pairs} pairs of ${tokens} tokens, each answered three ways`);
		const { triples, failures } = await measureTriples(asker, stage, { pairs, tokens, tell });
		await asker.context().close();
		tell(`${arrivals} newcomers`);
		const arrived: Arrival[] = [];
		for (let i = 0; i < arrivals; i += 1) {
			arrived.push(await arrive(stage, i % 2 === 0 ? 'at once' : 'when linked'));
			tell(`${i + 1} of ${arrivals}`);
		}
		await lender.context().close();
		tell('first visits');
		const visits: Visit[] = [];
		for (const serviceWorker of [false, true]) {
			for (const compressed of [false, true]) {
				visits.push(await visit(stage.browser, stage.app, { compressed, serviceWorker }));
			}
		}
		return { machine: made, tokens, triples, failures, arrivals: arrived, visits };
	} finally {
		await stage.stop();
	}
}
