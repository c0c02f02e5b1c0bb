/** One answer as the asking page saw it, and the numbers that follow from it. */

/** `here`: this tab's own engine; `mesh`: another profile's tab; `served`: a plain HTTP server. */
export const WAYS = ['here', 'mesh', 'served'] as const;
export type Way = (typeof WAYS)[number];

/** Times are milliseconds since the prompt was handed over. Plain JSON: it crosses from the page to Node. */
export interface Run {
	readonly way: Way;
	/** When each token arrived. */
	readonly tokensAt: readonly number[];
	/** When the answer was whole: at `mesh` its receipt was checked and countersigned. */
	readonly endedAt: number;
	/** By the clock of whoever ran the engine. */
	readonly engine: { readonly tokens: number; readonly decodeMs: number; readonly prefillMs: number | undefined };
	/** When each kind of event was first seen. */
	readonly firstOf: Readonly<Record<string, number>>;
	/** Over the data channel to the executor, as the mesh measures it. */
	readonly roundTripMs: number | undefined;
}

export interface Ask {
	readonly prompt: string;
	/** The answer has exactly this many tokens. */
	readonly tokens: number;
}

export function firstTokenMs(run: Run): number {
	return run.tokensAt[0] ?? Number.NaN;
}

/** Tokens per second as they arrived: the first one ends the wait and is not part of the rate. */
export function arrivalRate({ tokensAt }: Run): number {
	return (1000 * (tokensAt.length - 1)) / ((tokensAt.at(-1) ?? Number.NaN) - (tokensAt[0] ?? Number.NaN));
}

/** Tokens per second by the engine's own clock: at `mesh` what the receipt says. */
export function engineRate({ engine }: Run): number {
	return (1000 * engine.tokens) / engine.decodeMs;
}

/** The longest wait between two tokens. */
export function longestGapMs({ tokensAt }: Run): number {
	return Math.max(...tokensAt.slice(1).map((at, i) => at - (tokensAt[i] as number)));
}

/** The order of the three at one turn: rotated, so that none is always first or always after the same other. */
export function orderAt(turn: number): readonly Way[] {
	const from = turn % WAYS.length;
	return [...WAYS.slice(from), ...WAYS.slice(0, from)];
}
