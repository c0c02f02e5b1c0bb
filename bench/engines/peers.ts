/**
 * The other projects' libraries, put in place when they are needed: `npm ci` in bench/engines/peers, by its own lock file. None of their
 * install scripts runs: they are used in a browser only, and one of them fetches programs from elsewhere.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { withLock } from '../../scripts/lock.mjs';

export const PEERS = path.join(import.meta.dirname, 'peers');
const STAMP = path.join(PEERS, 'node_modules/.fireweed-lock.json');

/** Package name → version, as installed; the runtime that transformers.js brings is among them. */
export type PeerVersions = Readonly<Record<string, string>>;

const NAMED = ['@wllama/wllama', '@huggingface/transformers', 'onnxruntime-web'] as const;

/** Installs what the lock file says, unless that is there already. */
export async function installPeers(tell: (line: string) => void): Promise<PeerVersions> {
	await withLock(path.join(PEERS, '../../../.toolchain/bench-peers.lock'), async () => {
		const wanted = readFileSync(path.join(PEERS, 'package-lock.json'), 'utf8');
		if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
		tell('Installing wllama and transformers.js beside the bench (about 500 MB on disk) …');
		npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress']);
		writeFileSync(STAMP, wanted);
	});
	return Object.fromEntries(NAMED.map((name) => [name, versionOf(name)]));
}

function versionOf(name: string): string {
	const { version } = JSON.parse(readFileSync(path.join(PEERS, 'node_modules', name, 'package.json'), 'utf8')) as {
		version: string;
	};
	return version;
}

function npm(args: readonly string[]): void {
	// `npm run` tells its children where its own project is; this npm is to look at its folder only.
	const env = Object.fromEntries(
		Object.entries(process.env).filter(([name]) => !/^npm_(config_local_prefix|package_|lifecycle_)/.test(name))
	);
	const script = process.env['npm_execpath'];
	const [program, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
	execFileSync(program, [...first, ...args], { cwd: PEERS, env, stdio: ['ignore', 'ignore', 'inherit'] });
}
