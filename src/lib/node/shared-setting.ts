/** One row of the settings that all tabs of a profile go by: what one of them changes holds in the others at once, and no tab writes from a stale list. */
import type { Setting, Store } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { Watchable } from './watched.ts';

export interface SharedSettingInit<T> {
	readonly settings: Store['settings'];
	/** Unix ms. */
	readonly now: () => number;
	/** Key in the table. */
	readonly id: string;
	/** Never throws; `undefined` is no row. */
	readonly read: (stored: Setting['value'] | undefined) => T;
	readonly write: (value: T) => Setting['value'];
	/** What holds when the row could not be read: the careful choice, which is not what no row means. */
	readonly unread: T;
}

export class SharedSetting<T> {
	/** What holds just now. */
	readonly value: Watchable<T>;
	readonly #init: SharedSettingInit<T>;
	#first: Promise<void>;
	/** Read at least once: what is written from it loses nothing. */
	#known = false;
	/** Writes of this tab under way. */
	#writing = 0;
	/** Counts what was written and what was asked: what is read late must not overwrite what came after it. */
	#turn = 0;
	/** Another tab may have written while this one did. */
	#missed = false;

	constructor(init: SharedSettingInit<T>) {
		this.#init = init;
		this.value = new Watchable(init.read(undefined));
		this.#first = this.#read();
		init.settings.observe(({ key }) => {
			if (key === init.id) void this.#read();
		});
	}

	/** Resolves when the row was read or could not be. Never rejects. */
	ready(): Promise<void> {
		return this.#first;
	}

	/** Replaces the value, at once here, then in the other tabs. Refusals of the store; it holds for this visit all the same. */
	async set(value: T): Promise<void> {
		this.#turn++;
		this.value.set(value);
		const { settings, id, now, write } = this.#init;
		this.#writing++;
		try {
			await settings.put({ id, savedAt: now(), value: write(value) });
		} finally {
			this.#writing--;
			if (this.#missed) void this.#read();
		}
	}

	/**
	 * Replaces the value by what `step` makes of it. Refusals of `step` and of the store, among them `storage-unavailable` where the row cannot be
	 * read: what stands there is not overwritten, and the change holds for this visit.
	 */
	async change(step: (value: T) => T): Promise<void> {
		await this.#first;
		if (!this.#known) await (this.#first = this.#read());
		const next = step(this.value.value);
		if (this.#known) return this.set(next);
		this.value.set(next);
		throw new Refusal('storage-unavailable', this.#init.id);
	}

	async #read(): Promise<void> {
		this.#missed = this.#writing > 0;
		if (this.#missed) return;
		const turn = ++this.#turn;
		const { settings, id, read, unread } = this.#init;
		try {
			const row = await settings.get(id);
			this.#known = true;
			if (turn === this.#turn) this.value.set(read(row?.value));
		} catch {
			// What is held already is newer than nothing.
			if (turn === this.#turn && !this.#known) this.value.set(unread);
		}
	}
}
