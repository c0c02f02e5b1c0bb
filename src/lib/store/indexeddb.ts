/** Records in IndexedDB. */
import type { IDBPDatabase } from 'idb';
import type { Message, TableChange } from '#lib/ports/store.ts';
import { isQuota, storageRefusal, type Backend, type OnSkip } from './backend.ts';
import { BY_CONVERSATION, BY_TIME, isRecord, keyOf, keyOfWrite, TABLES } from './schema.ts';
import type { Records, TableName, Write } from './table.ts';

export class IndexedBackend implements Backend {
	readonly durability = 'kept';
	readonly #database: IDBPDatabase;
	readonly #onSkip: OnSkip;

	constructor(database: IDBPDatabase, onSkip: OnSkip) {
		this.#database = database;
		this.#onSkip = onSkip;
	}

	get<N extends TableName>(table: N, key: string): Promise<Records[N] | undefined> {
		return storing(async () => {
			const value: unknown = await this.#database.get(table, key);
			return value !== undefined && this.#accept(table, value) ? value : undefined;
		});
	}

	list<N extends TableName>(table: N, limit: number | undefined): Promise<readonly Records[N][]> {
		return storing(async () => {
			if (limit === undefined) {
				const all: unknown[] = await this.#database.getAllFromIndex(table, BY_TIME);
				return all.reverse().filter((value) => this.#accept(table, value));
			}
			const found: Records[N][] = [];
			if (limit <= 0) return found;
			let cursor = await this.#database.transaction(table).store.index(BY_TIME).openCursor(null, 'prev');
			while (cursor !== null && found.length < limit) {
				const value: unknown = cursor.value;
				if (this.#accept(table, value)) found.push(value);
				cursor = await cursor.continue();
			}
			return found;
		});
	}

	messagesOf(conversation: string): Promise<readonly Message[]> {
		return storing(async () => {
			// An array sorts after every number, so this is the whole conversation whatever its orders.
			const range = IDBKeyRange.bound([conversation], [conversation, []]);
			const all: unknown[] = await this.#database.getAllFromIndex('messages', BY_CONVERSATION, range);
			return all.filter((value) => this.#accept('messages', value));
		});
	}

	write(write: Write): Promise<readonly TableChange[]> {
		return storing(async () => {
			const transaction = this.#database.transaction(write.table, 'readwrite');
			const work = async (): Promise<TableChange[]> => {
				const key = keyOfWrite(write);
				if (write.kind === 'delete') {
					await transaction.store.delete(key);
					return [{ key, kind: 'delete' }];
				}
				await transaction.store.put(write.value);
				const changes: TableChange[] = [{ key, kind: 'put' }];
				const { keep } = TABLES[write.table];
				let surplus = keep === undefined ? 0 : (await transaction.store.count()) - keep;
				let oldest = surplus > 0 ? await transaction.store.index(BY_TIME).openKeyCursor() : null;
				for (; oldest !== null && surplus > 0; surplus--) {
					const old = String(oldest.primaryKey);
					await transaction.store.delete(old);
					changes.push({ key: old, kind: 'delete' });
					oldest = await oldest.continue();
				}
				return changes;
			};
			const worked = work().catch((error: unknown) => {
				abort(transaction);
				throw error;
			});
			const [changes, done] = await Promise.allSettled([worked, transaction.done]);
			// When the disk is full at commit, requests fail with AbortError and only the transaction knows why.
			if (done.status === 'rejected' && isQuota(done.reason)) throw done.reason;
			if (changes.status === 'rejected') throw changes.reason;
			if (done.status === 'rejected') throw done.reason;
			return changes.value;
		});
	}

	close(): void {
		this.#database.close();
	}

	#accept<N extends TableName>(table: N, value: unknown): value is Records[N] {
		if (isRecord(table, value)) return true;
		this.#onSkip(table, keyOf(table, value));
		return false;
	}
}

/** A write is whole or not at all, even when the call that failed did not reach the database. */
function abort(transaction: { abort(): void }): void {
	try {
		transaction.abort();
	} catch {
		// It has ended already, by the failure itself.
	}
}

async function storing<T>(act: () => Promise<T>): Promise<T> {
	try {
		return await act();
	} catch (error) {
		throw storageRefusal(error);
	}
}
