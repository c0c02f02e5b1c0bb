/** The key database of every earlier release is read whole by this one: losing it would lose the person's identity. A version without its fixture is a failed test. */
import 'fake-indexeddb/auto';
import { existsSync, readFileSync } from 'node:fs';
import { openDB } from 'idb';
import { describe, expect, test } from 'vitest';
import { KEYS_VERSION, openKeyDatabase } from '#lib/keys/database.ts';
import { browserPlatform, openKeys } from '#lib/keys/keys.ts';
import { formatDid, formatPeerId } from '#lib/protocol/did.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { revive } from '../fixtures/store-shape.ts';

/** One version as it lay on a device (tests/fixtures/keys.make.ts). */
interface KeysFixture {
	readonly accounts: readonly { readonly did: string }[];
	readonly current: string;
	readonly nodes: readonly { readonly id: string }[];
	readonly ends: readonly unknown[];
}

const file = (version: number) => new URL(`../fixtures/keys-v${version}.json`, import.meta.url);
const VERSIONS = Array.from({ length: KEYS_VERSION }, (_, i) => i + 1);

/** The database as that version made it, in the words of its time and not by today's code. */
async function plant(directory: string, version: number, { accounts, current, nodes, ends }: KeysFixture) {
	const database = await openDB(`fireweed-keys:${directory}`, version, {
		upgrade: (fresh) => {
			fresh.createObjectStore('accounts', { keyPath: 'did' });
			fresh.createObjectStore('current');
			fresh.createObjectStore('nodes', { keyPath: 'id' });
			if (version >= 2) fresh.createObjectStore('ends', { autoIncrement: true });
		}
	});
	for (const account of accounts) await database.put('accounts', revive(account));
	for (const node of nodes) await database.put('nodes', revive(node));
	for (const end of ends) await database.put('ends', revive(end));
	await database.put('current', current, 'account');
	database.close();
}

describe.each(VERSIONS)('a device that version %i left', (version) => {
	test('has the same account and node key, which sign, and ends of accounts can be kept', async () => {
		expect(existsSync(file(version)), `tests/fixtures/keys-v${version}.json`).toBe(true);
		const fixture = JSON.parse(readFileSync(file(version), 'utf8')) as KeysFixture;
		const pathname = `/left-by-${version}/`;
		await plant(pathname, version, fixture);
		const locks = { request: async (_name: string, _options: object, work: (lock: object) => unknown) => work({}) };
		const platform = { ...browserPlatform(), tabMemory: undefined, locks: locks as never };
		const keys = await openKeys({ pathname, now: () => 1_795_000_060_000 }, platform);
		const identity = await keys.identity();
		expect(identity.kept).toBe('device');
		expect(formatDid(identity.accountKey)).toBe(fixture.current);
		expect(formatPeerId(identity.node.publicKey)).toBe(fixture.nodes[0]?.id);
		const text = new TextEncoder().encode('still me');
		expect(verifySignature(identity.node.publicKey, text, await identity.node.sign(text))).toBe(true);
		await keys.close();
		const database = await openKeyDatabase(pathname);
		expect(await database.ends()).toEqual(fixture.ends.map(revive));
		await database.keepEnd({ own: false, document: text } as never);
		expect(await database.ends()).toHaveLength(fixture.ends.length + 1);
		database.close();
	});
});
