/**
 * Half an hour of jobs back to back in one tab, with 50 workers killed in mid-answer: memory stays within its bound, every promise
 * settles, every death is recovered from. FIREWEED_SOAK_MINUTES shortens it while writing it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'playwright/test';
import { POCKET } from '#lib/engine/pocket.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { machine } from '../../bench/machine.ts';
import { slope } from '../../bench/slope.ts';
import { request } from '../compliance/engine.ts';
import { openEnginePage, type EnginePage } from '../interop/engine-page.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MINUTES = Number(process.env.FIREWEED_SOAK_MINUTES ?? 30);
const DEATHS = 50;
/** Loads and first answers fill caches of the browser; growth is counted after them. */
const WARM_UP_MS = Math.min(120_000, MINUTES * 6_000);
/** What the renderer may grow in half an hour, and its trend: a worker that was not freed would take 100 MB, a leaked answer 20 kB of logits a job. */
const MOST_GROWTH = 64 * 1024 * 1024;
const MOST_SLOPE_PER_MINUTE = 1.5 * 1024 * 1024;
/** No job takes as long; a promise that has not settled by then never will. */
const WATCHDOG_MS = 60_000;

test('half an hour of jobs and fifty dead workers', async () => {
	test.setTimeout((MINUTES + 10) * 60_000);
	const page = await openEnginePage();
	try {
		const found = await soak(page);
		const report = {
			...found,
			method:
				'tests/full/engine-soak.e2e.ts: jobs of 24 to 120 tokens one after the other in one page; every now and then the worker is terminated in mid-answer and loaded anew. Memory: resident set of the renderer process.',
			machine: machine(ROOT, page.browserVersion)
		};
		console.log(JSON.stringify({ ...found, samples: undefined }, null, '\t'));
		if (process.env.FIREWEED_SOAK_KEEP !== undefined)
			writeFileSync(path.resolve(ROOT, process.env.FIREWEED_SOAK_KEEP), `${JSON.stringify(report, null, '\t')}\n`);
		expect(found.unsettled).toBe(0);
		expect(found.unexpected).toEqual([]);
		expect(found.deaths).toBe(DEATHS);
		expect(found.recovered).toBe(DEATHS);
		expect(found.jobs).toBeGreaterThan(MINUTES * 10);
		expect(found.growthBytes).toBeLessThan(MOST_GROWTH);
		expect(found.slopePerMinute).toBeLessThan(MOST_SLOPE_PER_MINUTE);
	} finally {
		await page.close();
	}
});

async function soak(page: EnginePage) {
	const engine = await page.make();
	const began = performance.now();
	const elapsed = () => performance.now() - began;
	const whole = MINUTES * 60_000;
	const count = { jobs: 0, tokens: 0, deaths: 0, recovered: 0, unsettled: 0 };
	const unexpected: string[] = [];
	const samples: { readonly minute: number; readonly bytes: number }[] = [];
	const load = () => engine.load(() => {}, new AbortController().signal);
	const settled = <T>(work: Promise<T>): Promise<T | undefined> => {
		let timer: ReturnType<typeof setTimeout> | undefined;
		const dog = new Promise<undefined>((resolve) => {
			timer = setTimeout(() => resolve(void count.unsettled++), WATCHDOG_MS);
		});
		return Promise.race([work, dog]).finally(() => clearTimeout(timer));
	};
	await load();
	for (let turn = 0; elapsed() < whole || count.deaths < DEATHS; turn++) {
		const tokens = 24 + ((turn * 37) % 97);
		const change = {
			minTokens: tokens,
			maxTokens: tokens,
			turns: [{ role: 'user' as const, content: `Question ${turn}: what is Fireweed?` }],
			...(turn % 3 === 0 ? { cacheScope: 'soak' } : {})
		};
		const killing = elapsed() >= ((count.deaths + 1) * whole) / (DEATHS + 1);
		// Within the first half, so that the worker is at work when it dies.
		const job = page.drain(request(change), killing ? 1 + (turn % 12) : undefined).then(
			(end) => end.tokens,
			(error: unknown) => codeOf(error)
		);
		if (killing) count.deaths++;
		const outcome = await settled(job);
		if (typeof outcome === 'number') {
			count.jobs++;
			count.tokens += outcome;
			if (outcome !== tokens) unexpected.push(`${outcome} tokens of ${tokens}`);
		} else if (outcome !== undefined && !(killing && outcome === 'engine-failed')) unexpected.push(outcome);
		if (killing) {
			const back = await settled(load().then(() => true, codeOf));
			if (back === true) count.recovered++;
			else unexpected.push(`after a death: ${String(back)}`);
		}
		const minute = elapsed() / 60_000;
		if (elapsed() > WARM_UP_MS && minute - (samples.at(-1)?.minute ?? 0) > MINUTES / 120)
			samples.push({ minute, bytes: page.memory() });
	}
	const few = Math.max(1, Math.floor(samples.length / 8));
	const median = (list: readonly { readonly bytes: number }[]) =>
		list.map(({ bytes }) => bytes).sort((a, b) => a - b)[list.length >> 1] ?? 0;
	const minutes = samples.map(({ minute }) => minute);
	const bytes = samples.map((sample) => sample.bytes);
	return {
		model: POCKET.id,
		minutes: elapsed() / 60_000,
		...count,
		unexpected,
		firstBytes: median(samples.slice(0, few)),
		lastBytes: median(samples.slice(-few)),
		mostBytes: Math.max(...bytes),
		growthBytes: median(samples.slice(-few)) - median(samples.slice(0, few)),
		slopePerMinute: slope(minutes, bytes),
		samples
	};
}
