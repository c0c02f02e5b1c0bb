/** Records in this tab's memory, for private windows and refused storage. Copies in and out, as a database would. */
import type { Message, Snapshot, TableChange } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Backend, Merged } from './backend.ts';
import { MOVING, type MergePlan } from './merge.ts';
import { isRecord, keyOf, keyOfWrite, TABLES } from './schema.ts';
import type { Records, TableName, Write } from './table.ts';

export class MemoryBackend implements Backend {
	readonly durability = 'memory';
	readonly #tables = new Map<TableName, Map<string, unknown>>();

	get<N extends TableName>(table: N, key: string): Promise<Records[N] | undefined> {
		const value: unknown = structuredClone(this.#table(table).get(key));
		return Promise.resolve(value !== undefined && isRecord(table, value) ? value : undefined);
	}

	list<N extends TableName>(table: N, limit: number | undefined): Promise<readonly Records[N][]> {
		const found = this.#newestFirst(table).slice(0, limit === undefined ? undefined : Math.max(0, limit));
		return Promise.resolve(structuredClone(found));
	}

	messagesOf(conversation: string): Promise<readonly Message[]> {
		const found = this.#newestFirst('messages').filter((message) => message.conversation === conversation);
		return Promise.resolve(structuredClone(found.sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1))));
	}

	write(write: Write): Promise<readonly TableChange[]> {
		const key = keyOfWrite(write);
		const table = this.#table(write.table);
		if (write.kind === 'delete') {
			table.delete(key);
			return Promise.resolve([{ key, kind: 'delete' }]);
		}
		table.set(key, structuredClone(write.value));
		return Promise.resolve([{ key, kind: 'put' }, ...this.#trimmed(write.table)]);
	}

	merge(plan: (here: Snapshot) => MergePlan, commit: boolean, signal?: AbortSignal): Promise<Merged> {
		if (signal?.aborted === true) return Promise.reject(new Refusal('aborted'));
		const here = Object.fromEntries(MOVING.map((table) => [table, structuredClone(this.#newestFirst(table))]));
		const planned = plan(here as unknown as Snapshot);
		const changes = new Map<TableName, TableChange[]>();
		if (!commit) return Promise.resolve({ plan: planned, changes });
		// Copied first: the one step that can fail (a value that cannot be copied) comes before any change.
		const add = structuredClone(planned.add);
		for (const table of MOVING) {
			for (const value of add[table]) this.#table(table).set(keyOf(table, value), value);
			const added = add[table].map((value): TableChange => ({ key: keyOf(table, value), kind: 'put' }));
			if (added.length > 0) changes.set(table, [...added, ...this.#trimmed(table)]);
		}
		return Promise.resolve({ plan: planned, changes });
	}

	#trimmed(name: TableName): TableChange[] {
		const table = this.#table(name);
		const { keep } = TABLES[name];
		const pushedOut = keep === undefined || table.size <= keep ? [] : this.#newestFirst(name).slice(keep);
		const old = pushedOut.map((value): TableChange => ({ key: keyOf(name, value), kind: 'delete' }));
		for (const change of old) table.delete(change.key);
		return old;
	}

	close(): void {
		this.#tables.clear();
	}

	#table(name: TableName): Map<string, unknown> {
		const table = this.#tables.get(name) ?? new Map<string, unknown>();
		this.#tables.set(name, table);
		return table;
	}

	#newestFirst<N extends TableName>(name: N): Records[N][] {
		const all = [...this.#table(name).values()].filter((value) => isRecord(name, value));
		const time = (value: Records[N]): number => Number(value[TABLES[name].time]);
		return all.sort((a, b) => time(b) - time(a) || (keyOf(name, a) < keyOf(name, b) ? 1 : -1));
	}
}
