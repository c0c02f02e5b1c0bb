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
	/** How many characters the chat would have on the screen, whenever there were more. */
	readonly screen: { readonly at: number; readonly characters: number }[];
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

/** Milliseconds; null where something did not come to pass. */
export interface Times {
	/** From the loss until the originator gave its executor up. */
	readonly detection: number | null;
	/** From then until another had it; 0 when one had it already. */
	readonly reassignment: number | null;
	/** From when another had it until its first new word. */
	readonly prefill: number | null;
	/** The longest time without a new word, from the last one before the loss until the next executor's first. */
	readonly pause: number;
	/** The longest time without more on the screen in that while: what a person sees. Not measured before 2026-11-22, 13:00. */
	readonly seen?: number;
}

/** What the loss of the leader at `lostAt` cost. */
export function timesOf({ words, screen, said }: Pick<Chronicle, 'words' | 'screen' | 'said'>, lostAt: number): Times {
	const first = (line: string) => said.find((each) => each.at >= lostAt && each.line === `fireweed ${line}`)?.at;
	const lost = first('executor-lost');
	// A new standby may have it before the one that stood by leads.
	const had = [first('handed-over'), first('standing-by')].filter((at) => at !== undefined);
	const hadAt = had.length === 0 ? undefined : Math.min(...had);
	const resumedAt = hadAt === undefined ? undefined : words.find(({ at }) => at >= hadAt)?.at;
	const until = Math.max(lost ?? lostAt, resumedAt ?? Infinity);
	const longest = (moments: readonly { readonly at: number }[]) => {
		const pauses = moments.slice(1).map(({ at }, i) => ({ from: moments[i]?.at ?? at, at }));
		const around = pauses.filter(({ from, at }) => at >= lostAt && from < until);
		return Math.max(0, ...around.map(({ from, at }) => at - from));
	};
	return {
		detection: lost === undefined ? null : lost - lostAt,
		reassignment: lost === undefined || hadAt === undefined ? null : Math.max(0, hadAt - lost),
		prefill: hadAt === undefined || resumedAt === undefined ? null : resumedAt - hadAt,
		pause: longest(words),
		seen: longest(screen)
	};
}
