/**
 * Builds the app into build/, and knows whether what lies there is already the build of these sources.
 *
 * The stamp is kept outside build/: everything in that folder is part of the app and of its CID.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { bootstrap, BootstrapFailed, projectEnvironment, ROOT } from './bootstrap.mjs';
import { withLock } from './lock.mjs';

/** Everything the bytes of the build can depend on. */
const INPUTS = [
	'src',
	'workers',
	'static',
	'models',
	'patches',
	'scripts/shell-page.ts',
	'scripts/release',
	'package.json',
	'package-lock.json',
	'svelte.config.js',
	'tsconfig.json',
	'vite.config.ts'
];

const STAMP = path.join(ROOT, '.fireweed/build-stamp.json');

/** The build ended with an error; what the bundler said was printed. */
export class BuildFailed extends Error {
	code = 'build-failed';
}

/** Builds when the sources changed since the last build, or when build/ is not what was built. Resolves to true when it built. */
export async function buildWhenStale({ log = console.error, always = false } = {}) {
	return withLock(
		path.join(ROOT, '.fireweed/build.lock'),
		async () => {
			const inputs = digestOf(INPUTS);
			if (!always && isFresh(inputs)) return false;
			log('Building the app …');
			await viteBuild();
			mkdirSync(path.dirname(STAMP), { recursive: true });
			writeFileSync(STAMP, JSON.stringify({ inputs, output: outputDigest() }));
			return true;
		},
		{ log, what: 'the same build' }
	);
}

/** SHA-256 over names and bytes of every file under these paths of `root`; a path that does not exist adds nothing. */
export function digestOf(paths, root = ROOT) {
	const hash = createHash('sha256');
	const add = (relative) => {
		const stat = statSync(path.join(root, relative), { throwIfNoEntry: false });
		if (!stat) return;
		if (stat.isDirectory()) {
			for (const name of readdirSync(path.join(root, relative)).sort()) add(`${relative}/${name}`);
		} else {
			const bytes = readFileSync(path.join(root, relative));
			hash.update(`${relative}\0${bytes.length}\0`).update(bytes);
		}
	};
	for (const each of paths) add(each);
	return hash.digest('hex');
}

/** The release lists every other file with its hash, so these two stand for the whole folder. */
function outputDigest() {
	return digestOf(['build/index.html', 'build/release']);
}

function isFresh(inputs) {
	try {
		const stamp = JSON.parse(readFileSync(STAMP, 'utf8'));
		return stamp.inputs === inputs && stamp.output === outputDigest();
	} catch {
		return false;
	}
}

function viteBuild() {
	return new Promise((resolve, reject) => {
		const vite = path.join(ROOT, 'node_modules/vite/bin/vite.js');
		const node = path.join(ROOT, 'node_modules/node/bin/node');
		const child = spawn(node, [vite, 'build', '--logLevel', 'warn'], {
			cwd: ROOT,
			env: projectEnvironment(),
			// stdout belongs to whoever called: `npm start` promises one line there.
			stdio: ['ignore', 2, 2]
		});
		// The lock is given up when we end, so the build must end with us.
		const end = () => child.kill();
		process.once('exit', end);
		child.on('error', reject);
		child.on('close', () => process.off('exit', end));
		child.on('close', (code) => (code === 0 ? resolve() : reject(new BuildFailed('The build failed; see above.'))));
	});
}

// Run by itself: `npm run build`.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	try {
		await bootstrap();
		await buildWhenStale({ always: true });
		console.log('The app is in build/.');
	} catch (error) {
		console.error(error instanceof BootstrapFailed || error instanceof BuildFailed ? error.message : error);
		process.exitCode = 1;
	}
}
