/**
 * The bids a contributor has out, with what only it knows; each is taken once, or runs out. A bid holds no place: who comes with one finds the queue
 * as it is. So wishes that nobody means cost their answers and this memory, and nobody else a place.
 */
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import { toHex, type Link } from '#lib/protocol/encode.ts';
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

	/** Keeps one. Older ones for the same job stand beside it: its asker may have heard the one and not the other. */
	add(open: OpenBid): void {
		this.#bids.set(open.bid.cid.toString(), open);
		const [oldest] = this.#bids.keys();
		if (this.#bids.size > MAX_OPEN_BIDS && oldest !== undefined) this.#bids.delete(oldest);
	}

	/**
	 * Hands over the bid of that name, or else the newest of the job (hex), and with it all of that job, once: a second assignment of the same job finds
	 * none.
	 */
	take(job: string, bid: Link): OpenBid | undefined {
		this.#forget();
		const all = [...this.#bids].filter(([, open]) => toHex(open.bid.body.job) === job);
		for (const [cid] of all) this.#bids.delete(cid);
		return (all.find(([cid]) => cid === bid.toString()) ?? all.at(-1))?.[1];
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
