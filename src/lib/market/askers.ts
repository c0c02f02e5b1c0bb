/**
 * Whom an executor knows, and what they have cost it for nothing: a pure account of its own experience, in no way public.
 *
 * An asker is its node (the PeerId that the connection proved): an executor is not told whose it is (docs/privacy.md). Nodes cost nothing to make, so none
 * is known before a job of it was acknowledged to its end, few become known in a minute, and those whom nobody knows may waste a bounded part
 * of the engine all together. How it would be cheated: docs/decisions/load.md.
 */
import { left, readyInMs, spend, type Allowance, type Pace } from './allowance.ts';

export interface Askers {
	/** Engine ms that a known node may still leave unacknowledged, by PeerId; in order of last use. */
	readonly known: ReadonlyMap<string, Allowance>;
	/** The same for strangers; in order of last use. */
	readonly strangers: ReadonlyMap<string, Allowance>;
	/** The same for all strangers together. */
	readonly pool: Allowance | undefined;
	/** Nodes that may still become known. */
	readonly newcomers: Allowance | undefined;
}

export const NOBODY: Askers = { known: new Map(), strangers: new Map(), pool: undefined, newcomers: undefined };

/** Unacknowledged engine time that strangers may cost: 30 s at once, and a quarter of all time. */
export const STRANGERS_LOSS: Pace = { burst: 30_000, perMs: 0.25 };
/** One of them: its first loss may be a closed lid; after three checkpoints at ten tokens a second it pauses. */
export const STRANGER_LOSS: Pace = { burst: 10_000, perMs: 0.02 };
/** A node whose jobs were acknowledged before. */
export const KNOWN_LOSS: Pace = { burst: 30_000, perMs: 0.05 };
/** Nodes become known eight at once and one a minute, so that whoever makes a hundred does not have a hundred shares. */
export const NEWCOMERS: Pace = { burst: 8, perMs: 1 / 60_000 };
/** Nodes with a share of their own; the one not seen for longest goes back to the strangers. */
export const MAX_KNOWN = 64;
/** Strangers whose losses are remembered. The pool's own bound holds for those that are forgotten. */
const MAX_STRANGERS = 256;
/** What a job may cost before anything is acknowledged; less than that left means to wait. */
const ENTRY_MS = 1_000;

/** Whether the node with this PeerId has a share of its own. */
export function isKnown(askers: Askers, peer: string): boolean {
	return askers.known.has(peer);
}

/** 0 when it may be served now, else ms until it may. */
export function pauseOf(askers: Askers, peer: string, now: number): number {
	const own = askers.known.get(peer);
	if (own !== undefined) return readyInMs(own, KNOWN_LOSS, ENTRY_MS, now);
	const mine = readyInMs(askers.strangers.get(peer), STRANGER_LOSS, ENTRY_MS, now);
	return Math.max(mine, readyInMs(askers.pool, STRANGERS_LOSS, ENTRY_MS, now));
}

/** A job of `peer` was acknowledged to its end: it has a share of its own from now on, if one can still be given. */
export function kept(askers: Askers, peer: string, now: number): Askers {
	const before = askers.known.get(peer);
	if (before !== undefined) return { ...askers, known: touched(askers.known, peer, before, MAX_KNOWN) };
	if (left(askers.newcomers, NEWCOMERS, now) < 1) return askers;
	const fresh: Allowance = { left: KNOWN_LOSS.burst, at: now };
	return {
		...askers,
		known: touched(askers.known, peer, fresh, MAX_KNOWN),
		newcomers: spend(askers.newcomers, NEWCOMERS, 1, now)
	};
}

/** A job of `peer` cost `ms` of the engine that nobody acknowledged. A known node that has used up its allowance is known no longer. */
export function lost(askers: Askers, peer: string, ms: number, now: number): Askers {
	const own = askers.known.get(peer);
	if (own !== undefined) {
		const after = spend(own, KNOWN_LOSS, ms, now);
		if (after.left > 0) return { ...askers, known: touched(askers.known, peer, after, MAX_KNOWN) };
		const known = new Map(askers.known);
		known.delete(peer);
		return { ...askers, known };
	}
	const after = spend(askers.strangers.get(peer), STRANGER_LOSS, ms, now);
	return {
		...askers,
		strangers: touched(askers.strangers, peer, after, MAX_STRANGERS),
		pool: spend(askers.pool, STRANGERS_LOSS, ms, now)
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
