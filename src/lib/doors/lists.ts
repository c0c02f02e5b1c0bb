/** The newest signed list of relays: from beside the app, from a peer or from paper, kept over visits, never exchanged for an older one. */
import type { Log } from '#lib/ports/log.ts';
import type { SignedList } from '#lib/ports/doors.ts';
import type { Store } from '#lib/ports/store.ts';
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import { directoryText, readDirectory } from './directory.ts';

/** Setting that holds it, as the text it travels as. */
const KEPT = 'doors-directory';

export interface ListsInit {
	readonly store: Pick<Store, 'settings'>;
	/** Unix ms. */
	readonly now: () => number;
	readonly log: Log;
	/** Beside the app, unbelieved; undefined when there is none. */
	readonly directory: () => Promise<Uint8Array | undefined>;
	/** Checks one against the keys of this app and what is held; rejects with a Refusal. */
	readonly believe: (directory: Uint8Array, held: SignedList['place'] | undefined) => Promise<SignedList>;
}

export class Lists {
	readonly #init: ListsInit;
	readonly #changed: () => void;
	#best: SignedList | undefined;
	#refused: Code | undefined;
	#kept: Promise<void> | undefined;
	#asked: Promise<void> | undefined;

	/** `changed` is called with each newer list, and each that is refused. */
	constructor(init: ListsInit, changed: () => void) {
		this.#init = init;
		this.#changed = changed;
	}

	/** The newest, or why what lies beside the app is not believed. */
	get state(): SignedList | { readonly refused: Code } | undefined {
		if (this.#best !== undefined) return this.#best;
		return this.#refused === undefined ? undefined : { refused: this.#refused };
	}

	/** The newest without asking anybody. Never rejects. */
	async held(): Promise<SignedList | undefined> {
		await this.#recall();
		return this.#best;
	}

	/** Looks beside the app, once in a visit, and hands out the newest. Never rejects. */
	async newest(): Promise<SignedList | undefined> {
		await this.#recall();
		this.#asked ??= this.#lookBeside();
		await this.#asked;
		return this.#best;
	}

	/** Checks what a person pasted or a peer passed on, without taking it. Refusals of `believe`. */
	async check(directory: Uint8Array): Promise<SignedList> {
		await this.#recall();
		return this.#init.believe(directory, this.#best?.place);
	}

	/** Takes one that was checked; it is kept for the next visits. */
	async take(list: SignedList): Promise<void> {
		const known = this.#best?.place;
		if (known?.cid === list.place.cid) return;
		if (known && (list.place.keys - known.keys || list.place.sequence - known.sequence) < 0) return;
		this.#best = list;
		this.#changed();
		const { store, now, log } = this.#init;
		await store.settings
			.put({ id: KEPT, savedAt: now(), value: directoryText(list.document) })
			.catch((error: unknown) => log('directory-not-kept', { code: codeOf(error) }));
	}

	#recall(): Promise<void> {
		this.#kept ??= (async () => {
			const kept = await this.#init.store.settings.get(KEPT).catch(() => undefined);
			if (typeof kept?.value !== 'string') return;
			// Under keys that were changed since, it counts no more.
			this.#best = await this.#init.believe(readDirectory(kept.value), undefined);
			this.#changed();
		})().catch((error: unknown) => this.#init.log('directory-refused', { code: codeOf(error) }));
		return this.#kept;
	}

	async #lookBeside(): Promise<void> {
		try {
			const found = await this.#init.directory();
			if (found !== undefined) await this.take(await this.check(found));
		} catch (error) {
			this.#refused = codeOf(error);
			this.#init.log('directory-refused', { code: this.#refused });
			this.#changed();
		}
	}
}
