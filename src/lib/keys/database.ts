/**
 * Where the keys are kept: a database of their own, apart from the store's. A store upgrade that an old tab blocks, a store wiped
 * by its person, or a bug in a table then cannot take the identity with it, and no table API leads to a private key.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { KeptEnd } from '#lib/ports/keys.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { KeyMaterial } from './material.ts';
import type { SealedSeed } from './account.ts';

export interface AccountRecord {
	readonly did: string;
	/** Unix ms. */
	readonly createdAt: number;
	readonly material: KeyMaterial;
	/** The seed for an export, when `material` does not hold it. */
	readonly sealed: SealedSeed | undefined;
	/** AccountRevocationV1, signed when the account was made; missing in records of before there was one. */
	readonly revocation?: Uint8Array | undefined;
}

export interface NodeRecord {
	/** PeerId text. */
	readonly id: string;
	/** DID of the account that certified it. */
	readonly account: string;
	readonly createdAt: number;
	readonly material: KeyMaterial;
	/** Encoded NodeCertificateV1. */
	readonly certificate: Uint8Array;
}

/** The key of a job that runs at an executor. */
export interface JobKeyRecord {
	/** Hex of the public key. */
	readonly id: string;
	readonly createdAt: number;
	readonly material: KeyMaterial;
}

/** Jobs of one profile that can run at once, many times over; what is older belongs to jobs whose time is long past. */
const MAX_JOB_KEYS = 64;

/** Every method rejects with `storage-unavailable` or `storage-full` only. */
export interface KeyDatabase {
	/** The account in use. */
	account(): Promise<AccountRecord | undefined>;
	/** Keeps `record` and puts it in use, unless another is in use already and `replace` is false. Answers which is in use, atomically. */
	useAccount(record: AccountRecord, replace: boolean): Promise<AccountRecord>;
	/** Keeps `record` without putting it in use, unless that account is here already. Answers whether it was not. */
	keepAccount(record: AccountRecord): Promise<boolean>;
	/** Forgets an account that is not in use, with its node keys. */
	dropAccount(did: string): Promise<void>;
	/** Oldest first. */
	nodesOf(account: string): Promise<readonly NodeRecord[]>;
	keepNode(record: NodeRecord): Promise<void>;
	/**
	 * Statements about ended accounts, oldest first. They lie beside the keys: a store that is wiped must not bring a stolen key back to honour.
	 */
	ends(): Promise<readonly KeptEnd[]>;
	/** Keeps one; beyond `KEPT_ENDS` the oldest that is not one's own goes. */
	keepEnd(end: KeptEnd): Promise<void>;
	/** Keeps it and drops the oldest beyond MAX_JOB_KEYS. */
	keepJob(record: JobKeyRecord): Promise<void>;
	job(id: string): Promise<JobKeyRecord | undefined>;
	dropJob(id: string): Promise<void>;
	close(): void;
}

/** About half a megabyte. */
const KEPT_ENDS = 1_000;

interface Schema extends DBSchema {
	accounts: { key: string; value: AccountRecord };
	/** One entry, `account`: the DID in use. Earlier accounts stay in `accounts`: an import never destroys a key. */
	current: { key: string; value: string };
	nodes: { key: string; value: NodeRecord };
	/** Since version 2. */
	ends: { key: number; value: KeptEnd };
	/** Since version 3. */
	jobs: { key: string; value: JobKeyRecord };
}

/** Each has its fixture (tests/fixtures/keys-v<version>.json), which is never edited. */
export const KEYS_VERSION = 3;

/** Opens the device's key database of the app at `directory`. Rejects with `storage-unavailable` when the browser keeps nothing. */
export async function openKeyDatabase(directory: string): Promise<KeyDatabase> {
	const name = `fireweed-keys:${directory}`;
	return new DeviceKeyDatabase(
		await storing(() =>
			openDB<Schema>(name, KEYS_VERSION, {
				upgrade: (database, from) => {
					if (from < 1) {
						database.createObjectStore('accounts', { keyPath: 'did' });
						database.createObjectStore('current');
						database.createObjectStore('nodes', { keyPath: 'id' });
					}
					if (from < 2) database.createObjectStore('ends', { autoIncrement: true });
					if (from < 3) database.createObjectStore('jobs', { keyPath: 'id' });
				},
				// A newer app wants to change the shape: keys are held in memory by now, so stepping aside costs this tab nothing.
				blocking: (_current, _blocked, event) => {
					if (event.target instanceof IDBDatabase) event.target.close();
				}
			})
		)
	);
}

class DeviceKeyDatabase implements KeyDatabase {
	readonly #database: IDBPDatabase<Schema>;

	constructor(database: IDBPDatabase<Schema>) {
		this.#database = database;
	}

