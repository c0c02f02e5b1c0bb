/** What a node remembers, on shelves that may be full: the Store port over maps, without a leader, other tabs or a disk. */
import type {
	AssignedJob,
	Conversation,
	HeardBid,
	KnownExecutor,
	LocalCapability,
	Message,
	MetNode,
	OriginatedJob,
	ReceiptRecord,
	Setting,
	Store,
	Table
} from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { KEPT_RECORDS } from '#lib/store/table.ts';

export class Shelf<T> implements Table<T> {
	readonly #key: (value: T) => string;
	readonly #shelves: Shelves;
	readonly #keep: number;
	readonly rows = new Map<string, T>();

	constructor(shelves: Shelves, key: (value: T) => string, keep = Infinity) {
		this.#shelves = shelves;
		this.#key = key;
		this.#keep = keep;
	}

	async get(key: string): Promise<T | undefined> {
		return this.rows.get(key);
	}

	async put(value: T): Promise<void> {
		if (this.#shelves.full) {
			this.#shelves.refused++;
			throw new Refusal('storage-full');
		}
		const key = this.#key(value);
		this.rows.delete(key);
		this.rows.set(key, value);
		for (const oldest of this.rows.keys()) {
			if (this.rows.size <= this.#keep) break;
			this.rows.delete(oldest);
		}
	}

	async delete(key: string): Promise<void> {
		this.rows.delete(key);
	}

	/** Newest first, by when they were put. */
	async list(limit?: number): Promise<readonly T[]> {
		return [...this.rows.values()].reverse().slice(0, limit);
	}

	observe(): () => void {
		return () => undefined;
	}
}

export class Shelves implements Store {
	/** While it is, nothing new is kept; what is there can be read and deleted. */
	full = false;
	/** Puts refused. */
	refused = 0;

	readonly conversations = new Shelf<Conversation>(this, ({ id }) => id);
	readonly jobs = new Shelf<OriginatedJob>(this, ({ id }) => id);
	readonly bids = new Shelf<HeardBid>(this, ({ id }) => id, KEPT_RECORDS);
	readonly assigned = new Shelf<AssignedJob>(this, ({ id }) => id, KEPT_RECORDS);
	readonly receipts = new Shelf<ReceiptRecord>(this, ({ cid }) => cid);
	readonly capabilities = new Shelf<LocalCapability>(this, ({ id }) => id);
	readonly settings = new Shelf<Setting>(this, ({ id }) => id);
	readonly met = new Shelf<MetNode>(this, ({ id }) => id);
	readonly known = new Shelf<KnownExecutor>(this, ({ id }) => id);
	readonly messages: Store['messages'] = Object.assign(new Shelf<Message>(this, ({ id }) => id), {
		of: async () => []
	});
	readonly durability = 'memory';
	readonly leading = true;

	async close(): Promise<void> {}
}
