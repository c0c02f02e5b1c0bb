/**
 * Finds Firefox, or installs Debian's when it may: FIREFOX_PATH, a program on PATH, Debian's package through apt-get, else an error that says
 * what to do. Only the long tests want it.
 */
import process from 'node:process';
import { installFromDebian, onPath, runs, withSystemFolders } from './debian.mjs';

const NAMES = ['firefox-esr', 'firefox'];

/** No Firefox, and none could be installed. The message says what to do. */
export class NoFirefox extends Error {
	code = 'no-firefox';
}

/** The path of a Firefox on this machine, installing Debian's when allowed. Throws NoFirefox. */
export function findFirefox({ env = process.env, install = true, log = console.error } = {}) {
	if (env.FIREFOX_PATH) {
		if (runs(env.FIREFOX_PATH)) return env.FIREFOX_PATH;
		throw new NoFirefox(`FIREFOX_PATH is ${env.FIREFOX_PATH}, which is not a program that can be run.`);
	}
	const found = onPath(NAMES, env);
	if (found) return found;
	if (install && installFromDebian('firefox-esr', env, log)) {
		const installed = onPath(NAMES, { ...env, PATH: withSystemFolders(env) });
		if (installed) return installed;
	}
	throw new NoFirefox(
		'No Firefox was found, and it could not be installed from here.\n' +
			'Install it (Debian: apt-get install firefox-esr) or set FIREFOX_PATH to the program of an installed one.'
	);
}
