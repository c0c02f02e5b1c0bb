/**
 * `npm test`: everything that must hold, in order, from a bare clone, with a closing line that counts the tests.
 *
 * node scripts/test.mjs            all stages
 * node scripts/test.mjs unit e2e   only these stages
 * node scripts/test.mjs --full     a second build to compare, the long end-to-end tests of tests/full, and every case where others take a few (tests/thorough.ts), as well
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { bootstrap, BootstrapFailed, projectEnvironment, projectNode, ROOT } from './bootstrap.mjs';
import { BuildFailed, buildWhenStale, digestOf } from './build.mjs';
import { findChromium, NoChromium } from './chromium.mjs';
import { findFirefox, NoFirefox } from './firefox.mjs';
import { playwrightCount, vitestCount } from './test-count.mjs';

/** Tests may take their time (tests/thorough.ts). */
const THOROUGH = process.argv.includes('--full');
const REPORTS = path.join(ROOT, '.fireweed/reports');

/** A stage found something. What it found was printed. */
class StageFailed extends Error {}

/** In this order: what is quick to run and quick to break comes first. */
const STAGES = {
	types: async () => {
		await tool('svelte-check/bin/svelte-check', [
			'--tsconfig',
			'tsconfig.json',
			'--fail-on-warnings',
			'--output',
			'human'
		]);
		await tool('typescript/bin/tsc', ['-p', 'src/lib/protocol']);
	},
	lint: () => tool('eslint/bin/eslint.js', ['--max-warnings', '0', '.']),
	format: () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']),
	unit: () =>
		counted('unit.json', vitestCount, (report) =>
			tool('vitest/vitest.mjs', [
				'run',
				'--config=tests/vitest.config.ts',
				'--reporter=default',
				'--reporter=json',
				`--outputFile.json=${report}`
			])
		),
	/** Ports in real tabs, without the app around them. */
	browser: () => {
		const chromium = findChromium();
		return counted('browser.json', vitestCount, (report) =>
			tool(
				'vitest/vitest.mjs',
				[
					'run',
					'--config=tests/interop/vitest.config.ts',
					'--reporter=default',
					'--reporter=json',
					`--outputFile.json=${report}`
				],
				{ CHROMIUM_PATH: chromium }
			)
		);
	},
	build: async () => {
		const built = await buildWhenStale();
		if (!built) console.log('build/ is already the build of these sources');
	},
	e2e: () => endToEnd('e2e.json', 'tests/e2e/playwright.config.ts'),
	// The same sources must give the same bytes, or an unchanged app gets a new CID.
	rebuild: async () => {
		const before = digestOf(['build']);
		await buildWhenStale({ always: true });
		if (digestOf(['build']) !== before) throw new StageFailed('a second build of the same sources gave other bytes');
	},
	// The verifier of releases against everything, without any one of its checks, and every command of the runbook.
	releases: () =>
		counted('releases.json', vitestCount, (report) =>
			tool(
				'vitest/vitest.mjs',
				[
					'run',
					'--config=tests/full/vitest.config.ts',
					'--reporter=default',
					'--reporter=json',
					`--outputFile.json=${report}`
				],
				{ FIREWEED_VIOLATIONS: '1000', FIREWEED_MUTATIONS: '100000' }
			)
		),
	full: () => endToEnd('full.json', 'tests/full/playwright.config.ts', firefox())
};

/** Stages that only read, one core each: they run beside each other. */
const READERS = ['types', 'lint', 'format'];

/** Minutes more, for before a release. */
const ONLY_WHEN_FULL = ['rebuild', 'releases', 'full'];

/** Runs the stages named, or those of an ordinary run; resolves to the counts. Begins none after one that failed. */
async function run(names) {
	const total = { passed: 0, failed: 0, skipped: 0 };
	const readers = names.filter((name) => READERS.includes(name));
	const others = names.filter((name) => !READERS.includes(name));
	for (const beside of [readers, ...others.map((name) => [name])]) {
		const counts = await Promise.all(beside.map(runStage));
		for (const count of counts) for (const key of Object.keys(total)) total[key] += count[key];
		if (total.failed > 0) break;
	}
	return total;
}

