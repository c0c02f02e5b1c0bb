/**
 * The bids a contributor has out, with what only it knows; each is taken once, or runs out. A bid holds no place: who comes with one finds the queue
 * as it is. So wishes that nobody means cost their answers and this memory, and nobody else a place.
 */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { toHex } from '#lib/protocol/encode.ts';
import type { Signed } from '#lib/protocol/envelope.ts';
import type { OfferedModel } from '#lib/protocol/model.ts';

export interface OpenBid {
	readonly announcement: Signed<JobAnnouncement>;
	readonly bid: Signed<JobBid>;
	readonly nonce: Uint8Array;
	readonly model: OfferedModel;
	/** Monotonic ms. */
	readonly madeAt: number;
}

/**
 * Bids out at once; the oldest is dropped for a new one, never a new one refused, or a flood would shut out everybody who comes after it. At the
 * pace of tender.GOSSIP_ANSWERS a bid stands for 7 s at least, and whoever means it assigns within the bid window and a new connection.
 */
export const MAX_OPEN_BIDS = 256;

export class OpenBids {
	readonly #bids = new Map<string, OpenBid>();
	readonly #monotonic: () => number;

	constructor(monotonic: () => number) {
		this.#monotonic = monotonic;
	}

	/** Keeps one; a newer one for the same job takes the place of the older. */
	add(open: OpenBid): void {
		const key = toHex(open.bid.body.job);
		this.#bids.delete(key);
		this.#bids.set(key, open);
		const [oldest] = this.#bids.keys();
		if (this.#bids.size > MAX_OPEN_BIDS && oldest !== undefined) this.#bids.delete(oldest);
	}

	/** Hands over the open bid of a job (hex), once: a second assignment of the same job finds none. */
	take(job: string): OpenBid | undefined {
		this.#forget();
		const found = this.#bids.get(job);
		this.#bids.delete(job);
		return found;
	}

	/** How many are out. */
	get size(): number {
		this.#forget();
		return this.#bids.size;
	}

	#forget(): void {
		const now = this.#monotonic();
		for (const [key, { madeAt, bid }] of this.#bids) if (madeAt + bid.body.validMs <= now) this.#bids.delete(key);
	}
}
