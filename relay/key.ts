/** The relay's own key: one file, made on first start, so that its address stays the same after a restart. */
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { Refusal } from '#lib/protocol/errors.ts';

/** Reads the key or makes one, readable by its owner only. Refusal `malformed` when the file holds something else. */
export async function loadKey(file: string): Promise<PrivateKey> {
	const known = await readFile(file).catch((error: unknown) => {
		if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
		throw new Refusal('malformed', `FIREWEED_RELAY_KEY: ${file} cannot be read`);
	});
	if (known !== undefined) {
		try {
			return privateKeyFromProtobuf(known);
		} catch {
			// Never overwritten: it may be a key someone wants back.
			throw new Refusal('malformed', `FIREWEED_RELAY_KEY: ${file} holds no key`);
		}
	}
	const key = await generateKeyPair('Ed25519');
	await mkdir(dirname(file), { recursive: true });
	// `wx`: of two relays started at once on one file, one must lose instead of both speaking with different keys.
	const handle = await open(file, 'wx', 0o600);
	try {
		await handle.writeFile(privateKeyToProtobuf(key));
	} finally {
		await handle.close();
	}
	return key;
}
