/** A running answer is shown and written down no oftener than anybody reads, and never later than that. */
import type { Running } from './answering.ts';

/** Words are shown in batches: faster than this nobody reads, and parsing for every token would slow a long answer. */
const SHOW_EVERY_MS = 40;
/** What came since it was written down is all that a crash can cost. */
const KEEP_EVERY_MS = 1000;

export interface PaceInit {
	readonly now: () => number;
	readonly show: (state: Running) => void;
	readonly keep: (state: Running) => void;
}

/** Of one answer, from its first event to its last. */
export class Pace {
	readonly #init: PaceInit;
	#newest: Running | undefined;
	#later: ReturnType<typeof setTimeout> | undefined;
	#shown: Running['phase']['kind'] | undefined;
	#showAt = 0;
	#keepAt = 0;

	constructor(init: PaceInit) {
		this.#init = init;
	}

	/** The newest state; shown and kept now when it is the first or in another phase, or when it is time. */
	hear(state: Running): void {
		const now = this.#init.now();
		const first = this.#newest === undefined;
		this.#newest = state;
		if (this.#shown !== state.phase.kind || now - this.#showAt >= SHOW_EVERY_MS) this.#show();
		// The last words before a pause must not wait for the next ones.
		else this.#later ??= setTimeout(() => this.#show(), SHOW_EVERY_MS);
		if (!first && now - this.#keepAt < KEEP_EVERY_MS) return;
		this.#keepAt = now;
		this.#init.keep(state);
	}

	/** Nothing more is shown or kept. */
	end(): void {
		clearTimeout(this.#later);
		this.#later = this.#newest = undefined;
	}

	#show(): void {
		clearTimeout(this.#later);
		this.#later = undefined;
		if (this.#newest === undefined) return;
		this.#showAt = this.#init.now();
		this.#shown = this.#newest.phase.kind;
		this.#init.show(this.#newest);
	}
}
