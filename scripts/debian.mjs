/**
 * Installs one of Debian's packages, where that may be done without asking: as root, or with a sudo that wants no password. Plain JavaScript: it
 * must run before anything is installed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/** Whether it was installed. Says what it does and what apt-get answered; never throws. */
export function installFromDebian(name, env, log) {
	const root = process.getuid?.() === 0;
	const become = root ? [] : ['sudo', '-n'];
	const system = { ...env, PATH: withSystemFolders(env), DEBIAN_FRONTEND: 'noninteractive' };
	if (spawnSync('apt-get', ['--version'], { env: system }).status !== 0) return false;
	if (!root && spawnSync('sudo', ['-n', 'true'], { env: system }).status !== 0) return false;
	log(`${name} is missing; installing Debian's package.`);
	const run = (...args) => {
		const [program, ...rest] = [...become, 'apt-get', ...args];
		execFileSync(program, rest, {
			env: system,
			stdio: ['ignore', 'ignore', 'inherit']
		});
	};
	try {
		run('-q', 'update');
		run('-qy', 'install', '--no-install-recommends', name);
		return true;
	} catch (error) {
		log(`apt-get failed: ${error instanceof Error ? error.message : error}`);
		return false;
	}
}

/** Whether a file is a program that can be run. */
export function runs(file) {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

/** The first program of one of these names, names before folders. */
export function onPath(names, env) {
	const folders = (env.PATH ?? '').split(path.delimiter).filter(Boolean);
	for (const name of names) {
		for (const folder of folders) {
			const file = path.join(folder, name);
			if (runs(file)) return file;
		}
	}
	return undefined;
}

/** dpkg's own programs lie in folders that a person's PATH may lack, and so may the browser it installs. */
export function withSystemFolders(env) {
	return [env.PATH, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].filter(Boolean).join(path.delimiter);
}
