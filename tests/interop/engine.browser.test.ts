/** The engine in its worker, in a real Chromium: the port's cases, the pocket model's, and everything that can happen to files and workers. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { POCKET } from '#lib/engine/pocket.ts';
import type { Engine } from '#lib/ports/engine.ts';
import { answer, codeIn, request } from '../compliance/engine.ts';
import { pocketCases } from '../compliance/engine-pocket.ts';
import { rows } from '../compliance/engine-rows.ts';
import { THOROUGH } from '../thorough.ts';
import { openEnginePage, type EnginePage, type Fault } from './engine-page.ts';

const PATIENCE_MS = 180_000;
const signal = () => new AbortController().signal;
const load = (engine: Engine) => engine.load(() => {}, signal());

let page: EnginePage;
beforeAll(async () => {
	page = await openEnginePage();
}, PATIENCE_MS);
afterAll(() => page.close());

describe('the port and the model', () => {
	// One page, one engine: a shared engine is loaded again after a case that took a fresh one.
	const place = {
		fresh: () => page.make(),
		async ready() {
			if (page.engine.state !== 'ready') {
				await page.make();
				await load(page.engine);
			}
			return page.engine;
		},
		model: true,
		faults: {
			async corrupt() {
				await page.clearCache();
				page.plant({ kind: 'flip', file: 'model_q4', at: 2_000_000 });
				return page.make();
			},
			async junk() {
				await page.clearCache();
				const bytes = Buffer.alloc(1000, 7);
				page.plant({ kind: 'replace', file: 'model_q4', bytes });
				return page.make({ weights: { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: 1000 } });
			},
			starved: () => page.make({ starved: true }),
			kill: () => page.kill(),
			async heal() {
				page.plant();
				await page.clearCache();
			}
		}
	};
	// In Node the suite is held in whole (tests/unit/engine-ort.test.ts); in tabs this model and WebLLM's take turns where a minute counts.
	const suite = rows('ort-chromium', place);
	for (const { name, run, reason } of THOROUGH ? suite : suite.filter((_, i) => i % 2 === 1)) {
		if (run === undefined) it.skip(`${name} (${reason})`, () => {});
		else it(name, run, PATIENCE_MS);
	}
	for (const { name, run } of pocketCases('q4', 'short')) it(name, () => run(place), PATIENCE_MS);

	it(
		'runs without cross-origin isolation and asks for nothing but the files of this build',
		async () => {
			expect(await page.page.evaluate(() => globalThis.crossOriginIsolated)).toBe(false);
			page.asked();
			await page.make();
			await page.page.reload();
			await page.page.waitForFunction(() => 'harness' in globalThis);
			await page.make();
			await load(page.engine);
			const paths = page.asked().filter((path) => path !== '/favicon.ico');
			for (const path of paths) expect(path).toMatch(/^\/ipfs\/bafytest\//);
			const built = page.files.filter((name) => name.includes('.'));
			for (const path of paths) expect(['', ...built]).toContain(path.slice('/ipfs/bafytest/'.length));
			// One wasm of the library, the one for the CPU; the others would be 17 to 28 MB each.
			expect(built.filter((name) => name.endsWith('.wasm'))).toEqual([
				expect.stringMatching(/^workers\/assets\/ort-wasm-simd-threaded-[\w-]+\.wasm$/)
			]);
		},
		PATIENCE_MS
	);
});

describe('files that are not right', () => {
	afterEach(() => page.plant());
	const faults: [string, Fault, string][] = [
		['weights with one bit changed', { kind: 'flip', file: 'model_q4', at: 2_000_000 }, 'weights-corrupt'],
		['a runtime with one bit changed', { kind: 'flip', file: 'ort-wasm', at: 9_000_000 }, 'weights-corrupt'],
		['weights that are not there', { kind: 'missing', file: 'model_q4' }, 'engine-load-failed']
	];
	const others: typeof faults = [
		['a tokenizer with one bit changed', { kind: 'flip', file: 'tokenizer-', at: 3000 }, 'weights-corrupt'],
		['a template with one bit changed', { kind: 'flip', file: 'tokenizer_config', at: 250 }, 'weights-corrupt'],
		['weights that end early', { kind: 'short', file: 'model_q4' }, 'weights-corrupt'],
		['weights that do not end', { kind: 'long', file: 'model_q4' }, 'weights-corrupt'],
		['a runtime that is not there', { kind: 'missing', file: 'ort-wasm' }, 'engine-load-failed']
	];
	it.each([...faults, ...(THOROUGH ? others : [])])(
		'refuses %s, and loads when they are right again',
		async (_, fault, code) => {
			// Past the copies of earlier cases.
			await page.clearCache();
			page.plant(fault);
			const engine = await page.make();
			expect(await codeIn(() => load(engine))).toBe(code);
			expect(engine.state).toBe('failed');
			expect(await codeIn(() => answer(engine))).toBe('engine-not-ready');
			page.plant();
			await load(engine);
			expect(engine.state).toBe('ready');
		},
		PATIENCE_MS
	);

	it(
		'asks once more, past the cache, when a copy on the way was damaged',
		async () => {
			await page.clearCache();
			page.plant({ kind: 'flip', file: 'model_q4', at: 77, times: 1 });
			const engine = await page.make();
			await load(engine);
			expect(engine.state).toBe('ready');
		},
		PATIENCE_MS
	);
});

describe('workers that die', () => {
	it(
		'refuses in mid-answer within a second, and loads a new one',
		async () => {
			const engine = await page.make();
			await load(engine);
			const whole = await answer(engine);
			const heard: number[] = [];
			let killed = 0;
			const broken = answer(engine, { minTokens: 300, maxTokens: 300 }, signal(), (step) => {
				heard.push(step.token);
				if (step.position === 5) {
					killed = performance.now();
					void page.kill();
				}
			});
			expect(await codeIn(() => broken)).toBe('engine-failed');
			expect(performance.now() - killed).toBeLessThan(1000);
			expect(engine.state).toBe('failed');
			expect(await codeIn(() => answer(engine))).toBe('engine-not-ready');
			await load(engine);
			const rest = await answer(engine, { continueFrom: heard.slice(0, 6) });
			expect([...heard.slice(0, 6), ...rest.tokens]).toEqual(whole.tokens);
		},
		PATIENCE_MS
	);

	it(
		'notices a worker that hangs, by its silence',
		async () => {
			const engine = await page.make({ hang: true, silentTicks: 2 });
			expect(await codeIn(() => load(engine))).toBe('engine-failed');
			expect(engine.state).toBe('failed');
		},
		PATIENCE_MS
	);

	it(
		'notices death by silence where there are no Web Locks',
		async () => {
			const engine = await page.make({ locks: false, silentTicks: 3 });
			await load(engine);
			const broken = answer(engine, { minTokens: 300, maxTokens: 300 }, signal(), (step) => {
				if (step.position === 2) void page.kill();
			});
			expect(await codeIn(() => broken)).toBe('engine-failed');
		},
		PATIENCE_MS
	);
});

it.runIf(THOROUGH)(
	'measures: load, first token, decode',
	async () => {
		const engine = await page.make();
		const { loadMs, tokensPerSecond, card } = await load(engine);
		expect(card.id).toBe(POCKET.id);
		const { firstMs, wholeMs, tokens } = await page.drain(request({ minTokens: 100, maxTokens: 100 }));
		expect(tokens).toBe(100);
		const rate = ((tokens - 1) * 1000) / (wholeMs - firstMs);
		process.stdout.write(
			`engine in Chromium: load ${loadMs.toFixed(0)} ms, self-measured ${tokensPerSecond.toFixed(0)} tok/s, first token ${firstMs.toFixed(0)} ms, decode ${rate.toFixed(0)} tok/s\n`
		);
	},
	PATIENCE_MS
);
