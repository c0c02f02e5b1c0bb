/** Topics with validators: what is judged, what is heard, what is counted. */
import type { GossipSub, Message, TopicValidatorResult } from '@libp2p/gossipsub';
import type { PeerId } from '@libp2p/interface';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import { TOPICS, type Topic } from '#lib/protocol/topic.ts';
import type { Verdict } from '#lib/ports/mesh.ts';

/** `from` is the neighbour that handed the message on. */
export type Judge = (message: Uint8Array, from: string) => Verdict | Promise<Verdict>;

interface Listener {
	readonly judge: Judge;
	readonly hear: (message: Uint8Array) => void;
}

/** Messages by verdict since the start, own ones not among them. */
export interface GossipCounts {
	readonly accept: number;
	readonly ignore: number;
	readonly reject: number;
	readonly published: number;
}

/** How long a relay's subscriptions are waited for, ms. */
const JOIN_PATIENCE_MS = 2_000;

/** The order in which verdicts overrule each other when several listeners judge one topic. */
const SEVERITY: Readonly<Record<Verdict, number>> = { accept: 0, ignore: 1, reject: 2 };

export class Topics {
	readonly #listeners = new Map<Topic, Set<Listener>>();
	readonly #counts: { -readonly [K in keyof GossipCounts]: number } = { accept: 0, ignore: 0, reject: 0, published: 0 };
	#pubsub: GossipSub | undefined;

	/** Begins to speak and hear through a started node; what was subscribed before is subscribed now. */
	attach(pubsub: GossipSub): void {
		this.#pubsub = pubsub;
		pubsub.addEventListener('message', this.#onMessage);
		for (const topic of this.#listeners.keys()) this.#join(topic);
	}

	detach(): void {
		this.#pubsub?.removeEventListener('message', this.#onMessage);
		this.#pubsub = undefined;
	}

	counts(): GossipCounts {
		return { ...this.#counts };
	}

	/**
	 * Resolves when this peer's subscriptions are known here: what is published before would not be sent to it. Gives up quietly
	 * after a while, because a relay that does not gossip still introduces.
	 */
	async joinedBy(peer: PeerId): Promise<void> {
		const pubsub = this.#pubsub;
		const known = (): boolean =>
			pubsub === undefined || TOPICS.some((topic) => pubsub.getSubscribers(topic).some((one) => one.equals(peer)));
		if (pubsub === undefined || known()) return;
		await new Promise<void>((resolve) => {
			const done = (): void => {
				pubsub.removeEventListener('subscription-change', look);
				clearTimeout(timer);
				resolve();
			};
			const look = (): void => {
				if (known()) done();
			};
			const timer = setTimeout(done, JOIN_PATIENCE_MS);
			pubsub.addEventListener('subscription-change', look);
		});
	}

	/** Refusals: `oversized`, `relay-unavailable` (not started). */
	async publish(topic: Topic, message: Uint8Array): Promise<void> {
		if (message.length > MAX_GOSSIP_MESSAGE)
			throw new Refusal('oversized', `gossip of ${String(message.length)} bytes`);
		if (this.#pubsub === undefined) throw new Refusal('relay-unavailable', 'not started');
		await this.#pubsub.publish(topic, message);
		this.#counts.published += 1;
	}

	subscribe(topic: Topic, judge: Judge, hear: (message: Uint8Array) => void): () => void {
		const listener: Listener = { judge, hear };
		const known = this.#listeners.get(topic);
		if (known === undefined) {
			this.#listeners.set(topic, new Set([listener]));
			this.#join(topic);
		} else {
			known.add(listener);
		}
		return () => {
			const left = this.#listeners.get(topic);
			if (left?.delete(listener) !== true || left.size > 0) return;
			this.#listeners.delete(topic);
			this.#pubsub?.unsubscribe(topic);
			this.#pubsub?.topicValidators.delete(topic);
		};
	}

	#join(topic: Topic): void {
		// The validator first: without one gossipsub accepts and forwards.
		this.#pubsub?.topicValidators.set(topic, async (from, message) => {
			const verdict = await this.#judge(topic, message.data, from.toString());
			this.#counts[verdict] += 1;
			// The library's enum has exactly the port's words as values; importing it as a value would need its enum at run time.
			return verdict as TopicValidatorResult;
		});
		this.#pubsub?.subscribe(topic);
	}

	async #judge(topic: Topic, data: Uint8Array, from: string): Promise<Verdict> {
		// Size before anything that looks inside: it is the one judgement that costs nothing.
		if (data.length > MAX_GOSSIP_MESSAGE) return 'reject';
		let worst: Verdict = 'accept';
		for (const { judge } of this.#listeners.get(topic) ?? []) {
			let verdict: Verdict;
			try {
				verdict = await judge(data, from);
			} catch {
				// A judge that fails knows nothing against the message, and nothing for it.
				verdict = 'ignore';
			}
			if (SEVERITY[verdict] > SEVERITY[worst]) worst = verdict;
		}
		return worst;
	}

	readonly #onMessage = ({ detail }: CustomEvent<Message>): void => {
		for (const [topic, listeners] of this.#listeners) {
			if (topic !== detail.topic) continue;
			for (const { hear } of listeners) hear(detail.data);
		}
	};
}
