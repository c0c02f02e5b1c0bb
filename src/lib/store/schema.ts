/**
 * The database of one app directory, its tables, and how an older shape becomes the present one. A migration is never edited once
 * released: tests/fixtures/store-v<n>.json holds what it must read.
 */
import { openDB, type IDBPDatabase, type IDBPTransaction } from 'idb';
import { assigned } from './assigned.ts';
import { bids } from './bids.ts';
import { capabilities } from './capabilities.ts';
import { conversations } from './conversations.ts';
import { jobs } from './jobs.ts';
import { known } from './known.ts';
import { messages } from './messages.ts';
import { met } from './met.ts';
import { receipts } from './receipts.ts';
import { settings } from './settings.ts';
import { hasShape } from './shape.ts';
import type { Records, TableName, TableSpec, Write } from './table.ts';

export const TABLES: { readonly [N in TableName]: TableSpec<Records[N]> } = {
	conversations,
	messages,
	jobs,
	bids,
	assigned,
	receipts,
	capabilities,
	settings,
	met,
	known
};

/** Index by the table's time field, in every table. */
export const BY_TIME = 'time';
/** Index of messages by conversation, then order. */
export const BY_CONVERSATION = 'conversation';

/** Takes the database from version n (its place in the list) to n + 1. */
export type Migration = (
	database: IDBPDatabase,
	transaction: IDBPTransaction<unknown, string[], 'versionchange'>
) => void | Promise<void>;

export const MIGRATIONS: readonly Migration[] = [
	(database) => {
		for (const [name, key, time] of [
			['conversations', 'id', 'updatedAt'],
			['messages', 'id', 'createdAt'],
			['jobs', 'id', 'createdAt'],
			['bids', 'id', 'heardAt'],
			['assigned', 'id', 'createdAt'],
			['receipts', 'cid', 'createdAt'],
			['capabilities', 'id', 'savedAt'],
			['settings', 'id', 'savedAt']
		] as const) {
			const table = database.createObjectStore(name, { keyPath: key });
			table.createIndex(BY_TIME, time);
			if (name === 'messages') table.createIndex(BY_CONVERSATION, ['conversation', 'order']);
		}
	},
	(database) => {
		database.createObjectStore('met', { keyPath: 'id' }).createIndex(BY_TIME, 'lastMetAt');
	},
	(database) => {
		database.createObjectStore('known', { keyPath: 'id' }).createIndex(BY_TIME, 'at');
	}
];

export interface OpenDatabase {
	/** Directory the app is served from: two releases on one path gateway must not mix. */
	readonly directory: string;
	readonly migrations: readonly Migration[];
	/** An older tab holds the database and has not stepped aside yet. */
	readonly onBlocked: () => void;
	/** A newer tab needs the database; this one has closed its connection. */
	readonly onSuperseded: () => void;
	/** The browser took the database away, e.g. because site data was cleared. */
	readonly onTerminated: () => void;
}

/** Rejects with the browser's own error; `VersionError` when a newer app has changed the database already. */
export async function openDatabase(options: OpenDatabase): Promise<IDBPDatabase> {
	const { migrations } = options;
	const database: IDBPDatabase = await openDB(`fireweed:${options.directory}`, migrations.length, {
		upgrade: (upgrading, oldVersion, _newVersion, transaction) => {
			const migrateAll = async (): Promise<void> => {
				for (const migrate of migrations.slice(oldVersion)) await migrate(upgrading, transaction);
			};
			// Said by `openDB` too, as its own rejection.
			transaction.done.catch(() => undefined);
			// idb does not wait for an upgrade: without this, half a migration would be committed under the new number.
			migrateAll().catch(() => transaction.abort());
		},
		blocked: options.onBlocked,
		blocking: () => {
			database.close();
			options.onSuperseded();
		},
		terminated: options.onTerminated
	});
	return database;
}

export function isTableName(value: unknown): value is TableName {
	return typeof value === 'string' && Object.hasOwn(TABLES, value);
}

/** Whether the value is a record of the table. */
export function isRecord<N extends TableName>(table: N, value: unknown): value is Records[N] {
	return hasShape<Records[N]>(value, TABLES[table].shape);
}

export function keyOf(table: TableName, value: unknown): string {
	const fields: Readonly<Record<string, unknown>> = { ...(value ?? {}) };
	return String(fields[TABLES[table].key]);
}

/** The key a write is about. */
export function keyOfWrite(write: Write): string {
	return write.kind === 'put' ? keyOf(write.table, write.value) : write.key;
}
