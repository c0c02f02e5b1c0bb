/**
 * The other projects' libraries, put in place when they are needed. None of their install scripts runs: they are used in a browser only,
 * and one of them fetches programs from elsewhere.
 */
import path from 'node:path';
import { installBeside, versionBeside } from '../beside.ts';

export const PEERS = path.join(import.meta.dirname, 'peers');

/** Package name → version, as installed; the runtime that transformers.js brings is among them. */
export type PeerVersions = Readonly<Record<string, string>>;

const NAMED = ['@wllama/wllama', '@huggingface/transformers', 'onnxruntime-web'] as const;

/** Installs what the lock file says, unless that is there already. */
export async function installPeers(tell: (line: string) => void): Promise<PeerVersions> {
	await installBeside(PEERS, 'Installing wllama and transformers.js beside the bench (about 500 MB on disk) …', tell);
	return Object.fromEntries(NAMED.map((name) => [name, versionBeside(PEERS, name)]));
}
