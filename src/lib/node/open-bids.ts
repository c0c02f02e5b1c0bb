/** The bids a contributor has out, with what only it knows; each is taken once, or runs out. */
import { RESERVED_MS } from '#lib/market/admit.ts';
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

/** Bids remembered; older ones have long expired. */
const MAX_REMEMBERED = 256;

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
		if (this.#bids.size > MAX_REMEMBERED && oldest !== undefined) this.#bids.delete(oldest);
	}

	/** Hands over the open bid of a job (hex), once: a second assignment of the same job finds none. */
	take(job: string): OpenBid | undefined {
		this.#forget();
		const found = this.#bids.get(job);
		this.#bids.delete(job);
		return found;
	}

	/** Nobody can take this one any more: its asker has gone. A newer one for the same job stays. */
	release(open: OpenBid): void {
		const key = toHex(open.bid.body.job);
		if (this.#bids.get(key) === open) this.#bids.delete(key);
	}

	/** Those made so lately that they may be taken at any time. */
	get reserved(): number {
		this.#forget();
		const since = this.#monotonic() - RESERVED_MS;
		return [...this.#bids.values()].filter(({ madeAt }) => madeAt > since).length;
	}

	#forget(): void {
		const now = this.#monotonic();
		for (const [key, { madeAt, bid }] of this.#bids) if (madeAt + bid.body.validMs <= now) this.#bids.delete(key);
	}
}
