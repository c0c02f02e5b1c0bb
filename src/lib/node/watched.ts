/** A value that screens follow. */
import type { Watched } from './app.ts';

/** Holds a value; `set` tells every listener, in the order they came. */
export class Watchable<T> implements Watched<T> {
	#value: T;
	readonly #listeners = new Set<(value: T) => void>();

	constructor(value: T) {
		this.#value = value;
	}

	get value(): T {
		return this.#value;
	}

	set(value: T): void {
		this.#value = value;
		for (const listener of this.#listeners) listener(value);
	}

	observe(listener: (value: T) => void): () => void {
		this.#listeners.add(listener);
		listener(this.#value);
		return () => this.#listeners.delete(listener);
	}
}
