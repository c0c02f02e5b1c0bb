/**
 * One tab of a profile writes, the others ask it to (protocol.md 1; docs/spec/storage.md has the whole exchange). The leader is whoever
 * holds the Web Lock, so the browser itself hands over when a tab ends. Every write may be repeated, which makes the rest simple:
 * a follower asks again when a new leader speaks, and writes by itself when no leader answers in time.
 *
 * What must not happen is that an old value comes late over a newer one. Hence: one write per record at a time, and a
 * request that the leader finds expired is dropped, since its follower no longer waits for it.
 */
import type { Log } from '#lib/ports/log.ts';
import type { Merge, Snapshot, TableChange } from '#lib/ports/store.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { Backend } from './backend.ts';
import type { MergePlan } from './merge.ts';
import { keyOfWrite } from './schema.ts';
import type { TableName, Write } from './table.ts';
import { parseTabMessage, type TabMessage, type WriteRequest } from './wire.ts';

/** How long a follower waits for a leader that shows no life, in ms. A living one answers in a few; a frozen tab never. */
export const ANSWER_WITHIN_MS = 2_000;
/** How long a write may be passed from leader to leader before its tab does it itself, in ms. */
export const SETTLE_WITHIN_MS = 10_000;
/** A request expires this much before its follower stops waiting, in ms: more than one timer's inaccuracy. */
const EXPIRY_MARGIN_MS = 100;

/** Changes of a merge told in one message. */
const TOLD_AT_ONCE = 1_000;

export interface TabWriterComponents {
	readonly backend: Backend;
	/** Name of lock and channel. */
	readonly name: string;
	/** Undefined in an insecure context: then every tab writes by itself. */
	readonly locks: LockManager | undefined;
	/** Undefined for a memory backend: then nobody else need hear. */
	readonly channel: BroadcastChannel | undefined;
	/** Unix ms; the same clock in every tab. */
	readonly now: () => number;
	readonly log: Log;
}

interface Pending {
	readonly write: Write;
	readonly since: number;
	timer: ReturnType<typeof setTimeout> | undefined;
	resolve(): void;
	reject(error: unknown): void;
}

type Listener = (change: TableChange) => void;

export class TabWriter {
	readonly #parts: TabWriterComponents;
	readonly #tab = crypto.getRandomValues(new Uint32Array(4)).join('-');
	readonly #listeners = new Map<TableName, Set<Listener>>();
	readonly #pending = new Map<number, Pending>();
	/** The last write of each record that has not settled. */
	readonly #tails = new Map<string, Promise<void>>();
	readonly #stopWaiting = new AbortController();
	#lastId = 0;
	#role: 'alone' | 'leading' | 'following' | 'closed' = 'alone';
	#resign: (() => void) | undefined;
	/** The leader did not answer in time: write directly until it is heard again. */
	#leaderSilent = false;

	constructor(parts: TabWriterComponents) {
		this.#parts = parts;
	}

	get leading(): boolean {
		return this.#role === 'alone' || this.#role === 'leading';
	}

