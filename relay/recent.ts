/**
 * The newest capability statement of each contributor connected here, kept in memory for those who come between two of them
 * (docs/decisions/newcomers-hear-at-once.md). Nothing of it is written down, and nothing of other topics is kept.
 */
import type { PeerId } from '#lib/ports/mesh.ts';
import { capabilityAdvertisement } from '#lib/protocol/capability.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { read, type Signed } from '#lib/protocol/envelope.ts';
import { CLOCK_SKEW_MS } from '#lib/protocol/limits.ts';
import type { CapabilityAdvertisement } from '#lib/protocol/capability.ts';

/** Statements kept; each at most 8 KiB (MAX_GOSSIP_MESSAGE), so 2 MiB in all. Four times what one newcomer is told of. */
export const MAX_KEPT = 256;
/** Bytes one newcomer is handed: about 60 statements of a tab of ours (1 KiB each), more than it remembers as neighbours. */
export const MAX_HANDED_BYTES = 64 * 1024;

export interface RecentInit {
	/** Monotonic milliseconds. */
	readonly now: () => number;
	/** In [0, 1). */
	readonly chance: () => number;
	/** Whether a node is connected to this relay. */
	readonly isHere: (peer: PeerId) => boolean;
}

interface Kept {
	readonly message: Uint8Array;
	readonly sequence: number;
	readonly forgetAt: number;
}

export class Recent {
	readonly #init: RecentInit;
	/** By signer, the one heard longest ago first. */
	readonly #kept = new Map<PeerId, Kept>();

	constructor(init: RecentInit) {
		this.#init = init;
	}

	get size(): number {
		this.#dropExpired();
		return this.#kept.size;
	}

	/** Keeps a message of the topic that was judged and accepted, if it says something newer of somebody who is here. Never throws. */
	hear(message: Uint8Array): void {
		const signed = readStatement(message);
		if (signed === undefined) return;
		const signer = formatPeerId(signed.signer);
		const { sequence, ttlMs } = signed.body;
		if (sequence <= (this.#kept.get(signer)?.sequence ?? -1)) return;
		// Only who is connected here: others could not be introduced from here, and keys cost nothing where connections are counted.
		if (!this.#init.isHere(signer)) return;
		this.#kept.delete(signer);
		this.#kept.set(signer, {
			// A copy: gossip's own is a view of a whole record, which it would keep alive.
			message: message.slice(),
			sequence,
			// From our own hearing and not by the signer's clock; after the skew window no tab would accept it any more.
			forgetAt: this.#init.now() + Math.min(ttlMs, CLOCK_SKEW_MS)
		});
		if (this.#kept.size <= MAX_KEPT) return;
		this.#dropExpired();
		for (const oldest of this.#kept.keys()) {
			if (this.#kept.size <= MAX_KEPT) break;
			this.#kept.delete(oldest);
		}
	}

	/** The node is no longer connected: what it offered goes with it, so that nobody is sent to a closed tab. */
	forget(peer: PeerId): void {
		this.#kept.delete(peer);
	}

	/** What `newcomer` is told: statements of others that still hold, as many as fit, by lot, so that nobody can be always first. */
	pick(newcomer: PeerId): readonly Uint8Array[] {
		this.#dropExpired();
		const left = [...this.#kept].flatMap(([signer, { message }]) => (signer === newcomer ? [] : [message]));
		const picked: Uint8Array[] = [];
		for (let room = MAX_HANDED_BYTES; left.length > 0;) {
			const [message] = left.splice(Math.floor(this.#init.chance() * left.length), 1);
			if (message === undefined || message.length > room) break;
			room -= message.length;
			picked.push(message);
		}
		return picked;
	}

	#dropExpired(): void {
		const now = this.#init.now();
		for (const [signer, { forgetAt }] of this.#kept) if (forgetAt <= now) this.#kept.delete(signer);
	}
}

/** Without the signature, which the judge has checked; undefined for what the judge let through and is no statement. */
function readStatement(message: Uint8Array): Signed<CapabilityAdvertisement> | undefined {
	try {
		return read(capabilityAdvertisement, message);
	} catch {
		return undefined;
	}
}
