/** One answer that lost its executor, as the asking page saw it, and the times that follow from it. Plain JSON: it crosses from the page to Node. */
import type { Sampling } from '#lib/protocol/sampler.ts';

/** An answer that is to be broken off. */
export interface Broken {
	readonly prompt: string;
	/** The answer has exactly this many tokens. */
	readonly tokens: number;
	/** How many stand by. */
	readonly hedge: number;
	/** Somebody is lost when it is so long. */
	readonly at: number;
}

/** Moments are `Date.now()` of the asking page; all processes of a machine share that clock. */
export interface Chronicle {
	readonly words: { readonly at: number; readonly position: number }[];
	/** What the app told developers. */
	readonly said: { readonly at: number; readonly line: string; readonly facts: unknown }[];
	readonly tokens: number[];
	text: string;
	/** PeerIds of those who led, in turn. */
	readonly executors: string[];
	readonly standbys: { readonly at: number; readonly executor: string }[];
	/** The status it was finished with, or how else it ended. */
	end: string;
	receipt: string;
	/** Of the receipt; missing when none was sealed. */
	readonly seed?: readonly number[];
	readonly sampling?: Sampling;
}

/** Milliseconds; NaN where something did not come to pass. */
export interface Times {
	/** From the loss until the originator gave its executor up. */
	readonly detection: number;
	/** From then until another had it; 0 when somebody stood by already. */
	readonly reassignment: number;
	/** From then until its first new word. */
	readonly prefill: number;
	/** The longest time without a new word from the loss on, until the next one's words came: what a person sees. */
	readonly pause: number;
}

/** What the loss of the leader at `lostAt` cost. */
export function timesOf({ words, said }: Chronicle, lostAt: number): Times {
	const after = (line: string) => said.find((each) => each.at >= lostAt && each.line === `fireweed ${line}`)?.at;
	const noticed = after('executor-lost') ?? NaN;
	const replaced = after('handed-over') ?? NaN;
	const joined = after('standing-by') ?? NaN;
	// One that was asked to stand by on suspicion had it before the loss was certain.
	const had = Math.min(replaced, Number.isNaN(joined) ? replaced : Math.max(joined, lostAt));
	const resumed = words.find(
		({ at }) => at >= Math.max(had, lostAt) && at > (words.find((w) => w.at >= lostAt)?.at ?? 0)
	)?.at;
	const until = Math.max(replaced, resumed ?? NaN);
	let pause = 0;
	for (const [i, { at }] of words.entries()) {
		const before = words[i - 1]?.at ?? at;
		if (at >= lostAt && before <= until) pause = Math.max(pause, at - Math.max(before, 0));
	}
	return {
		detection: noticed - lostAt,
		reassignment: Math.max(0, replaced - noticed),
		prefill: Math.max(0, (resumed ?? NaN) - replaced),
		pause
	};
}
