/**
 * Whom an executor knows, and what they have cost it for nothing: a pure account of its own experience, in no way public.
 *
 * Keys, nodes and accounts cost nothing to make, so nobody has a share of their own before a job of theirs was acknowledged to its end, and
 * those whom nobody knows may waste a bounded part of the engine all together. How it would be cheated: docs/decisions/load.md.
 */
import { left, readyInMs, spend, type Allowance, type Pace } from './allowance.ts';
import { STRANGERS } from './queue.ts';

export interface Asker {
	/** PeerId at the other end of the channel. */
	readonly peer: string;
	/** `did:key`, when the asker showed that its node belongs to it. */
	readonly account: string | undefined;
}

export interface Askers {
	/** Engine ms that an account may still leave unacknowledged, by account; in order of last use. */
	readonly known: ReadonlyMap<string, Allowance>;
	/** The same for a node that belongs to no known account; in order of last use. */
	readonly peers: ReadonlyMap<string, Allowance>;
	/** The same for all of them together. */
	readonly strangers: Allowance | undefined;
	/** Accounts that may still become known. */
	readonly newcomers: Allowance | undefined;
}

export const NOBODY: Askers = { known: new Map(), peers: new Map(), strangers: undefined, newcomers: undefined };

/** Unacknowledged engine time that strangers may cost: 30 s at once, and a quarter of all time. */
export const STRANGERS_LOSS: Pace = { burst: 30_000, perMs: 0.25 };
/** One node of theirs: its first loss may be a closed lid; after three checkpoints at ten tokens a second it pauses. */
export const PEER_LOSS: Pace = { burst: 10_000, perMs: 0.02 };
/** An account whose jobs were acknowledged before. */
export const KNOWN_LOSS: Pace = { burst: 30_000, perMs: 0.05 };
/** Accounts become known eight at once and one a minute, so that a hundred fresh ones do not take a hundred shares. */
export const NEWCOMERS: Pace = { burst: 8, perMs: 1 / 60_000 };
/** Accounts with a share of their own; the one not seen for longest goes back to the strangers. */
export const MAX_KNOWN = 64;
/** Nodes whose losses are remembered. The pool's own bound holds for those that are forgotten. */
const MAX_PEERS = 256;
/** What a job may cost before anything is acknowledged; less than that left means to wait. */
const ENTRY_MS = 1_000;

/** The account, if it is known, else STRANGERS. */
export function shareOf(askers: Askers, { account }: Asker): string {
	return account !== undefined && askers.known.has(account) ? account : STRANGERS;
}

/** 0 when it may be served now, else ms until it may. */
export function pauseOf(askers: Askers, asker: Asker, now: number): number {
	const share = shareOf(askers, asker);
	if (share !== STRANGERS) return readyInMs(askers.known.get(share), KNOWN_LOSS, ENTRY_MS, now);
	const own = readyInMs(askers.peers.get(asker.peer), PEER_LOSS, ENTRY_MS, now);
	return Math.max(own, readyInMs(askers.strangers, STRANGERS_LOSS, ENTRY_MS, now));
}

/** A job of `asker` was acknowledged to its end: its account has a share of its own from now on, if one can still be given. */
export function kept(askers: Askers, { account }: Asker, now: number): Askers {
	if (account === undefined) return askers;
	const before = askers.known.get(account);
	if (before !== undefined) return { ...askers, known: touched(askers.known, account, before, MAX_KNOWN) };
	if (left(askers.newcomers, NEWCOMERS, now) < 1) return askers;
	const fresh: Allowance = { left: KNOWN_LOSS.burst, at: now };
	return {
		...askers,
		known: touched(askers.known, account, fresh, MAX_KNOWN),
		newcomers: spend(askers.newcomers, NEWCOMERS, 1, now)
	};
}

/** A job of `asker` cost `ms` of the engine that nobody acknowledged. A known account that has used up its allowance is known no longer. */
export function lost(askers: Askers, asker: Asker, ms: number, now: number): Askers {
	const share = shareOf(askers, asker);
	if (share !== STRANGERS) {
		const after = spend(askers.known.get(share), KNOWN_LOSS, ms, now);
		if (after.left > 0) return { ...askers, known: touched(askers.known, share, after, MAX_KNOWN) };
		const known = new Map(askers.known);
		known.delete(share);
		return { ...askers, known };
	}
	const after = spend(askers.peers.get(asker.peer), PEER_LOSS, ms, now);
	return {
		...askers,
		peers: touched(askers.peers, asker.peer, after, MAX_PEERS),
		strangers: spend(askers.strangers, STRANGERS_LOSS, ms, now)
	};
}

/** With `key` as the newest, and the oldest gone when there are more than `most`. */
function touched<V>(map: ReadonlyMap<string, V>, key: string, value: V, most: number): Map<string, V> {
	const next = new Map(map);
	next.delete(key);
	next.set(key, value);
	const [oldest] = next.keys();
	if (next.size > most && oldest !== undefined) next.delete(oldest);
	return next;
}
