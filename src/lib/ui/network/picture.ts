/** Where each peer stands in the small picture of the network. Pure. */
import type { Peer } from '#lib/ports/mesh.ts';

/** A peer as drawn; this tab is at 0, 0 and the picture reaches from −1 to 1. */
export interface Drawn {
	readonly id: string;
	readonly path: Peer['path'];
	readonly x: number;
	readonly y: number;
}

/** More dots than this tell nothing more. */
export const MOST_DRAWN = 48;
/** Distance of a peer with no round trip, and the nearest anybody stands. */
const NEAR = 0.3;
/** Direct peers stand the farther out the longer a round trip takes; a second or more is the rim. */
const RIM_MS = 1_000;

/**
 * Direct peers by their round trip (on a logarithmic scale), relayed ones on the rim. Each keeps its direction while it is there, because
 * the direction comes from its id; so the picture does not turn when somebody comes or goes.
 */
export function drawPeers(peers: readonly Peer[]): readonly Drawn[] {
	return peers.slice(0, MOST_DRAWN).map(({ id, path, roundTripMs }) => {
		const turn = 2 * Math.PI * direction(id);
		const radius = path === 'direct' ? distance(roundTripMs) : 1;
		return { id, path, x: radius * Math.cos(turn), y: radius * Math.sin(turn) };
	});
}

function distance(roundTripMs: number | undefined): number {
	if (roundTripMs === undefined) return NEAR;
	const share = Math.log1p(Math.max(0, roundTripMs)) / Math.log1p(RIM_MS);
	return NEAR + (0.9 - NEAR) * Math.min(1, share);
}

/** From 0 to 1, spread evenly over ids: FNV-1a of 32 bits, then MurmurHash3's finish, so that ids that differ in one character lie apart. */
function direction(id: string): number {
	let hash = 0x811c9dc5;
	for (const character of id) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
