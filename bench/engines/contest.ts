/** Who runs against whom, and what one answer was like. Plain JSON: it crosses from the page to Node. */
import type { Turn } from '#lib/ports/engine.ts';

export const LIBRARIES = ['fireweed', 'wllama', 'transformers'] as const;
export type Library = (typeof LIBRARIES)[number];

/** Of the same numbers, as each library's own format keeps them. */
export const WEIGHTS = ['q4', 'fp32'] as const;
export type Weights = (typeof WEIGHTS)[number];

/** One library with one weight file. */
export interface Contestant {
	readonly library: Library;
	readonly weights: Weights;
}

/** In the order of the first round. */
export const CONTESTANTS: readonly Contestant[] = WEIGHTS.flatMap((weights) =>
	LIBRARIES.map((library) => ({ library, weights }))
);

export function nameOf({ library, weights }: Contestant): string {
	return `${{ fireweed: 'Fireweed', wllama: 'wllama', transformers: 'transformers.js' }[library]} ${weights}`;
}

/**
 * The order at one round: there and back, beginning one further each second round. So a machine that slowly becomes slower hits all alike
 * after two rounds, and each stands before its neighbours as often as after them.
 */
export function orderAt(round: number): readonly Contestant[] {
	const from = Math.floor(round / 2) % CONTESTANTS.length;
	const order = [...CONTESTANTS.slice(from), ...CONTESTANTS.slice(0, from)];
	return round % 2 === 0 ? order : order.reverse();
}

/** Where a library finds its model: addresses on the bench's own server, relative to the page. */
export interface ModelPlace {
	readonly weights: Weights;
	/** What the file is called that the library asks for, or the folder that it looks into. */
	readonly address: string;
	/** Only ours: the record that the files are held against, and the address of the self-test. */
	readonly record?: unknown;
	readonly selfTest?: string;
}

export interface Ask {
	readonly turns: readonly Turn[];
	readonly maxTokens: number;
	/** The answer has exactly `maxTokens`: what would end it is masked. Greedy in any case. */
	readonly forced: boolean;
}

/** Times are milliseconds since the question was handed over, by the page's clock. */
export interface Answer {
	readonly text: string;
	readonly promptTokens: number;
	/** When each token was there for the page to show. */
	readonly tokensAt: readonly number[];
	readonly endedAt: number;
	/** By the library's own clock, where it has one. */
	readonly own?: { readonly prefillMs: number; readonly decodeMs: number };
}

/** What a page's module for one library offers. It starts its own worker, as its users would. */
export interface Contender {
	load(place: ModelPlace): Promise<void>;
	answer(ask: Ask): Promise<Answer>;
}

/** What bench/engines/page/page.ts puts into its page. */
export interface ContestPage {
	/** Fetches the library and the model, starts the worker, and waits until it could answer. Milliseconds. */
	load(library: Library, place: ModelPlace): Promise<number>;
	answer(ask: Ask): Promise<Answer>;
}
