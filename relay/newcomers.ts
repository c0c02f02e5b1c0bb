/**
 * Hands a tab that begins to listen what was said before it came: each statement as an ordinary gossip message, to that tab alone.
 * The tab's own gossip judges, deduplicates and hears it like any other (docs/decisions/newcomers-hear-at-once.md).
 */
import type { GossipSub } from '@libp2p/gossipsub';
import type { PeerId } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import type { Recent } from './recent.ts';

/**
 * Newcomers served between two heartbeats of the relay's gossip (250 ms), the others in the following ones: at most 1 MiB in one, 4 MiB a
 * second, however many connections come and go to make us talk. As fast as one address may connect (64 a second).
 */
export const MAX_PER_BEAT = 16;

const TOPIC: Topic = 'fireweed/1/capabilities';

/** The parts of libp2p's gossip service that are there and absent from its type. */
interface Speaker {
	/** By peer, those we can speak to. */
	readonly streamsOutbound: ReadonlyMap<string, unknown>;
	/** Whether it was handed to the stream. */
	sendRpc(peer: string, rpc: Rpc): boolean;
}
interface Rpc {
	readonly subscriptions: readonly never[];
	readonly messages: readonly { readonly topic: Topic; readonly data: Uint8Array }[];
}

export interface NewcomerCounts {
	/** Tabs that were handed at least one statement, each time they connected. */
	newcomers: number;
	statements: number;
	bytes: number;
}

export class Newcomers {
	readonly counts: NewcomerCounts = { newcomers: 0, statements: 0, bytes: 0 };
	readonly #speaker: Speaker;
	readonly #recent: Recent;
	readonly #isHere: (peer: PeerId) => boolean;
	/** Who listens and has not been served, the longest waiting first. */
	readonly #owed = new Set<PeerId>();
	/** Once for each connection: a tab remembers what it heard, and asking again and again would be a flood. */
	readonly #served = new Set<PeerId>();
	#left = MAX_PER_BEAT;

	/** Refusal `internal` when the gossip service has another shape than the one measured. */
	constructor(pubsub: GossipSub, recent: Recent, isHere: (peer: PeerId) => boolean) {
		this.#speaker = asSpeaker(pubsub);
		this.#recent = recent;
		this.#isHere = isHere;
		pubsub.addEventListener('subscription-change', ({ detail }) => {
			if (!detail.subscriptions.some(({ topic, subscribe }) => topic === TOPIC && subscribe)) return;
			this.#come(detail.peerId.toString());
		});
		pubsub.addEventListener('gossipsub:heartbeat', () => {
			this.#left = MAX_PER_BEAT;
			this.#serve();
		});
	}

	/** The tab's last connection is gone. */
	leave(peer: PeerId): void {
		this.#owed.delete(peer);
		this.#served.delete(peer);
		this.#recent.forget(peer);
	}

	#come(peer: PeerId): void {
		// A word of a tab that left meanwhile would be remembered for ever.
		if (this.#served.has(peer) || !this.#isHere(peer)) return;
		this.#owed.add(peer);
		this.#serve();
	}

	#serve(): void {
		for (const peer of this.#owed) {
			if (this.#left === 0) return;
			// It can speak to us before we can speak to it; the next heartbeat looks again.
			if (!this.#speaker.streamsOutbound.has(peer)) continue;
			this.#left -= 1;
			this.#owed.delete(peer);
			this.#served.add(peer);
			this.#hand(peer, this.#recent.pick(peer));
		}
	}

	#hand(peer: PeerId, statements: readonly Uint8Array[]): void {
		for (const [at, data] of statements.entries()) {
			// One message a record, as gossip forwards them: a record longer than the tab allows would end its gossip with us.
			if (!this.#speaker.sendRpc(peer, { subscriptions: [], messages: [{ topic: TOPIC, data }] })) return;
			if (at === 0) this.counts.newcomers += 1;
			this.counts.statements += 1;
			this.counts.bytes += data.length;
		}
	}
}

function asSpeaker(pubsub: GossipSub): Speaker {
	const speaker = pubsub as unknown as Partial<Speaker>;
	if (typeof speaker.sendRpc !== 'function' || !(speaker.streamsOutbound instanceof Map))
		throw new Refusal('internal', 'gossip service has another shape than the one measured');
	return speaker as Speaker;
}
