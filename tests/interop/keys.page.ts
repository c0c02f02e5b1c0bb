/** What a tab does in keys.browser.test.ts; called from there by name. */
import { openCrypto } from '#lib/keys/crypto.ts';
import { openKeys, type DeviceKeys } from '#lib/keys/keys.ts';
import { provenSubtle } from '#lib/keys/native.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { cryptoDisagreements, forgeriesTakenBy } from '../compliance/crypto.ts';
import { KEYS_CASES } from '../compliance/keys.ts';
import { refusalOf } from '../compliance/store.ts';

const held: { keys?: DeviceKeys } = {};

async function keysHere(): Promise<DeviceKeys> {
	held.keys ??= await openKeys({ pathname: location.pathname, now: Date.now });
	return held.keys;
}

const page = {
	runCase: async (name: string): Promise<void> => {
		const pathname = `/${crypto.randomUUID()}/`;
		const one = KEYS_CASES.find((candidate) => candidate.name === name);
		if (one === undefined) throw new Error(`no case ${name}`);
		// Both "tabs" of a case live in this one, so they must not share its sessionStorage.
		await one.run({ shared: true, secure: true, open: () => openKeys({ pathname, now: Date.now }, platform()) });
	},
	disagreements: async () => {
		const native = await openCrypto({ subtle: crypto.subtle });
		const noble = await openCrypto({ subtle: undefined });
		return {
			native: native.native,
			byNative: await cryptoDisagreements(native),
			byNoble: await cryptoDisagreements(noble)
		};
	},
	forgeriesTaken: (): Promise<string[]> => forgeriesTakenBy(crypto.subtle),
	identity: async () => {
		const { account, node, kept } = await (await keysHere()).identity();
		const message = Uint8Array.of(1, 2, 3);
		return {
			account,
			node: formatPeerId(node.publicKey),
			kept,
			signs: verifySignature(node.publicKey, message, await node.sign(message))
		};
	},
	hasNative: async (): Promise<boolean> => (await provenSubtle(globalThis.crypto.subtle)) !== undefined,
	/** What export of each stored private key gives. */
	exportStored: async (): Promise<string[]> => {
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			const opening = indexedDB.open(`fireweed-keys:${location.pathname}`);
			opening.onsuccess = () => resolve(opening.result);
			opening.onerror = () => reject(new Error('no database'));
		});
		const read = (table: string) =>
			new Promise<{ material: { key: CryptoKey } }[]>((resolve) => {
				const reading = database.transaction(table).objectStore(table).getAll();
				reading.onsuccess = () => resolve(reading.result as { material: { key: CryptoKey } }[]);
			});
		const records = [...(await read('accounts')), ...(await read('nodes'))];
		database.close();
		return Promise.all(
			records.map(({ material }) =>
				crypto.subtle.exportKey('pkcs8', material.key).then(
					() => 'exported',
					(error: unknown) => (error instanceof Error ? error.name : 'refused')
				)
			)
		);
	},
	exportAccount: async (passphrase: string): Promise<number[]> => [
		...(await (await keysHere()).exportAccount(passphrase))
	],
	exportRefusal: async (passphrase: string): Promise<string> => refusalOf((await keysHere()).exportAccount(passphrase)),
	importAccount: async (file: number[], passphrase: string): Promise<string> =>
		refusalOf(
			(async () => {
				const opened = await (await keysHere()).openBackup(Uint8Array.from(file), passphrase);
				await (await opened.stage()).use();
			})()
		)
};

function platform() {
	const { subtle } = crypto;
	const { locks } = navigator;
	return {
		subtle,
		locks,
		indexedDB,
		tabMemory: undefined,
		random: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes)
	};
}

export type KeysPage = typeof page;
Object.assign(globalThis, { page });
