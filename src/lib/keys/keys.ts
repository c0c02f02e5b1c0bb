/** The Keys port: one account per profile, one node key per tab, one key per job (docs/spec/identity.md). */
import type { EndableKeys, Identity, KeptEnd, MovableKeys, OpenedBackup, Signer } from '#lib/ports/keys.ts';
import { revoke, succeed } from '#lib/protocol/account-end.ts';
import { certify, nodeCertificate } from '#lib/protocol/certificate.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import { accountOf, newAccount, secretOf } from './account.ts';
import { openAccount, sealAccount, type AccountSecret } from './accountfile.ts';
import { isBackup, openBackup, sealBackup } from './backup.ts';
import {
	openKeyDatabase,
	SessionKeyDatabase,
	type AccountRecord,
	type KeyDatabase,
	type NodeRecord
} from './database.ts';
import { newMaterial, signerOf, type FillRandom, type KeyMaterial } from './material.ts';
import { provenSubtle } from './native.ts';
import { claimNode, type Claim } from './pool.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** A certificate with less than this left is replaced when its tab starts, so that no session of ordinary length outlives it. */
export const RENEW_BEFORE_MS = 30 * DAY_MS;

export interface KeysInit {
	/** `location.pathname` of the page: keys belong to the directory the app is served from. */
	readonly pathname: string;
	/** `location.protocol`. */
	readonly protocol?: string;
	/** Unix ms. */
	readonly now: () => number;
}

/** What the browser offers; `browserPlatform()` in a tab. Undefined where it is withheld. */
export interface KeysPlatform {
	readonly subtle: SubtleCrypto | undefined;
	readonly random: FillRandom;
	readonly locks: LockManager | undefined;
	readonly indexedDB: IDBFactory | undefined;
	/** `sessionStorage`. */
	readonly tabMemory: Pick<Storage, 'getItem' | 'setItem'> | undefined;
}

/** The port, and how it ends. */
export interface DeviceKeys extends MovableKeys, EndableKeys {
	/** Gives this tab's node key back to the pool. Harmless when repeated. */
	close(): Promise<void>;
}

export function browserPlatform(): KeysPlatform {
	const { crypto, navigator, indexedDB } = globalThis;
	return {
		// Both are absent in an insecure context, whatever the types say.
		subtle: (crypto as Partial<typeof crypto>).subtle,
		locks: (navigator as Partial<typeof navigator>).locks,
		random: (bytes) => crypto.getRandomValues(bytes),
		indexedDB,
		tabMemory: tabMemoryOf(globalThis)
	};
}

/**
 * A path gateway serves every CID from one origin, so any other CID's page could read what we keep (protocol.md 10).
 * A subdomain gateway (`<cid>.ipfs.…`) gives each CID an origin of its own and is not meant.
 */
export function isSharedOrigin(pathname: string, protocol = 'https:'): boolean {
	// Chromium keeps one storage for all pages opened from disk (docs/decisions/carried-file.md).
	return protocol === 'file:' || /^\/(ipfs|ipns)\/[^/]+/.test(pathname);
}

/**
 * Opens the profile's keys, or keys for this tab alone (`kept: 'session'`) where nothing may or can be kept: shared origin, no
 * IndexedDB, no Web Locks, insecure context. Never rejects for those.
 */
export async function openKeys(init: KeysInit, platform: KeysPlatform = browserPlatform()): Promise<DeviceKeys> {
	const native = await provenSubtle(platform.subtle);
	const keeps =
		platform.subtle && platform.locks && platform.indexedDB && !isSharedOrigin(init.pathname, init.protocol);
	const database = keeps ? await openKeyDatabase(directoryOf(init.pathname)).catch(() => undefined) : undefined;
	return new BrowserKeys(init, platform, native, database);
}

class BrowserKeys implements DeviceKeys {
	readonly #init: KeysInit;
	readonly #platform: KeysPlatform;
	readonly #native: SubtleCrypto | undefined;
	#database: KeyDatabase;
	#kept: Identity['kept'];
	#identity: Promise<Identity> | undefined;
	#claim: Claim | undefined;
	/** What the keys of this page's jobs are made of, to be kept when one asks for it. */
	readonly #jobs = new WeakMap<Signer, KeyMaterial>();

