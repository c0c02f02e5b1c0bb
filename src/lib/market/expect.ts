/**
 * What to expect of a bidder: how likely it does the job, when it begins and when it ends. What was measured here counts; what a bid claims is
 * believed as far as its owner's claims came true, and of a newcomer no further than what is slower than those who are known.
 *
 * How it would be cheated: docs/decisions/selection.md.
 */
import type { JobBid } from '#lib/protocol/bid.ts';
import { prefillMs } from './admit.ts';
import { faded, kindOf, steadiness, type Known } from './known.ts';

/** All that this originator knows when it chooses, as it weighs at one moment. */
export interface Knowledge {
	/** By PeerId. */
	readonly executors: ReadonlyMap<string, Known>;
	/** Sums over the nodes of an account. */
	readonly accounts: ReadonlyMap<string, Tally>;
	/** How newcomers did lately: all of them, and by kind. */
	readonly newcomers: Tally;
	readonly kinds: ReadonlyMap<string, Tally>;
	/** Tokens a second and ms to the first token of those known to do well; undefined while they are too few. */
	readonly usual: { readonly tokensPerSecond: number; readonly firstMs: number } | undefined;
}

export interface Tally {
	readonly kept: number;
	readonly broken: number;
}

export interface Expected {
	/** That it does the job, 0 to 1. */
	readonly odds: number;
	/** From the assignment to the first token, ms. */
	readonly firstMs: number;
	/** Tokens a second after it. */
	readonly tokensPerSecond: number;
	/** From the assignment to the last token, ms, if it does the job. */
	readonly endMs: number;
	/** It did well here before, and no worse since. */
	readonly proven: boolean;
	readonly known: Known | undefined;
}

const NONE: Tally = { kept: 0, broken: 0 };

export const NOTHING_KNOWN: Knowledge = {
	...{ executors: new Map(), accounts: new Map(), kinds: new Map() },
	...{ newcomers: NONE, usual: undefined }
};

/** How newcomers did counts half after this time: whoever floods is gone tomorrow, and so is their bad name. */
const NEWCOMERS_HALF_LIFE_MS = 10 * 60_000;
/** Measured executors from which it is known what is usual. */
const ENOUGH_MEASURED = 3;
/** A good record from this weight on. */
const PROVEN = 0.5;

/** `rows` as they weigh at `now` (Unix ms). */
export function knowledgeOf(rows: Iterable<Known>, now: number): Knowledge {
	const executors = new Map<string, Known>();
	const accounts = new Map<string, Tally>();
	const kinds = new Map<string, Tally>();
	const well: Known[] = [];
	let newcomers = NONE;
	for (const row of rows) {
		const known = faded(row, now);
		executors.set(known.id, known);
		accounts.set(known.account, plus(accounts.get(known.account), known));
		if (known.kept >= PROVEN && known.tokensPerSecond > 0) well.push(known);
		// Of a time that a clock which went back has not seen: as old as it is far.
		const weight = 0.5 ** (Math.abs(now - known.firstAt) / NEWCOMERS_HALF_LIFE_MS);
		const first = { kept: Math.max(0, known.first) * weight, broken: Math.max(0, -known.first) * weight };
		newcomers = plus(newcomers, first);
		kinds.set(known.kind, plus(kinds.get(known.kind), first));
	}
	const usual = {
		tokensPerSecond: median(well.map(({ tokensPerSecond }) => tokensPerSecond)),
		firstMs: median(well.map(({ firstMs }) => firstMs))
	};
	return { executors, accounts, kinds, newcomers, usual: well.length < ENOUGH_MEASURED ? undefined : usual };
}

function plus(a: Tally = NONE, b: Tally): Tally {
	return { kept: a.kept + b.kept, broken: a.broken + b.broken };
}