/** Runs one stage and says how it went; resolves to its counts, one failure at the least when it failed. */
async function runStage(name) {
	const began = Date.now();
	console.log(`\n── ${name}`);
	let failure;
	let count;
	try {
		count = await STAGES[name]();
	} catch (error) {
		failure = error;
		count = error.count;
		const known = [StageFailed, BootstrapFailed, BuildFailed, NoChromium].some((kind) => error instanceof kind);
		console.error(known ? error.message : error);
	}
	const seconds = ((Date.now() - began) / 1000).toFixed(1);
	const tests = count ? `, ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped` : '';
	console.log(`── ${name}: ${failure ? 'FAILED' : 'ok'} in ${seconds} s${tests}`);
	const { passed = 0, failed = 0, skipped = 0 } = count ?? {};
	// A failure outside the tests (a type error, a crash of the runner) is counted too: a red run never says "0 failed".
	return { passed, failed: failure ? Math.max(1, failed) : failed, skipped };
}

/** Where Firefox is, installed when that may be. Without one, its own tests fail and say so; the others run. */
function firefox() {
	try {
		return { FIREFOX_PATH: findFirefox() };
	} catch (error) {
		if (!(error instanceof NoFirefox)) throw error;
		console.error(error.message);
		return {};
	}
}

async function endToEnd(reportName, config, more = {}) {
	const chromium = findChromium();
	return counted(reportName, playwrightCount, (report) =>
		tool('playwright/cli.js', ['test', `--config=${config}`, '--reporter=list,json'], {
			...more,
			CHROMIUM_PATH: chromium,
			PLAYWRIGHT_JSON_OUTPUT_FILE: report
		})
	);
}

/** Runs a test runner and reads its report, whether it passed or not. No report means it never got to run a test. */
async function counted(name, count, work) {
	mkdirSync(REPORTS, { recursive: true });
	const report = path.join(REPORTS, name);
	rmSync(report, { force: true });
	let failure;
	try {
		await work(report);
	} catch (error) {
		failure = error;
	}
	const found = existsSync(report) ? count(JSON.parse(readFileSync(report, 'utf8'))) : undefined;
	if (!failure && !found) failure = new StageFailed('the runner left no report');
	if (!failure && found.failed > 0) failure = new StageFailed('the runner ended well, but its report counts failures');
	if (!failure && found.passed === 0) failure = new StageFailed('not one test ran');
	if (failure) throw Object.assign(failure, { count: found });
	return found;
}

/** Runs one program out of node_modules under the project's Node, its output straight to ours. */
function tool(script, args, env = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(projectNode, [path.join(ROOT, 'node_modules', script), ...args], {
			cwd: ROOT,
			env: { ...projectEnvironment(), ...(THOROUGH ? { FIREWEED_THOROUGH: '1' } : {}), ...env },
			stdio: ['ignore', 'inherit', 'inherit']
		});
		child.on('error', reject);
		child.on('close', (code) =>
			code === 0 ? resolve() : reject(new StageFailed(`${path.basename(script)} ended with status ${code}`))
		);
	});
}

/** What was asked for, or undefined with the reason printed. */
function stagesFor(asked) {
	const full = asked.includes('--full');
	const named = asked.filter((word) => word !== '--full');
	const unknown = named.filter((name) => !Object.hasOwn(STAGES, name));
	if (unknown.length > 0) {
		console.error(`There is no stage ${unknown.join(', ')}. Stages: ${Object.keys(STAGES).join(', ')}.`);
		return undefined;
	}
	return named.length > 0 ? named : Object.keys(STAGES).filter((name) => full || !ONLY_WHEN_FULL.includes(name));
}

async function main() {
	const stages = stagesFor(process.argv.slice(2));
	if (!stages) return 2;
	let total = { passed: 0, failed: 1 };
	try {
		await bootstrap();
		// Makes the file that tsconfig.json extends; every stage reads that, and a fresh clone has none.
		await tool('@sveltejs/kit/svelte-kit.js', ['sync']);
		total = await run(stages);
	} catch (error) {
		console.error(error instanceof BootstrapFailed || error instanceof StageFailed ? error.message : error);
	}
	console.log(`\n${total.passed} passed, ${total.failed} failed`);
	return total.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