	constructor(
		init: KeysInit,
		platform: KeysPlatform,
		native: SubtleCrypto | undefined,
		database: KeyDatabase | undefined
	) {
		this.#init = init;
		this.#platform = platform;
		this.#native = native;
		this.#database = database ?? new SessionKeyDatabase();
		this.#kept = database === undefined ? 'session' : 'device';
	}

	identity(): Promise<Identity> {
		this.#identity ??= this.#establish().catch((error: unknown) => {
			this.#identity = undefined;
			throw error;
		});
		return this.#identity;
	}

	async jobKey(): Promise<Signer> {
		const material = await newMaterial(this.#native, this.#platform.random);
		const signer = signerOf(material, this.#native);
		this.#jobs.set(signer, material);
		return signer;
	}

	async keepJobKey(key: Signer): Promise<void> {
		const material = this.#jobs.get(key);
		if (material === undefined) return;
		const record = { id: toHex(key.publicKey), createdAt: this.#init.now(), material };
		await this.#database.keepJob(record).catch(() => undefined);
	}

	async keptJobKey(publicKey: Uint8Array): Promise<Signer | undefined> {
		const record = await this.#database.job(toHex(publicKey)).catch(() => undefined);
		return record && signerOf(record.material, this.#native);
	}

	async dropJobKey(publicKey: Uint8Array): Promise<void> {
		await this.#database.dropJob(toHex(publicKey)).catch(() => undefined);
	}

	async exportAccount(passphrase: string): Promise<Uint8Array> {
		await this.identity();
		const secret = await secretOf(await this.#account(), this.#native);
		try {
			return await sealAccount(secret, passphrase, this.#platform.subtle, this.#platform.random);
		} finally {
			secret.seed.fill(0);
		}
	}

	async backUp(passphrase: string, records: unknown): Promise<Uint8Array> {
		await this.identity();
		const account = await this.#account();
		const secret = await secretOf(account, this.#native);
		try {
			const revocation = account.revocation ?? (await this.#revocationOf(account));
			const contents = { secret, revocation, madeAt: this.#init.now(), records };
			return await sealBackup(contents, passphrase, this.#platform);
		} finally {
			secret.seed.fill(0);
		}
	}

	async openBackup(file: Uint8Array, passphrase: string): Promise<OpenedBackup> {
		const { subtle } = this.#platform;
		if (isBackup(file)) {
			const { secret, madeAt, records } = await openBackup(file, passphrase, subtle);
			return { account: secret.account, madeAt, records, ...this.#stageable(secret) };
		}
		const secret = await openAccount(file, passphrase, subtle);
		return { account: secret.account, madeAt: undefined, records: undefined, ...this.#stageable(secret) };
	}

	#stageable(secret: AccountSecret): Pick<OpenedBackup, 'stage' | 'forget'> {
		return {
			stage: async () => {
				const bare = await accountOf(secret, this.#native, this.#platform.random);
				const record = { ...bare, revocation: await this.#revocationOf(bare) };
				const isNew = await this.#database.keepAccount(record);
				return {
					use: async () => {
						await this.#database.useAccount(record, true);
						await this.#identity?.catch(() => undefined);
						this.#letGo();
					},
					undo: async () => {
						if (isNew) await this.#database.dropAccount(record.did);
					}
				};
			},
			forget: () => secret.seed.fill(0)
		};
	}

	ends(): Promise<readonly KeptEnd[]> {
		return this.#database.ends();
	}

	keepEnd(end: KeptEnd): Promise<void> {
		return this.#database.keepEnd(end);
	}

	async revocation(): Promise<Uint8Array> {
		await this.identity();
		const account = await this.#account();
		return account.revocation ?? this.#revocationOf(account);
	}

	async succeed(): Promise<Uint8Array> {
		await this.identity();
		const [before, after] = [await this.#account(), await this.#newAccount()];
		const [old, heir] = [before, after].map(({ material }) => signerOf(material, this.#native)) as [Signer, Signer];
		const bytes = await succeed(old, heir, this.#init.now());
		// In this order: whatever fails, the key that others believe is still here.
		await this.#database.keepAccount(after);
		await this.#database.keepEnd({ bytes, own: true });
		await this.#replace(before, after);
		return bytes;
	}

	async startOver(): Promise<void> {
		await this.identity();
		await this.#replace(await this.#account(), await this.#newAccount());
	}

	async #replace(before: AccountRecord, after: AccountRecord): Promise<void> {
		await this.#database.useAccount(after, true);
		await this.#database.dropAccount(before.did);
		this.#letGo();
	}

	async #newAccount(): Promise<AccountRecord> {
		const made = await newAccount(this.#init.now(), this.#native, this.#platform.random);
		return { ...made, revocation: await this.#revocationOf(made) };
	}

	#revocationOf({ material }: AccountRecord): Promise<Uint8Array> {
		return revoke(signerOf(material, this.#native), this.#init.now());
	}

	async close(): Promise<void> {
		await this.#identity?.catch(() => undefined);
		this.#letGo();
		this.#database.close();
	}

	#letGo(): void {
		this.#identity = undefined;
		this.#claim?.release();
		this.#claim = undefined;
	}

	/** A database that opened may still refuse to keep (full disk, CryptoKeys in some private windows): then for this tab alone. */
	async #establish(): Promise<Identity> {
		try {
			return await this.#establishIn(this.#database);
		} catch (error) {
			const code = codeOf(error);
			if (this.#kept === 'session' || (code !== 'storage-full' && code !== 'storage-unavailable')) throw error;
			this.#claim?.release();
			this.#database.close();
			this.#database = new SessionKeyDatabase();
			this.#kept = 'session';
			return this.#establishIn(this.#database);
		}
	}

	async #establishIn(database: KeyDatabase): Promise<Identity> {
		const account = await this.#account();
		this.#claim = await this.#claimFor(account.did, () => this.#newNode(account));
		const node = await this.#renewed(this.#claim.record, account, database);
		return {
			account: account.did,
			accountKey: account.material.publicKey,
			node: signerOf(node.material, this.#native),
			peer: node.id,
			nodeSince: node.createdAt,
			certificate: node.certificate,
			kept: this.#kept
		};
	}

	/** Made before it is put in use, because an IndexedDB transaction cannot wait for key generation; of two tabs, the first wins. */
	async #account(): Promise<AccountRecord> {
		const inUse = await this.#database.account();
		if (inUse !== undefined) return inUse;
		return this.#database.useAccount(await this.#newAccount(), false);
	}

	async #claimFor(account: string, make: () => Promise<NodeRecord>): Promise<Claim> {
		const { locks, tabMemory } = this.#platform;
		if (this.#kept === 'session' || locks === undefined) return { record: await make(), release: () => undefined };
		const memoryName = `fireweed-node:${directoryOf(this.#init.pathname)}`;
		return claimNode({ database: this.#database, locks, tabMemory, memoryName }, account, make);
	}

	async #newNode(account: AccountRecord): Promise<NodeRecord> {
		const material = await newMaterial(this.#native, this.#platform.random);
		const certificate = await this.#certify(account, material.publicKey);
		const id = formatPeerId(material.publicKey);
		return { id, account: account.did, createdAt: this.#init.now(), material, certificate };
	}

	async #renewed(node: NodeRecord, account: AccountRecord, database: KeyDatabase): Promise<NodeRecord> {
		if (lastsFrom(this.#init.now(), node.certificate)) return node;
		const renewed = { ...node, certificate: await this.#certify(account, node.material.publicKey) };
		await database.keepNode(renewed);
		return renewed;
	}

	#certify(account: AccountRecord, node: Uint8Array): Promise<Uint8Array> {
		return certify(signerOf(account.material, this.#native), node, this.#init.now());
	}
}

/** Whether the certificate is good for some time yet. Not when it comes from the future either: this clock was wrong when it was made. */
function lastsFrom(now: number, certificate: Uint8Array): boolean {
	try {
		const { issuedAt, expiresAt } = read(nodeCertificate, certificate).body;
		return issuedAt <= now + CLOCK_SKEW_MS && expiresAt - now >= RENEW_BEFORE_MS;
	} catch {
		return false;
	}
}

function directoryOf(pathname: string): string {
	return pathname.slice(0, pathname.lastIndexOf('/') + 1);
}

/** Reading the property throws where cookies are blocked. */
function tabMemoryOf(page: { readonly sessionStorage?: Storage }): Storage | undefined {
	try {
		return page.sessionStorage;
	} catch {
		return undefined;
	}
}
