/** Where records lie. Two implementations, one acceptance suite: IndexedDB, and memory for a tab whose browser keeps nothing. */
import type { Message, Snapshot, TableChange } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { MergePlan } from './merge.ts';
import type { Records, TableName, Write } from './table.ts';

/** Rejects with `storage-full` or `storage-unavailable` only; a rejected write has changed nothing. */
export interface Backend {
	readonly durability: 'kept' | 'memory';
	get<N extends TableName>(table: N, key: string): Promise<Records[N] | undefined>;
	/** Newest first; records of the same time by falling key. */
	list<N extends TableName>(table: N, limit: number | undefined): Promise<readonly Records[N][]>;
	messagesOf(conversation: string): Promise<readonly Message[]>;
	/**
	 * Resolves when it is committed, to what changed: the record, and any that the table's limit pushed out. The order of two writes is the
	 * order of the calls, because both begin before this returns.
	 */
	write(write: Write): Promise<readonly TableChange[]>;
	/**
	 * Reads everything that moves, asks `plan` what to add, and adds it, all in one transaction. Without `commit` it only reads. Rejects with
	 * `aborted` too, when `signal` ends it first; then nothing has changed.
	 */
	merge(plan: (here: Snapshot) => MergePlan, commit: boolean, signal?: AbortSignal): Promise<Merged>;
	close(): void;
}

/** What was planned, and what changed in each table. */
export interface Merged {
	readonly plan: MergePlan;
	readonly changes: ReadonlyMap<TableName, readonly TableChange[]>;
}

/** Hears of a record that is not one, and is left out. */
export type OnSkip = (table: TableName, key: string) => void;

/** The refusal for whatever a database threw. */
export function storageRefusal(error: unknown): Refusal {
	const name = error instanceof Error ? error.name : 'unknown';
	return new Refusal(isQuota(error) ? 'storage-full' : 'storage-unavailable', name);
}

export function isQuota(error: unknown): boolean {
	return error instanceof Error && error.name === 'QuotaExceededError';
}
