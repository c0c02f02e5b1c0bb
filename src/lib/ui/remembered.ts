/**
 * What is remembered at once and without waiting for the store. A tab's own things (drafts, the open chat, the chosen place) last over its
 * reloads and end with it, so two tabs never overwrite each other's draft; a browser's (how the app looks) are there before the first paint.
 */
type TabKey = 'chat' | 'place' | 'mesh-model' | 'restored' | `draft:${string}` | `files:${string}` | `read:${string}`;
export type BrowserKey = 'theme' | 'density' | 'shortcuts' | 'introduction';

export class Remembered<Key extends string = TabKey> {
	readonly #kept: Storage | undefined;
	/** Used alone where the browser keeps nothing. */
	readonly #here = new Map<string, string>();

	constructor(kept: Storage | undefined = orNothing(() => globalThis.sessionStorage)) {
		this.#kept = kept;
	}

	/** What all tabs of this browser share, and its next visits. */
	static ofBrowser(kept = orNothing(() => globalThis.localStorage)): Remembered<BrowserKey> {
		return new Remembered<BrowserKey>(kept);
	}

	get(key: Key): string | undefined {
		return this.#here.get(key) ?? this.#kept?.getItem(nameOf(key)) ?? undefined;
	}

	set(key: Key, value: string | undefined): void {
		if (value === undefined || value === '') {
			this.#here.delete(key);
			this.#kept?.removeItem(nameOf(key));
			return;
		}
		this.#here.set(key, value);
		try {
			this.#kept?.setItem(nameOf(key), value);
		} catch {
			// Full: the memory of this page still holds it.
		}
	}

	/** What another tab has written is the newer. `name` as a `storage` event has it; null: all was cleared. */
	heard(name: string | null): void {
		for (const key of [...this.#here.keys()]) if (name === null || name === nameOf(key)) this.#here.delete(key);
	}
}

const nameOf = (key: string): string => `fireweed.${key}`;

/** Touching the storage throws where it is switched off. */
function orNothing(open: () => Storage | undefined): Storage | undefined {
	try {
		return open();
	} catch {
		return undefined;
	}
}
