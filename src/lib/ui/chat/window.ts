/**
 * Which messages of a long conversation stand in the page: those in sight and some around, with empty room in place of the rest. Pure.
 */
import type { Message } from '#lib/ports/store.ts';

/** A stretch of a list, and the room its missing parts take. */
export interface Stretch {
	/** First message shown. */
	readonly first: number;
	/** One after the last. */
	readonly last: number;
	/** px. */
	readonly above: number;
	readonly below: number;
}

/** Shown beyond each edge of the window, in heights of the window: a page key or a flick finds something there. */
const BEYOND = 1.5;
/** Never fewer than this many messages: an ordinary conversation stands in the page whole, for the browser's own search and for print. */
export const LEAST = 40;

/**
 * The stretch for a reader at `top` (px from the first message; Infinity: at the end) in a window of `height` px, when the messages are
 * `heights` px high.
 */
export function stretchAt(heights: readonly number[], top: number, height: number): Stretch {
	const total = heights.reduce((sum, one) => sum + one, 0);
	const from = Math.max(0, Math.min(top, total - height)) - BEYOND * height;
	const to = from + (1 + 2 * BEYOND) * height;
	let first = 0;
	let above = 0;
	while (first < heights.length && above + (heights[first] ?? 0) < from) above += heights[first++] ?? 0;
	let last = first;
	let bottom = above;
	while (last < heights.length && bottom < to) bottom += heights[last++] ?? 0;
	// Few tall messages near an end: fill up from both sides, so that what is shown does not change with every line.
	while (last - first < LEAST && (first > 0 || last < heights.length)) {
		if (first > 0) above -= heights[--first] ?? 0;
		if (last < heights.length && last - first < LEAST) bottom += heights[last++] ?? 0;
	}
	return { first, last, above: first === 0 ? 0 : Math.max(0, above), below: Math.max(0, total - bottom) };
}

/** About how high a message is before it was ever shown, in px; from its text alone, so that it does not change under the reader. */
export function guessedHeight(text: string, own: boolean): number {
	const CHARACTERS_OF_A_LINE = own ? 60 : 80;
	const lines = Math.max(1, Math.ceil(text.length / CHARACTERS_OF_A_LINE));
	// A long text is cut until it is asked for.
	return 110 + 25 * Math.min(lines, own ? 110 : 4_000);
}

/** Heights of the messages of one conversation: measured where they stood in the page, guessed elsewhere. */
export class Heights {
	readonly #measured = new Map<string, number>();

	of({ id, text, role }: Pick<Message, 'id' | 'text' | 'role'>): number {
		return this.#measured.get(id) ?? guessedHeight(text, role === 'user');
	}

	/** Takes a measure; returns by how much the message differs from what it counted as, undefined when nothing is new. */
	measure(message: Pick<Message, 'id' | 'text' | 'role'>, now: number): number | undefined {
		if (this.#measured.get(message.id) === now) return undefined;
		const before = this.of(message);
		this.#measured.set(message.id, now);
		return now - before;
	}
}
