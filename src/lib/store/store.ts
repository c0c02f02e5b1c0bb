/** The Store port over IndexedDB, or over memory where the browser keeps nothing (docs/spec/storage.md). */
import type { IDBPDatabase } from 'idb';
import type { Log } from '#lib/ports/log.ts';
import type { Merge, Message, MovableStore, Snapshot, Store, Table } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Backend } from './backend.ts';
import { IndexedBackend } from './indexeddb.ts';
import { TabWriter } from './leader.ts';
import { MemoryBackend } from './memory.ts';
import { planMerge } from './merge.ts';
import { isRecord, MIGRATIONS, openDatabase, type Migration } from './schema.ts';
import type { Records, TableName } from './table.ts';

/**
 * `blocked`: an older tab holds the database; opening waits. `superseded`: a newer tab took it over; this one keeps nothing more and should ask
 * for a reload. `newer`: the database was made by a newer app, so this tab works in memory. `refused`: the browser keeps nothing.
 * `terminated`: the browser took the database away.
 */
export type StoreNotice = 'blocked' | 'superseded' | 'newer' | 'refused' | 'terminated';

export interface StoreInit {
	/** `location.pathname` of the page: records belong to the directory the app is served from. */
	readonly pathname: string;
	/** Unix ms. */
	readonly now: () => number;
	readonly log?: Log;
	readonly onNotice?: (notice: StoreNotice) => void;
	/** For tests of upgrades; the released ones otherwise. */
	readonly migrations?: readonly Migration[];
	/** `memory` keeps nothing even where the browser could. */
	readonly keep?: 'device' | 'memory';
}

/** The port, and how much of what was read had to be left out. */
export interface DeviceStore extends MovableStore {
	/** Records that are on disk but are not records of their table; each counted once. */
	readonly skipped: number;
}

/** How long opening waits for an older tab to step aside, in ms; then this tab works in memory. A living tab does so at once. */
const BLOCKED_MS = 10_000;

/** Opens the profile's store. Never rejects: without storage it works in memory and says so (`durability`, `onNotice`). */
export async function openStore(init: StoreInit): Promise<DeviceStore> {
	const { now, log = () => undefined } = init;
	const name = `fireweed-store:${directoryOf(init.pathname)}`;
	const skipped = new Set<string>();
	// The database may call before the store stands.
	const late: { store?: BrowserStore } = {};
	const database = init.keep === 'memory' ? undefined : await openOrNothing(init, () => late.store?.lose());
	const backend = database
		? new IndexedBackend(database, (table, key) => {
				if (skipped.size < MAX_SKIPPED_NAMES) skipped.add(`${table} ${key}`);
				log('store-record-skipped', { table });
			})
		: new MemoryBackend();
	const channel = database ? new BroadcastChannel(name) : undefined;
	// Absent in an insecure context, whatever the types say.
	const { locks } = globalThis.navigator as Partial<Navigator>;
	const writer = new TabWriter({ backend, name, locks, channel, now, log });
	const store = new BrowserStore(backend, writer, skipped);
	late.store = store;
	await writer.start();
	return store;
}

/** Enough to know that something is wrong; the count is for a line on the settings page. */
const MAX_SKIPPED_NAMES = 10_000;

async function openOrNothing(init: StoreInit, lose: () => void): Promise<IDBPDatabase | undefined> {
	const tell = init.onNotice ?? (() => undefined);
	const gaveUp = Promise.withResolvers<undefined>();
	let timer: ReturnType<typeof setTimeout> | undefined;
	const opening = openDatabase({
		directory: directoryOf(init.pathname),
		migrations: init.migrations ?? MIGRATIONS,
		onBlocked: () => {
			tell('blocked');
			timer = setTimeout(() => gaveUp.resolve(undefined), BLOCKED_MS);
		},
		onSuperseded: () => {
			lose();
			tell('superseded');
		},
		onTerminated: () => {
			lose();
			tell('terminated');
		}
	});
	try {
		const database = await Promise.race([opening, gaveUp.promise]);
		// Opened after all, too late: this tab's records would be split between memory and disk.
		if (database === undefined) void opening.then((tooLate) => tooLate.close()).catch(() => undefined);
		return database;
	} catch (error) {
		tell(error instanceof Error && error.name === 'VersionError' ? 'newer' : 'refused');
		return undefined;
	} finally {
		clearTimeout(timer);
	}
}

class BrowserStore implements DeviceStore {
	readonly conversations: Store['conversations'];
	readonly messages: Store['messages'];
	readonly jobs: Store['jobs'];
	readonly bids: Store['bids'];
	readonly assigned: Store['assigned'];
	readonly receipts: Store['receipts'];
	readonly capabilities: Store['capabilities'];
	readonly settings: Store['settings'];
	readonly met: Store['met'];
	readonly known: Store['known'];
	readonly #backend: Backend;
	readonly #writer: TabWriter;
	readonly #skipped: ReadonlySet<string>;

	constructor(backend: Backend, writer: TabWriter, skipped: ReadonlySet<string>) {
		this.#backend = backend;
		this.#writer = writer;
		this.#skipped = skipped;
		this.conversations = tableOf('conversations', backend, writer);
		this.messages = {
			...tableOf('messages', backend, writer),
			of: (conversation: string): Promise<readonly Message[]> => backend.messagesOf(conversation)
		};
		this.jobs = tableOf('jobs', backend, writer);
		this.bids = tableOf('bids', backend, writer);
		this.assigned = tableOf('assigned', backend, writer);
		this.receipts = tableOf('receipts', backend, writer);
		this.capabilities = tableOf('capabilities', backend, writer);
		this.settings = tableOf('settings', backend, writer);
		this.met = tableOf('met', backend, writer);
		this.known = tableOf('known', backend, writer);
	}

	get durability(): Store['durability'] {
		return this.#backend.durability;
	}

	get leading(): boolean {
		return this.#writer.leading;
	}

	get skipped(): number {
		return this.#skipped.size;
	}

	async snapshot(): Promise<Snapshot> {
		// Everything in one transaction: a message never comes without its conversation.
		const { promise, resolve } = Promise.withResolvers<Snapshot>();
		await this.#writer.merge((here) => {
			resolve(here);
			return planMerge(here, {});
		}, false);
		return promise;
	}

	merge(snapshot: unknown, how: 'look' | 'add', signal?: AbortSignal): Promise<Merge> {
		return this.#writer.merge((here) => planMerge(here, snapshot), how === 'add', signal);
	}

	async close(): Promise<void> {
		await this.#writer.close();
		this.#backend.close();
	}

	/** The database is gone from under us: another tab must not wait for this one to write. */
	lose(): void {
		this.#writer.leave();
	}
}

function tableOf<N extends TableName>(table: N, backend: Backend, writer: TabWriter): Table<Records[N]> {
	return {
		get: (key) => backend.get(table, key),
		list: (limit) => backend.list(table, limit),
		put: (value) => {
			// Refused here, where the mistake is, and not as a record that nobody can read later.
			if (!isRecord(table, value)) return Promise.reject(new Refusal('malformed', `record of ${table}`));
			return writer.write({ kind: 'put', table, value });
		},
		delete: (key) => writer.write({ kind: 'delete', table, key }),
		observe: (listener) => writer.observe(table, listener)
	};
}

function directoryOf(pathname: string): string {
	return pathname.slice(0, pathname.lastIndexOf('/') + 1);
}
