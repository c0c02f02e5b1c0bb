/**
 * Jobs one after the other between two real tabs, each in a browser of its own: does the asking or the answering tab keep something of each? The heap
 * is looked at after a collection; connections are counted where they are made.
 */
import type { Browser, Page } from 'playwright';
import { ROOT } from '../scripts/bootstrap.mjs';
import type { Circumstances } from './kept.ts';
import { machine, type Machine } from './machine.ts';
import type { BenchPage } from './page/page.ts';
import { slope } from './slope.ts';
import { openStage } from './stage.ts';
import { table } from './table.ts';

declare const bench: BenchPage;

/** Chrome refuses one more than so many RTCPeerConnections of a tab that are not collected yet. */
const MOST_CONNECTIONS = 500;
/** Jobs between two looks, as a share of all. */
const LOOKS = 40;
/** Caches, compiled code and the first receipts; growth is counted after them. */
const WARM_UP = 0.1;

export interface SoakOptions {
	readonly jobs: number;
	readonly tokens: number;
	readonly tell: (line: string) => void;
}

/** What a tab held after so many jobs. */
export interface Look {
	readonly jobs: number;
	readonly heapBytes: number;
	/** RTCPeerConnections it made since it was opened, and those that stand. */
	readonly connections: { readonly made: number; readonly open: number };
}

export interface SoakResult {
	readonly machine: Machine;
	readonly jobs: number;
	readonly tokens: number;
	readonly minutes: number;
	readonly failures: readonly string[];
	readonly asker: readonly Look[];
	readonly executor: readonly Look[];
}

export async function measureSoak({ jobs, tokens, tell }: SoakOptions): Promise<SoakResult> {
	const stage = await openStage({ served: false });
	try {
		const other = await stage.launch();
		const [executor, asker] = [await counted(other, stage.person), await counted(stage.browser, stage.person)];
		await executor.evaluate(() => bench.lend());
		const made = machine(ROOT, stage.browser.version());
		const looks: { asker: Look[]; executor: Look[] } = { asker: [], executor: [] };
		const failures: string[] = [];
		const began = Date.now();
		const every = Math.max(1, Math.floor(jobs / LOOKS));
		for (let job = 1; job <= jobs; job += 1) {
			const ask = { prompt: `Question ${job}: what is Fireweed?`, tokens };
			await asker
				.evaluate((what) => bench.mesh(what), ask)
				.catch((error: unknown) => failures.push(`job ${job}: ${String(error)}`));
			if (job % every !== 0) continue;
			looks.asker.push(await look(asker, job));
			looks.executor.push(await look(executor, job));
			const { heapBytes, connections } = looks.asker.at(-1) as Look;
			tell(
				`${job} of ${jobs}: asker ${(heapBytes / 2 ** 20).toFixed(1)} MiB, ${connections.made} connections made, ${failures.length} failures`
			);
		}
		return { machine: made, jobs, tokens, minutes: (Date.now() - began) / 60_000, failures, ...looks };
	} finally {
		await stage.stop();
	}
}

/** A person's page that counts its connections from its first line on. */
async function counted(browser: Browser, person: (browser: Browser) => Promise<Page>): Promise<Page> {
	const page = await person(browser);
	await page.addInitScript(() => {
		const made: WeakRef<RTCPeerConnection>[] = [];
		const Real = globalThis.RTCPeerConnection;
		globalThis.RTCPeerConnection = class extends Real {
			constructor(configuration?: RTCConfiguration) {
				super(configuration);
				made.push(new WeakRef(this));
			}
		};
		Object.assign(globalThis, { connectionsMade: made });
	});
	await page.reload();
	await page.waitForFunction(() => 'bench' in globalThis);
	return page;
}

async function look(page: Page, jobs: number): Promise<Look> {
	const session = await page.context().newCDPSession(page);
	await session.send('HeapProfiler.collectGarbage');
	const { usedSize } = await session.send('Runtime.getHeapUsage');
	await session.detach();
	const connections = await page.evaluate(() => {
		const all = (globalThis as unknown as { connectionsMade: WeakRef<RTCPeerConnection>[] }).connectionsMade;
		const open = all.filter((each) => (each.deref()?.connectionState ?? 'closed') !== 'closed').length;
		return { made: all.length, open };
	});
	return { jobs, heapBytes: usedSize, connections };
}

export function reportSoak(kept: SoakResult & Circumstances): string {
	const { jobs, minutes, failures, machine: made } = kept;
	const row = (name: string, looks: readonly Look[]) => {
		const settled = looks.filter((each) => each.jobs > WARM_UP * jobs);
		const heap = settled.map(({ heapBytes }) => heapBytes);
		const last = looks.at(-1);
		return [
			name,
			`${((heap[0] ?? 0) / 2 ** 20).toFixed(2)} → ${((heap.at(-1) ?? 0) / 2 ** 20).toFixed(2)}`,
			slope(
				settled.map((each) => each.jobs),
				heap
			).toFixed(0),
			`${last?.connections.made ?? 0}, ${last?.connections.open ?? 0}`
		];
	};
	return [
		'# Jobs between two tabs, one after the other\n',
		`${kept.startedAt.slice(0, 16).replace('T', ' ')} UTC, ${minutes.toFixed(0)} minutes. \`npm run bench -- soak\`; every look in the .json beside this page.\n`,
		...(kept.busyAtStart ? ['**Marked: the machine was busy when it began, forced.**\n'] : []),
		`${jobs} jobs of ${kept.tokens} tokens, ${failures.length} failures.\n`,
		table(
			[
				'',
				'heap of the page after a collection, MiB',
				'slope, bytes a job',
				'RTCPeerConnections made, open at the end'
			],
			[row('asker', kept.asker), row('executor', kept.executor)]
		),
		`\nChrome allows ${MOST_CONNECTIONS} RTCPeerConnections at once. The slope is that of a straight line through the looks after the first tenth of the jobs; what the store keeps of each job (receipts, in IndexedDB) is not in the heap, what the page remembers is.\n`,
		`${made.cpu}, ${made.cores} cores, ${made.memoryGiB} GiB, ${made.system}, Chromium ${made.chromium}.`
	].join('\n');
}
