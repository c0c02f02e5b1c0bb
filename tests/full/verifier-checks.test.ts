/** Every check of the verifier is held by a test: each is taken out by itself, and the verifier's tests must fail. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CHECKED, checksIn } from './checks.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** The verifier's tests, run without one check: undefined when they pass, else what they say. */
function complaint(check: string, tests: string): string | undefined {
	const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
	const args = [vitest, 'run', '--config', 'tests/full/mutant.config.ts', tests];
	const { status, stdout, stderr } = spawnSync(process.execPath, args, {
		cwd: ROOT,
		env: { ...process.env, FIREWEED_CHECK: check, NO_COLOR: '1' },
		encoding: 'utf8'
	});
	return status === 0 ? undefined : stdout + stderr;
}

const checks = Object.entries(CHECKED).flatMap(([file, tests]) =>
	checksIn(readFileSync(path.join(ROOT, file), 'utf8')).map(({ text }, i) => [`${file}#${i}`, text, tests] as const)
);

test('there are checks, and with all of them the tests pass', { timeout: 120_000 }, () => {
	expect(checks.length).toBeGreaterThan(25);
	for (const tests of new Set(Object.values(CHECKED))) expect(complaint('', tests)).toBeUndefined();
});

test.each(checks)('without %s (%s) a test fails', { timeout: 120_000 }, (check, _text, tests) => {
	// A failed assertion, not a file that could not be read.
	expect(complaint(check, tests)).toMatch(/Failed Tests[\s\S]*AssertionError/);
});
