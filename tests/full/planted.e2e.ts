/**
 * The end-to-end tests can fail: each fault below is planted in a copy of the sources, built, and the walk's test must notice it.
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { expect, test } from 'playwright/test';
import { FAULTS } from './faults.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
const SOURCES = [
	'src',
	'workers',
	'static',
	'models',
	'patches',
	'package.json',
	'svelte.config.js',
	'vite.config.ts',
	'tsconfig.json',
	'scripts'
];
const WALK = 'a stranger answers over the mesh';

for (const fault of FAULTS) {
	test(`planted: ${fault.name}`, async () => {
		test.setTimeout(240_000);
		const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-planted-'));
		try {
			for (const name of SOURCES) await cp(path.join(ROOT, name), path.join(folder, name), { recursive: true });
			await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
			const file = path.join(folder, fault.file);
			const source = await readFile(file, 'utf8');
			expect(source.split(fault.find), 'the place to plant it').toHaveLength(2);
			await writeFile(
				file,
				source.replace(fault.find, () => fault.replace)
			);
			await run(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], { cwd: folder, maxBuffer: 1 << 26 });
			const playwright = path.join(ROOT, 'node_modules/playwright/cli.js');
			const args = [
				playwright,
				'test',
				'-c',
				'tests/e2e/playwright.config.ts',
				'walk.e2e.ts',
				'-g',
				WALK,
				'--project=together',
				// Without it every test of the other project runs first, whatever is asked for.
				'--no-deps',
				'--reporter=line'
			];
			const outcome = await run(process.execPath, [...args, `--output=${path.join(folder, 'results')}`], {
				cwd: ROOT,
				env: { ...process.env, FIREWEED_BUILD: path.join(folder, 'build') },
				maxBuffer: 1 << 26
			}).then(
				() => 'the test passed',
				(error: unknown) => stripVTControlCharacters(String((error as { stdout?: string }).stdout))
			);
			expect(outcome).not.toBe('the test passed');
			expect(outcome).toMatch(/1 failed/);
			expect(outcome).toMatch(fault.complaint);
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	});
}