function median(values: readonly number[]): number {
	return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Before anything was seen, two newcomers in three are expected to do what they bid. */
const GUESS: Tally = { kept: 1, broken: 0.5 };
/** What newcomers of all kinds did counts as so many of one kind. */
const OF_ALL_KINDS = 2;
/** What is expected of a newcomer counts as so many of its own jobs. */
const OF_NEWCOMERS = 1;
/** What other nodes of its account did, against what it did itself. */
const OF_ITS_ACCOUNT = 0.5;
/** How much of the odds hangs on how steadily it was there. */
const BY_STEADINESS = 0.25;

/** That a newcomer of the kind does its first job, 0 to 1. */
export function newcomersOdds({ newcomers, kinds }: Knowledge, kind: string): number {
	const all = share(plus(newcomers, GUESS));
	return share(plus(kinds.get(kind), { kept: OF_ALL_KINDS * all, broken: OF_ALL_KINDS * (1 - all) }));
}

const share = ({ kept, broken }: Tally): number => kept / (kept + broken);

/**
 * While it is not known what is usual, no newcomer is believed to be faster than this: tokens a second, faster than anybody reads; and ms, a new
 * connection and the way there and back.
 */
export const BELIEVED = { tokensPerSecond: 30, firstMs: 300 };
/** Of what it claims, as far as it is believed: who was measured is the surer choice at the same speed. */
const SLOWER = 0.8;
/** Who is known is believed to be faster than it was measured by this much: it may have been busy. */
const FASTER = 1.25;

/** What a bid or a statement says, and whose it is. */
export interface Bidder {
	readonly bid: Pick<JobBid, 'firstTokenMs' | 'milliTokensPerSecond' | 'addresses' | 'waitMs'> & {
		readonly model: { readonly id: string };
	};
	/** PeerId. */
	readonly executor: string;
	readonly account: string;
}

/** Tokens of a job as they were announced. */
export interface Size {
	readonly promptTokens: number;
	readonly maxTokens: number;
}

/** What to expect of somebody who does a job of that size. */
export function expect(
	{ bid, executor, account }: Bidder,
	{ promptTokens, maxTokens }: Size,
	knowledge: Knowledge
): Expected {
	const known = knowledge.executors.get(executor);
	const { firstMs, tokensPerSecond } = paceOf(bid, known, knowledge, promptTokens);
	const own: Tally = known ?? NONE;
	const all = knowledge.accounts.get(account) ?? NONE;
	// Met under another account, its own record is not among those of this one.
	const among = known?.account === account ? known : NONE;
	const others = OF_ITS_ACCOUNT;
	const guess = OF_NEWCOMERS * newcomersOdds(knowledge, known?.kind ?? kindOf(bid.addresses));
	const did = plus(own, { kept: others * (all.kept - among.kept), broken: others * (all.broken - among.broken) });
	const steady = 1 - BY_STEADINESS + BY_STEADINESS * steadiness(known ?? { upMs: 0, downMs: 0 });
	return {
		odds: share(plus(did, { kept: guess, broken: OF_NEWCOMERS - guess })) * steady,
		firstMs,
		tokensPerSecond,
		endMs: firstMs + (1000 * maxTokens) / tokensPerSecond,
		proven: provenBy(own),
		known
	};
}

/** Whether a record, as it weighs now, is a good one. */
export const provenBy = ({ kept, broken }: Tally): boolean => kept >= PROVEN && kept > broken;

function paceOf(
	bid: Bidder['bid'],
	known: Known | undefined,
	{ usual }: Knowledge,
	promptTokens: number
): { readonly firstMs: number; readonly tokensPerSecond: number } {
	const claimed = Math.max(0.001, bid.milliTokensPerSecond / 1000);
	const measured = known?.model === bid.model.id ? known : undefined;
	if (measured !== undefined && measured.tokensPerSecond > 0) {
		return {
			// Measured from the acceptance, so without the queue before it.
			firstMs: Math.max(bid.firstTokenMs, (bid.waitMs ?? 0) + measured.firstMs),
			tokensPerSecond: Math.min(claimed * measured.honesty, measured.tokensPerSecond * FASTER)
		};
	}
	const { tokensPerSecond: most, firstMs: least } = usual ?? BELIEVED;
	return {
		firstMs: Math.max(bid.firstTokenMs, (bid.waitMs ?? 0) + least / SLOWER + prefillMs(promptTokens, most)),
		tokensPerSecond: SLOWER * Math.min(claimed * (known?.honesty ?? 1), most)
	};
}
