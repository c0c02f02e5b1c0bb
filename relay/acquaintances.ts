/**
 * Whom the relay names to those who ask: itself, and the relays its operator listed. The list is a text file, one statement a line, as
 * `GET /manifest` of those relays gave them, or a signed directory; a line that does not hold today is passed over, so that an old file harms nobody.
 */
import { readFile } from 'node:fs/promises';
import type { PrivateKey } from '@libp2p/interface';
import { base64url } from 'multiformats/bases/base64';
import type { Crypto } from '#lib/ports/crypto.ts';
import { SCHEMA_VERSIONS } from '#lib/protocol/capability.ts';
import { decodeSignedDirectory } from '#lib/protocol/directory.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_ADDRESSES, MAX_MANIFEST_LIFE_MS, MAX_PEERS_ANSWER } from '#lib/protocol/limits.ts';
import { nodeManifest, openNodeManifest } from '#lib/protocol/node-manifest.ts';

/** The own statement is signed anew after this, ms, so that it is always good for weeks. */
const RESEAL_MS = 24 * 3600 * 1000;
/** Longest list that is read, bytes. */
const MAX_LIST = 256 * 1024;

export interface RelayAcquaintances {
	/** For `answerAcquaintances`. */
	known(): Promise<readonly Uint8Array[]>;
	/** The own statement as text, for other operators' lists. */
	own(): Promise<string>;
}

/** Refusal `malformed` when the list cannot be read; `now`: Unix ms. */
export async function relayAcquaintances(init: {
	readonly key: PrivateKey;
	readonly addresses: () => readonly string[];
	readonly listFile: string | undefined;
	readonly crypto: Crypto;
	readonly now: () => number;
}): Promise<RelayAcquaintances> {
	const { key, addresses, crypto, now } = init;
	const signer = {
		publicKey: key.publicKey.raw,
		sign: async (preimage: Uint8Array) => new Uint8Array(await key.sign(preimage))
	};
	const listed = init.listFile === undefined ? [] : await readList(init.listFile);
	let sealed: { readonly at: number; readonly bytes: Uint8Array } | undefined;
	const own = async (): Promise<Uint8Array> => {
		if (sealed === undefined || now() - sealed.at > RESEAL_MS) {
			const body = {
				role: 'relay' as const,
				addresses: addresses().slice(0, MAX_ADDRESSES),
				versions: [...SCHEMA_VERSIONS],
				handOn: true,
				sequence: now(),
				issuedAt: now(),
				expiresAt: now() + MAX_MANIFEST_LIFE_MS,
				extensions: {}
			};
			sealed = { at: now(), bytes: (await seal(nodeManifest, body, signer)).bytes };
		}
		return sealed.bytes;
	};
	return {
		own: async () => base64url.baseEncode(await own()),
		known: async () => {
			const holds = await Promise.all(
				listed.map((bytes) =>
					openNodeManifest(bytes, crypto, now()).then(
						({ manifest }) => manifest.role === 'relay',
						() => isDirectory(bytes)
					)
				)
			);
			return [await own(), ...listed.filter((_, n) => holds[n])];
		}
	};
}

/** A signed directory of some line: the relay holds no line's keys, so those who ask judge it. */
function isDirectory(bytes: Uint8Array): boolean {
	try {
		return bytes.length <= nodeManifest.maxBytes && decodeSignedDirectory(bytes) !== undefined;
	} catch {
		return false;
	}
}

async function readList(file: string): Promise<readonly Uint8Array[]> {
	const text = await readFile(file, 'utf8').catch(() => {
		throw new Refusal('malformed', `FIREWEED_RELAY_DIRECTORY: ${file} cannot be read`);
	});
	if (text.length > MAX_LIST) throw new Refusal('malformed', `FIREWEED_RELAY_DIRECTORY: ${file} is too long`);
	return text
		.split('\n')
		.map((line) => line.trim())
		.filter((line) => /^[\w-]+$/.test(line))
		.slice(0, MAX_PEERS_ANSWER - 1)
		.map((line) => base64url.baseDecode(line));
}
