/** Links with neighbours before there is any job, one dial at a time: neighbours are no hurry, and jobs dial beside it. neighbours.ts decides with whom. */
import type { Log } from '#lib/ports/log.ts';
import type { Peer, PeerId } from '#lib/ports/mesh.ts';
import { FULL_BUCKET, take } from './bucket.ts';
import { dialDirect } from './dial.ts';
import { choose, linked, NO_CANDIDATES, suggest, tried } from './neighbours.ts';
import type { Composed } from './node.ts';

export interface NeighbourhoodInit {
	readonly self: PeerId;
	/** Monotonic milliseconds. */
	readonly now: () => number;
	/** In [0, 1). */
	readonly chance: () => number;
	readonly log: Log;
}

/** Dials are ended by their own time-outs. */
const NEVER = new AbortController().signal;

export class Neighbourhood {
	readonly #init: NeighbourhoodInit;
	#candidates = NO_CANDIDATES;
	#bucket = FULL_BUCKET;
	#dialling = false;

	constructor(init: NeighbourhoodInit) {
		this.#init = init;
	}

	/** Somebody said how this peer is reached. */
	suggest(peer: PeerId, addresses: readonly string[]): void {
		this.#candidates = suggest(this.#candidates, this.#init.self, peer, addresses, this.#init.now());
	}

	/** There is a direct link with this peer. */
	linked(peer: PeerId): void {
		this.#candidates = linked(this.#candidates, peer);
	}

	/** Whether one more connection that is not for a job of ours may be made now; if so, it counts. */
	afford(): boolean {
		const { bucket, granted } = take(this.#bucket, this.#init.now());
		this.#bucket = bucket;
		return granted;
	}

	/** Dials one more neighbour, if one is wanted and known. Never rejects. */
	async seek({ node, peer: idOf }: Composed, peers: readonly Peer[]): Promise<void> {
		if (this.#dialling) return;
		const { now, chance, log } = this.#init;
		const direct = new Set(peers.flatMap(({ id, path }) => (path === 'direct' ? [id] : [])));
		const candidate = choose(this.#candidates, direct, now(), chance());
		if (candidate === undefined || !this.afford()) return;
		this.#dialling = true;
		this.#candidates = tried(this.#candidates, candidate.peer, now(), chance());
		try {
			await dialDirect(node, idOf(candidate.peer), candidate.addresses, NEVER);
		} catch (error) {
			log('neighbour-failed', { reason: error instanceof Error ? error.message : 'unknown' });
		} finally {
			this.#dialling = false;
		}
	}
}