	/** Resolves when it is known whether this tab leads. */
	async start(): Promise<void> {
		const { channel, locks, name } = this.#parts;
		channel?.addEventListener('message', (event: MessageEvent<unknown>) => this.#hear(event.data));
		if (channel === undefined || locks === undefined) return;
		await new Promise<void>((known) => {
			locks
				.request(name, { ifAvailable: true }, (lock) => {
					if (lock !== null) return this.#lead(known);
					this.#role = 'following';
					known();
					this.#queue(locks, name);
					return undefined;
				})
				// Locks refused to this page: it writes for itself.
				.catch(() => known());
		});
	}

	/** Settles when the write is committed, by whichever tab. Refusals: `storage-full`, `storage-unavailable`. */
	write(write: Write): Promise<void> {
		if (this.#role === 'closed') return Promise.reject(new Refusal('storage-unavailable', 'closed'));
		const record = `${write.table} ${keyOfWrite(write)}`;
		const settled = (this.#tails.get(record) ?? Promise.resolve()).then(() => this.#settle(write));
		const tail = settled
			.catch(() => undefined)
			.then(() => {
				if (this.#tails.get(record) === tail) this.#tails.delete(record);
			});
		this.#tails.set(record, tail);
		return settled;
	}

	/**
	 * Adds what `plan` says in one transaction of this tab, leading or not: it changes no record that stands, so it cannot bring an old
	 * value over a newer one. Refusals: `storage-full`, `storage-unavailable`, `aborted`.
	 */
	async merge(plan: (here: Snapshot) => MergePlan, commit: boolean, signal?: AbortSignal): Promise<Merge> {
		if (this.#role === 'closed') throw new Refusal('storage-unavailable', 'closed');
		const { plan: planned, changes } = await this.#parts.backend.merge(plan, commit, signal);
		for (const [table, all] of changes) {
			for (let from = 0; from < all.length; from += TOLD_AT_ONCE) {
				const some = all.slice(from, from + TOLD_AT_ONCE);
				this.#tell({ kind: 'changed', table, changes: some, tab: this.#tab, id: 0, byLeader: this.leading });
			}
		}
		const added = [...changes].flatMap(([table, all]) =>
			all.filter(({ kind }) => kind === 'put').map(({ key }): Write => ({ kind: 'delete', table, key }))
		);
		return {
			report: planned.report,
			undo: async () => void (await Promise.all(added.map((write) => this.write(write))))
		};
	}

	observe(table: TableName, listener: Listener): () => void {
		const listeners = this.#listeners.get(table) ?? new Set();
		this.#listeners.set(table, listeners.add(listener));
		return () => listeners.delete(listener);
	}

	/** Waits for the writes that were begun, then leaves the lead to another tab. */
	async close(): Promise<void> {
		await Promise.all(this.#tails.values());
		this.leave();
	}

	/** Leaves at once: what is still unwritten is refused. */
	leave(): void {
		if (this.#role === 'closed') return;
		this.#role = 'closed';
		this.#stopWaiting.abort();
		this.#resign?.();
		this.#parts.channel?.close();
		for (const pending of this.#takePending()) pending.reject(new Refusal('storage-unavailable', 'closed'));
	}

	#queue(locks: LockManager, name: string): void {
		// Rejects only when this tab closes first.
		locks.request(name, { signal: this.#stopWaiting.signal }, () => this.#lead(() => undefined)).catch(() => undefined);
	}

	/** Holds the lock as long as the returned promise is open. */
	#lead(known: () => void): Promise<void> | undefined {
		if (this.#role === 'closed') return undefined;
		this.#role = 'leading';
		known();
		this.#post({ kind: 'leading' });
		for (const pending of this.#takePending()) this.#direct(pending.write).then(pending.resolve, pending.reject);
		return new Promise((resolve) => {
			this.#resign = resolve;
		});
	}

	#settle(write: Write): Promise<void> {
		if (this.#role === 'closed') return Promise.reject(new Refusal('storage-unavailable', 'closed'));
		return this.leading || this.#leaderSilent ? this.#direct(write) : this.#forward(write);
	}

	async #direct(write: Write): Promise<void> {
		const changes = await this.#parts.backend.write(write);
		this.#tell({ kind: 'changed', table: write.table, changes, tab: this.#tab, id: 0, byLeader: this.leading });
	}

	#forward(write: Write): Promise<void> {
		return new Promise((resolve, reject) => {
			const id = ++this.#lastId;
			const pending: Pending = { write, since: this.#parts.now(), timer: undefined, resolve, reject };
			this.#pending.set(id, pending);
			this.#ask(id, pending);
		});
	}

	#ask(id: number, pending: Pending): void {
		const now = this.#parts.now();
		const wait = Math.max(0, Math.min(ANSWER_WITHIN_MS, pending.since + SETTLE_WITHIN_MS - now));
		clearTimeout(pending.timer);
		pending.timer = setTimeout(() => {
			this.#leaderSilent = true;
			this.#parts.log('store-leader-silent', { waitedMs: wait });
			this.#take(id);
			this.#direct(pending.write).then(pending.resolve, pending.reject);
		}, wait);
		this.#post({ kind: 'write', tab: this.#tab, id, expires: now + wait - EXPIRY_MARGIN_MS, write: pending.write });
	}

	#hear(data: unknown): void {
		const message = parseTabMessage(data);
		if (message === undefined || this.#role === 'closed') return;
		switch (message.kind) {
			case 'write':
				if (this.#role === 'leading') this.#serve(message);
				return;
			case 'changed':
				if (message.byLeader) this.#leaderSilent = false;
				this.#emit(message.table, message.changes);
				if (message.tab === this.#tab) this.#take(message.id)?.resolve();
				return;
			case 'refused':
				if (message.tab === this.#tab) this.#take(message.id)?.reject(new Refusal(message.code));
				return;
			case 'leading':
				this.#leaderSilent = false;
				for (const [id, pending] of this.#pending) this.#ask(id, pending);
		}
	}

	#serve({ tab, id, expires, write }: WriteRequest): void {
		// In one go with the start of the transaction: a tab may be frozen anywhere but between two lines of one task.
		if (this.#parts.now() > expires) {
			this.#post({ kind: 'leading' });
			return;
		}
		this.#parts.backend.write(write).then(
			(changes) => this.#tell({ kind: 'changed', table: write.table, changes, tab, id, byLeader: true }),
			(error: unknown) => this.#post({ kind: 'refused', tab, id, code: codeOf(error) })
		);
	}

	#tell(message: TabMessage & { readonly kind: 'changed' }): void {
		this.#post(message);
		this.#emit(message.table, message.changes);
	}

	#post(message: TabMessage): void {
		if (this.#role !== 'closed') this.#parts.channel?.postMessage(message);
	}

	#emit(table: TableName, changes: readonly TableChange[]): void {
		for (const listener of this.#listeners.get(table) ?? []) {
			for (const change of changes) {
				try {
					listener(change);
				} catch {
					// A view that fails must not make a committed write look refused.
					this.#parts.log('store-listener-failed', { table });
				}
			}
		}
	}

	#take(id: number): Pending | undefined {
		const pending = this.#pending.get(id);
		this.#pending.delete(id);
		clearTimeout(pending?.timer);
		return pending;
	}

	#takePending(): Pending[] {
		const all = [...this.#pending.keys()].map((id) => this.#take(id));
		return all.filter((pending) => pending !== undefined);
	}
}
