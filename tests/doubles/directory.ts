/** Signed lists of relays of the test line: directory keys are 11 and 12, of which one must sign (release.ts beside this). */
import type { DoorsInit } from '#lib/doors/doors.ts';
import { directory, encodeSignedDirectory, type Directory } from '#lib/protocol/directory.ts';
import { believeDirectory } from '#lib/survival/directory.ts';
import { encodeChain, type Trust } from '#lib/survival/release.ts';
import { keysBody, realCrypto, signed, signedKeys, T0 } from './release.ts';

export const LISTED = '/dns4/relay.example/tcp/443/wss/p2p/12D3KooWQMvjzHi7MgHx1m9yZsUbmU8LT1vyo7K6hA6CRcEJN8TK';

export function directoryBody(change: Partial<Directory> = {}): Directory {
	return {
		line: 'fireweed-test',
		keys: 1,
		sequence: 1,
		relays: [LISTED],
		issuedAt: T0,
		expiresAt: T0 + 90 * 86_400_000,
		extensions: {},
		...change
	};
}

/** A SignedDirectory under `chain` (the first keys of the test line unless said otherwise). */
export async function signedDirectory(
	change: Partial<Directory> = {},
	signers: readonly number[] = [11],
	chain?: readonly Uint8Array[]
): Promise<Uint8Array> {
	const keys = encodeChain(chain ?? [(await signedKeys(keysBody(), [1, 2])).bytes]);
	return encodeSignedDirectory(keys, (await signed(directory, directoryBody(change), signers)).bytes);
}

/** What a tab of the test line does with one. */
export const believeTestList =
	(now: () => number, known: Partial<Trust> = {}): DoorsInit['believe'] =>
	async (bytes, held) => {
		const root = (await signedKeys(keysBody(), [1, 2])).bytes;
		const found = await believeDirectory(bytes, { root, ...known, held }, realCrypto, now());
		const { directory: body, cid, bytes: document, ...marks } = found;
		const { keys, sequence, relays, expiresAt } = body;
		return { relays, expiresAt, ...marks, place: { keys, sequence, cid }, document };
	};
