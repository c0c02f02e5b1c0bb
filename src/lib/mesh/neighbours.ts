/**
 * Whom to link with before there is any job: a few direct neighbours, so that gossip lives on when every relay is gone.
 * Pure: the state is a value, time and chance are arguments.
 */
import { MAX_ADDRESSES } from '#lib/protocol/limits.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import { backoffMs } from './backoff.ts';

/** Direct links to aim for. With four each, a random graph of thousands stays connected when any one machine vanishes. */
export const WANTED_NEIGHBOURS = 4;
/** Candidates remembered; the oldest suggestion goes first. */
export const MAX_CANDIDATES = 64;
/** A suggestion not renewed for so long is forgotten, ms: capabilities are announced more often than that. */
const FORGET_AFTER_MS = 600_000;
/**
 * Of two that hear of each other at once, the one with the smaller id dials and the other waits so long, ms; both dialling would cost
 * each of them two RTCPeerConnections, of which Chrome grants 500 between two collections (bucket.ts).
 */
export const WAIT_FOR_THEM_MS = 3_000;
/** Tries before a candidate is dropped until suggested anew. */
const MAX_TRIES = 5;

export interface Candidate {
	readonly peer: PeerId;
	readonly addresses: readonly string[];
	readonly suggestedAt: number;
	readonly dueAt: number;
	readonly tries: number;
}

export type Candidates = ReadonlyMap<PeerId, Candidate>;

export const NO_CANDIDATES: Candidates = new Map();

/** Notes a peer that says it can be dialled; a newer suggestion replaces the addresses and keeps the back-off. */
export function suggest(
	candidates: Candidates,
	self: PeerId,
	peer: PeerId,
	addresses: readonly string[],
	now: number
): Candidates {
	if (peer === self || addresses.length === 0) return candidates;
	const next = new Map(candidates);
	const old = next.get(peer);
	next.delete(peer);
	next.set(peer, {
		peer,
		addresses: addresses.slice(0, MAX_ADDRESSES),
		suggestedAt: now,
		dueAt: old?.dueAt ?? (self < peer ? now : now + WAIT_FOR_THEM_MS),
		tries: old?.tries ?? 0
	});
	for (const oldest of next.keys()) {
		if (next.size <= MAX_CANDIDATES) break;
		next.delete(oldest);
	}
	return next;
}

/** The candidate to dial now, if links are wanted and one is due; `chance` in [0, 1) picks among the due ones. */
export function choose(
	candidates: Candidates,
	linked: ReadonlySet<PeerId>,
	now: number,
	chance: number
): Candidate | undefined {
	if (linked.size >= WANTED_NEIGHBOURS) return undefined;
	const due = [...candidates.values()].filter(
		({ peer, dueAt, suggestedAt, tries }) =>
			!linked.has(peer) && dueAt <= now && now - suggestedAt < FORGET_AFTER_MS && tries < MAX_TRIES
	);
	return due[Math.floor(chance * due.length)];
}

/** Marks a candidate as tried, so that it is not chosen again at once; success needs no other note, since the link then stands. */
export function tried(candidates: Candidates, peer: PeerId, now: number, chance: number): Candidates {
	const old = candidates.get(peer);
	if (old === undefined) return candidates;
	// Ten times a relay's back-off: a neighbour is a convenience, and every failed try may cost an RTCPeerConnection.
	return new Map(candidates).set(peer, {
		...old,
		tries: old.tries + 1,
		dueAt: now + 10 * backoffMs(old.tries, chance)
	});
}

/** A link stood: the next loss begins with a fresh count. */
export function linked(candidates: Candidates, peer: PeerId): Candidates {
	const old = candidates.get(peer);
	return old === undefined ? candidates : new Map(candidates).set(peer, { ...old, tries: 0 });
}
