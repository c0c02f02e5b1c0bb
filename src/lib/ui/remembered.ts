/**
 * What one tab remembers across its own reloads, at once and without waiting for the store: drafts, the open chat, the chosen place.
 * It ends with the tab, so two tabs never overwrite each other's draft.
 */
type Key = 'chat' | 'place' | 'mesh-model' | 'restored' | `draft:${string}` | `files:${string}` | `read:${string}`;

export class Remembered {
	readonly #kept: Storage | undefined;
	/** Used alone where the browser keeps nothing. */
	readonly #here = new Map<string, string>();

	constructor(kept: Storage | undefined = sessionOrNothing()) {
		this.#kept = kept;
	}

	get(key: Key): string | undefined {
		return this.#here.get(key) ?? this.#kept?.getItem(`fireweed.${key}`) ?? undefined;
	}

	set(key: Key, value: string | undefined): void {
		if (value === undefined || value === '') {
			this.#here.delete(key);
			this.#kept?.removeItem(`fireweed.${key}`);
			return;
		}
		this.#here.set(key, value);
		try {
			this.#kept?.setItem(`fireweed.${key}`, value);
		} catch {
			// Full: the memory of this page still holds it.
		}
	}
}

/** Touching the storage throws where it is switched off. */
function sessionOrNothing(): Storage | undefined {
	try {
		return globalThis.sessionStorage;
	} catch {
		return undefined;
	}
}
