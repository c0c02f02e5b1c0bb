/** Programs and libraries that only a bench needs, put in place when it runs: `npm ci` in a folder of the bench, by that folder's own lock file. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { withLock } from '../scripts/lock.mjs';
import { ROOT } from '../scripts/bootstrap.mjs';

/** Installs what the lock file in `folder` says, unless that is there already; no install script runs. `tell` hears `words` when there is something to do. */
export async function installBeside(folder: string, words: string, tell: (line: string) => void): Promise<void> {
	const stamp = path.join(folder, 'node_modules/.fireweed-lock.json');
	await withLock(path.join(ROOT, `.toolchain/bench-${path.basename(folder)}.lock`), async () => {
		const wanted = readFileSync(path.join(folder, 'package-lock.json'), 'utf8');
		if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
		tell(words);
		npm(folder, ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress']);
		writeFileSync(stamp, wanted);
	});
}

/** The version of a package that is installed in `folder`. */
export function versionBeside(folder: string, name: string): string {
	const { version } = JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')) as {
		version: string;
	};
	return version;
}

function npm(folder: string, args: readonly string[]): void {
	// `npm run` tells its children where its own project is; this npm is to look at its folder only.
	const env = Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name))
	);
	const script = process.env['npm_execpath'];
	const [program, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
	execFileSync(program, [...first, ...args], { cwd: folder, env, stdio: ['ignore', 'ignore', 'inherit'] });
}
