/**
 * The bids of one round: all of those who are known here, and a bounded lot of the others.
 *
 * How it would be cheated: by being many and first. So of newcomers each has the same chance to stay, however early it came, and no more are opened than can be
 * checked; who is known is never pushed out.
 */
import { jobBid, jobInterest } from '#lib/protocol/bid.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { peek, read } from '#lib/protocol/envelope.ts';
import { MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import type { SignedBid } from './bidding.ts';
import type { NodePorts } from './ports.ts';

/** Offers of newcomers that are weighed; of more, so many drawn by lot, so that who floods first is not all there is. */
const MAX_NEWCOMERS = 64;
/** Messages of newcomers that are opened in one round, each at most two signatures to check: half a second on the slowest device. */
const MAX_OPENED = 256;
export class Bids {
	readonly #ports: NodePorts;
	readonly #known: ReadonlyMap<string, unknown>;
	readonly #bids = new Map<string, SignedBid>();
	readonly #newcomers: string[] = [];
	#opened = 0;
	#heard = 0;
	/** Of those who did well here. */
	proven = 0;

	constructor(ports: NodePorts) {
		this.#ports = ports;
		this.#known = ports.registry.knowledge().executors;
	}

	get size(): number {
		return this.#bids.size;
	}

	get all(): readonly SignedBid[] {
		return [...this.#bids.values()];
	}

	has(executor: string): boolean {
		return this.#bids.has(executor);
	}

	/** Before any signature is checked: one message of each, and of newcomers no more than can be checked. */
	worthOpening(bytes: Uint8Array, except: ReadonlySet<string>): boolean {
		const executor = signerOf(bytes);
		if (executor === undefined || except.has(executor) || this.#bids.has(executor)) return false;
		return this.#known.has(executor) || this.#opened++ < MAX_OPENED;
	}

	/** Whether it is taken in. */
	add(offer: SignedBid): boolean {
		const { executor } = offer;
		if (this.#bids.has(executor)) return false;
		if (this.#known.has(executor)) {
			if (this.#ports.registry.proven(executor)) this.proven++;
		} else {
			this.#heard++;
			if (this.#newcomers.length < MAX_NEWCOMERS) this.#newcomers.push(executor);
			else {
				// Each of all heard so far is left with the same chance (reservoir sampling, Vitter 1985).
				const place = Math.floor(this.#ports.registry.chance() * this.#heard);
				if (place >= MAX_NEWCOMERS) return false;
				this.#bids.delete(this.#newcomers[place] ?? '');
				this.#newcomers[place] = executor;
			}
		}
		this.#bids.set(executor, offer);
		return true;
	}
}

/** Whose message it says it is; undefined for bytes that are none. */
function signerOf(bytes: Uint8Array): string | undefined {
	try {
		const { type } = peek(bytes, MAX_GOSSIP_MESSAGE);
		return formatPeerId((type === jobInterest.type ? read(jobInterest, bytes) : read(jobBid, bytes)).signer);
	} catch {
		return undefined;
	}
}