	account(): Promise<AccountRecord | undefined> {
		return storing(async () => {
			const did = await this.#database.get('current', 'account');
			return did === undefined ? undefined : readable(await this.#database.get('accounts', did));
		});
	}

	useAccount(record: AccountRecord, replace: boolean): Promise<AccountRecord> {
		return storing(async () => {
			const transaction = this.#database.transaction(['accounts', 'current'], 'readwrite');
			const accounts = transaction.objectStore('accounts');
			const did = await transaction.objectStore('current').get('account');
			const inUse = did === undefined ? undefined : readable(await accounts.get(did));
			if (inUse !== undefined && !replace) return inUse;
			await Promise.all([
				accounts.put(record),
				transaction.objectStore('current').put(record.did, 'account'),
				transaction.done
			]);
			return record;
		});
	}

	keepAccount(record: AccountRecord): Promise<boolean> {
		return storing(async () => {
			const { store, done } = this.#database.transaction('accounts', 'readwrite');
			const isNew = readable(await store.get(record.did)) === undefined;
			if (isNew) await store.put(record);
			await done;
			return isNew;
		});
	}

	dropAccount(did: string): Promise<void> {
		return storing(async () => {
			const transaction = this.#database.transaction(['accounts', 'current', 'nodes'], 'readwrite');
			const [accounts, nodes] = [transaction.objectStore('accounts'), transaction.objectStore('nodes')];
			if ((await transaction.objectStore('current').get('account')) !== did) {
				await accounts.delete(did);
				for (const node of await nodes.getAll()) if (node.account === did) await nodes.delete(node.id);
			}
			await transaction.done;
		});
	}

	nodesOf(account: string): Promise<readonly NodeRecord[]> {
		return storing(async () => {
			const all: readonly NodeRecord[] = await this.#database.getAll('nodes');
			return oldestFirst(all.filter((node) => node.account === account && readable(node) !== undefined));
		});
	}

	async keepNode(record: NodeRecord): Promise<void> {
		await storing(() => this.#database.put('nodes', record));
	}

	ends(): Promise<readonly KeptEnd[]> {
		return storing(() => this.#database.getAll('ends'));
	}

	async keepEnd(end: KeptEnd): Promise<void> {
		await storing(async () => {
			const { store, done } = this.#database.transaction('ends', 'readwrite');
			await store.add(end);
			let surplus = (await store.count()) - KEPT_ENDS;
			for (let oldest = await store.openCursor(); oldest !== null && surplus > 0; oldest = await oldest.continue()) {
				if (oldest.value.own) continue;
				await oldest.delete();
				surplus--;
			}
			await done;
		});
	}

	async keepJob(record: JobKeyRecord): Promise<void> {
		await storing(async () => {
			const transaction = this.#database.transaction('jobs', 'readwrite');
			const all = (await transaction.store.getAll()).sort((a, b) => b.createdAt - a.createdAt);
			const old = all.slice(MAX_JOB_KEYS - 1).map(({ id }) => transaction.store.delete(id));
			await Promise.all([transaction.store.put(record), ...old, transaction.done]);
		});
	}

	job(id: string): Promise<JobKeyRecord | undefined> {
		return storing(async () => readable(await this.#database.get('jobs', id)));
	}

	async dropJob(id: string): Promise<void> {
		await storing(() => this.#database.delete('jobs', id));
	}

	close(): void {
		this.#database.close();
	}
}

/** The same for a tab whose browser keeps nothing, or may not be trusted to. */
export class SessionKeyDatabase implements KeyDatabase {
	#account: AccountRecord | undefined;
	readonly #others = new Map<string, AccountRecord>();
	readonly #nodes = new Map<string, NodeRecord>();
	readonly #ends: KeptEnd[] = [];
	readonly #jobs = new Map<string, JobKeyRecord>();

	account(): Promise<AccountRecord | undefined> {
		return Promise.resolve(this.#account);
	}

	useAccount(record: AccountRecord, replace: boolean): Promise<AccountRecord> {
		if (this.#account === undefined || replace) this.#account = record;
		return Promise.resolve(this.#account);
	}

	keepAccount(record: AccountRecord): Promise<boolean> {
		const isNew = this.#account?.did !== record.did && !this.#others.has(record.did);
		if (isNew) this.#others.set(record.did, record);
		return Promise.resolve(isNew);
	}

	dropAccount(did: string): Promise<void> {
		this.#others.delete(did);
		return Promise.resolve();
	}

	nodesOf(account: string): Promise<readonly NodeRecord[]> {
		return Promise.resolve(oldestFirst([...this.#nodes.values()].filter((node) => node.account === account)));
	}

	keepNode(record: NodeRecord): Promise<void> {
		this.#nodes.set(record.id, record);
		return Promise.resolve();
	}

	ends(): Promise<readonly KeptEnd[]> {
		return Promise.resolve([...this.#ends]);
	}

	keepEnd(end: KeptEnd): Promise<void> {
		this.#ends.push(end);
		return Promise.resolve();
	}

	keepJob(record: JobKeyRecord): Promise<void> {
		this.#jobs.set(record.id, record);
		const [oldest] = this.#jobs.keys();
		if (oldest !== undefined && this.#jobs.size > MAX_JOB_KEYS) this.#jobs.delete(oldest);
		return Promise.resolve();
	}

	job(id: string): Promise<JobKeyRecord | undefined> {
		return Promise.resolve(this.#jobs.get(id));
	}

	dropJob(id: string): Promise<void> {
		this.#jobs.delete(id);
		return Promise.resolve();
	}

	close(): void {
		this.#jobs.clear();
		this.#nodes.clear();
		this.#account = undefined;
	}
}

/** What came back from disk is only believed with its key material whole: a browser update has been seen to drop CryptoKeys. */
function readable<T extends { readonly material: KeyMaterial }>(record: T | undefined): T | undefined {
	const material: Partial<Record<'form' | 'publicKey' | 'key' | 'seed', unknown>> | undefined = record?.material;
	if (!(material?.publicKey instanceof Uint8Array) || material.publicKey.length !== 32) return undefined;
	if (material.form === 'seed') return material.seed instanceof Uint8Array ? record : undefined;
	return material.form === 'native' && material.key instanceof CryptoKey ? record : undefined;
}

function oldestFirst(nodes: NodeRecord[]): readonly NodeRecord[] {
	return nodes.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

async function storing<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		const name = error instanceof Error ? error.name : 'unknown';
		throw new Refusal(name === 'QuotaExceededError' ? 'storage-full' : 'storage-unavailable', name);
	}
}
