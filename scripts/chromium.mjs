/**
 * Finds Chromium, or installs Debian's when it may. Plain JavaScript: it must run before anything is installed.
 *
 * Order: CHROMIUM_PATH, a browser on PATH, Playwright's own cache, Debian's package through apt-get (as root or with sudo that
 * asks nothing), else an error that says what to do.
 */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { installFromDebian, onPath, runs, withSystemFolders } from './debian.mjs';

/** How every test starts Chromium. */
export const LAUNCH_FLAGS = [
	// Tests run as root in containers, where Chromium's sandbox cannot start. The pages opened are only our own.
	'--no-sandbox',
	'--disable-gpu',
	// Nothing may leave this machine: no updates, no reports, no first-run page.
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
	// Without this Chromium hides local addresses behind .local names that need multicast DNS, which containers lack.
	'--disable-features=WebRtcHideLocalIpsWithMdns'
];

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** No Chromium, and none could be installed. The message says what to do. */
export class NoChromium extends Error {
	code = 'no-chromium';
}

/** The path of a Chromium on this machine, installing Debian's when allowed. Throws NoChromium. */
export function findChromium({ env = process.env, install = true, log = console.error } = {}) {
	if (env.CHROMIUM_PATH) {
		if (runs(env.CHROMIUM_PATH)) return env.CHROMIUM_PATH;
		throw new NoChromium(`CHROMIUM_PATH is ${env.CHROMIUM_PATH}, which is not a program that can be run.`);
	}
	const found = onPath(NAMES, env) ?? inPlaywrightCache(env);
	if (found) return found;
	if (install && installFromDebian('chromium', env, log)) {
		const installed = onPath(NAMES, { ...env, PATH: withSystemFolders(env) });
		if (installed) return installed;
	}
	throw new NoChromium(
		'No Chromium was found, and it could not be installed from here.\n' +
			'Install it (Debian and Ubuntu: apt-get install chromium) or set CHROMIUM_PATH to the program of an installed one.'
	);
}

function inPlaywrightCache(env) {
	const cache = env.PLAYWRIGHT_BROWSERS_PATH ?? path.join(env.HOME ?? homedir(), '.cache', 'ms-playwright');
	if (!existsSync(cache)) return undefined;
	const newestFirst = readdirSync(cache)
		.filter((name) => /^chromium-\d+$/.test(name))
		.sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)));
	for (const name of newestFirst) {
		for (const inside of ['chrome-linux/chrome', 'chrome-linux64/chrome']) {
			const file = path.join(cache, name, inside);
			if (runs(file)) return file;
		}
	}
	return undefined;
}
