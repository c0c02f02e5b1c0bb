/** Records in IndexedDB. */
import type { IDBPDatabase } from 'idb';
import type { Message, Snapshot, TableChange } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { isQuota, storageRefusal, type Backend, type Merged, type OnSkip } from './backend.ts';
import { MOVING, type MergePlan } from './merge.ts';
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
				return [{ key, kind: 'put' }, ...(await trimmed(write.table, transaction.store))];
			};
			return whole(transaction, work);
		});
	}

	merge(plan: (here: Snapshot) => MergePlan, commit: boolean, signal?: AbortSignal): Promise<Merged> {
		return storing(async () => {
			const transaction = this.#database.transaction([...MOVING], commit ? 'readwrite' : 'readonly');
			const stop = () => abort(transaction);
			const work = async (): Promise<Merged> => {
				const read = MOVING.map(async (table) => {
					const all: unknown[] = await transaction.objectStore(table).getAll();
					return [table, all.filter((value) => this.#accept(table, value))] as const;
				});
				// Every table was read by its own shape; the compiler loses that in the list.
				const planned = plan(Object.fromEntries(await Promise.all(read)) as unknown as Snapshot);
				const changes = new Map<TableName, TableChange[]>();
				if (!commit) return { plan: planned, changes };
				for (const table of MOVING) {
					const store = transaction.objectStore(table);
					const put = planned.add[table].map(async (value): Promise<TableChange> => {
						await store.put?.(value);
						return { key: keyOf(table, value), kind: 'put' };
					});
					const added = await Promise.all(put);
					if (added.length > 0) changes.set(table, [...added, ...(await trimmed(table, store))]);
				}
				return { plan: planned, changes };
			};
			signal?.addEventListener('abort', stop);
			try {
				if (signal?.aborted === true) stop();
				return await whole(transaction, work);
			} catch (error) {
				if (signal?.aborted === true) throw new Refusal('aborted');
				throw error;
			} finally {
				signal?.removeEventListener('abort', stop);
			}
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

/** Deletes what is beyond the table's limit, oldest first. */
async function trimmed(table: TableName, store: TrimmedStore): Promise<TableChange[]> {
	const changes: TableChange[] = [];
	const { keep } = TABLES[table];
	let surplus = keep === undefined ? 0 : (await store.count()) - keep;
	let oldest = surplus > 0 ? await store.index(BY_TIME).openKeyCursor() : null;
	for (; oldest !== null && surplus > 0; surplus--) {
		const old = String(oldest.primaryKey);
		await store.delete?.(old);
		changes.push({ key: old, kind: 'delete' });
		oldest = await oldest.continue();
	}
	return changes;
}

/** What trimming needs of an object store, whichever transaction it belongs to. */
interface TrimmedStore {
	count(): Promise<number>;
	index(name: string): { openKeyCursor(): Promise<KeyCursor | null> };
	delete?: ((key: string) => Promise<void>) | undefined;
}

interface KeyCursor {
	readonly primaryKey: unknown;
	continue(): Promise<KeyCursor | null>;
}

/** Does the work in the transaction and waits until it is committed; a failure of either undoes both. */
async function whole<T>(
	transaction: { abort(): void; readonly done: Promise<void> },
	work: () => Promise<T>
): Promise<T> {
	const worked = work().catch((error: unknown) => {
		abort(transaction);
		throw error;
	});
	const [result, done] = await Promise.allSettled([worked, transaction.done]);
	// When the disk is full at commit, requests fail with AbortError and only the transaction knows why.
	if (done.status === 'rejected' && isQuota(done.reason)) throw done.reason;
	if (result.status === 'rejected') throw result.reason;
	if (done.status === 'rejected') throw done.reason;
	return result.value;
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
		throw error instanceof Refusal ? error : storageRefusal(error);
	}
}
