/** A running answer is shown and written down no oftener than anybody reads, evenly, and hardly later than that. */
import { Playout } from './playout.ts';

/** Words are shown in batches: faster than this nobody reads, and parsing for every token would slow a long answer. */
const SHOW_EVERY_MS = 40;
/** What came since it was written down is all that a crash can cost. */
const KEEP_EVERY_MS = 1000;

/** What is looked at of an answer's state. */
export interface Paced {
	readonly message: { readonly text: string };
	readonly phase: { readonly kind: string };
}

export interface PaceInit<State> {
	readonly now: () => number;
	/** Whether words that come at once are shown one after the other. */
	readonly evenly: boolean;
	/** Its text may lack the end of what has come. */
	readonly show: (state: State) => void;
	readonly keep: (state: State) => void;
}

/** Of one answer, from its first event to its last. */
export class Pace<State extends Paced> {
	readonly #init: PaceInit<State>;
	readonly #playout = new Playout();
	#newest: State | undefined;
	#later: ReturnType<typeof setTimeout> | undefined;
	#shown: string | undefined;
	#showAt = 0;
	#keepAt = 0;

	constructor(init: PaceInit<State>) {
		this.#init = init;
	}

	/** The newest state; shown and kept now when it is the first or in another phase, or when it is time. */
	hear(state: State): void {
		const now = this.#init.now();
		const first = this.#newest === undefined;
		this.#newest = state;
		this.#playout.hear(state.message.text.length, now);
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
		const newest = this.#newest;
		if (newest === undefined) return;
		this.#showAt = this.#init.now();
		this.#shown = newest.phase.kind;
		const { message } = newest;
		const length = this.#init.evenly ? wholeAt(message.text, this.#playout.shown(this.#showAt)) : message.text.length;
		if (length >= message.text.length) return this.#init.show(newest);
		this.#later = setTimeout(() => this.#show(), SHOW_EVERY_MS);
		this.#init.show({ ...newest, message: { ...message, text: message.text.slice(0, length) } });
	}
}

/** `length`, or one more where that would cut a character in two. */
function wholeAt(text: string, length: number): number {
	return length > 0 && /[\ud800-\udbff]/.test(text.charAt(length - 1)) ? length + 1 : length;
}
