/**
 * A network in memory on virtual time: topics, ordered channels, latency with jitter, and peers that vanish or say goodbye.
 * Everything delivered is written to a trace whose hash tells two runs apart.
 */
import type { Channel, Mesh, MeshEvent, Peer, PeerId, Verdict } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE, MAX_GOSSIP_MESSAGE, MAX_PEERS_ANSWER } from '#lib/protocol/limits.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { SeededRandom } from './chance.ts';
import type { VirtualClock } from './clock.ts';

/** What a test may do to a message on its way: change it, double it, or drop it. */
export type Meddle = (message: Uint8Array, from: PeerId, to: PeerId) => readonly Uint8Array[];

export interface NetworkInit {
	readonly clock: VirtualClock;
	readonly random: SeededRandom;
	/** One-way, ms, and how much may be added by chance. */
	readonly latencyMs?: number;
	readonly jitterMs?: number;
	/** Until a silent peer is noticed (the mesh's heartbeat), ms. */
	readonly silenceMs?: number;
	readonly meddle?: Meddle;
}

export class Network {
	readonly init: Required<Omit<NetworkInit, 'meddle'>>;
	/** May be set in the middle of a run. */
	meddle: Meddle | undefined;
	readonly nodes = new Map<PeerId, MemoryMesh>();
	/** Every gossip payload, as a relay would see it. */
	readonly gossip: { readonly topic: Topic; readonly bytes: Uint8Array }[] = [];
	#trace = sha256(new Uint8Array());
	delivered = 0;

	constructor(init: NetworkInit) {
		const { meddle, ...rest } = init;
		this.meddle = meddle;
		this.init = { latencyMs: 20, jitterMs: 10, silenceMs: 1_200, ...rest };
	}

	join(self: PeerId): MemoryMesh {
		const mesh = new MemoryMesh(self, this);
		this.nodes.set(self, mesh);
		return mesh;
	}

	get traceHash(): string {
		return bytesToHex(this.#trace);
	}

	latency(): number {
		return this.init.latencyMs + this.init.random.unit() * this.init.jitterMs;
	}

	note(kind: string, from: PeerId, to: PeerId, bytes: Uint8Array): void {
		this.delivered++;
		const line = utf8ToBytes(`${this.init.clock.monotonic().toFixed(3)} ${kind} ${from} ${to} `);
		this.#trace = sha256(concatBytes(this.#trace, line, bytes));
	}

	/** The peer vanishes without a word: its channels break at the other side once its silence is noticed. */
	vanish(peer: PeerId): void {
		this.nodes.get(peer)?.vanish();
		this.nodes.delete(peer);
		this.tell(peer, 'silent', this.init.silenceMs);
	}

	/** Everyone else notices after `ms` that the peer is gone. */
	tell(peer: PeerId, why: 'silent' | 'goodbye', ms: number): void {
		this.init.clock.at(this.init.clock.monotonic() + ms, () => {
			for (const node of this.nodes.values()) if (node.self !== peer) node.emit({ type: 'peer-down', peer, why });
		});
	}
}

interface Subscription {
	readonly judge: (message: Uint8Array) => Verdict | Promise<Verdict>;
	readonly hear: (message: Uint8Array) => void;
}

export class MemoryMesh implements Mesh {
	readonly self: PeerId;
	readonly #network: Network;
	readonly #topics = new Map<Topic, Set<Subscription>>();
	readonly #acceptors = new Set<(channel: Channel) => void>();
	readonly #observers = new Set<(event: MeshEvent) => void>();
	readonly channels = new Set<MemoryChannel>();
	gone = false;

	constructor(self: PeerId, network: Network) {
		this.self = self;
		this.#network = network;
	}

	start(): Promise<void> {
		return Promise.resolve();
	}

	stop(): Promise<void> {
		this.goodbye();
		this.gone = true;
		this.#network.nodes.delete(this.self);
		return Promise.resolve();
	}

	goodbye(): void {
		if (this.gone) return;
		this.#network.tell(this.self, 'goodbye', this.#network.latency());
		for (const channel of this.channels) channel.break('peer-lost', this.#network.latency());
	}

	emit(event: MeshEvent): void {
		for (const observer of this.#observers) observer(event);
	}

	vanish(): void {
		this.gone = true;
		for (const channel of this.channels) channel.break('peer-lost', this.#network.init.silenceMs);
	}

	addresses(): readonly string[] {
		return [`/memory/${this.self}`];
	}

	peers(): readonly Peer[] {
		return [...this.#network.nodes.keys()]
			.filter((id) => id !== this.self)
			.map((id) => ({ id, path: 'direct', roundTripMs: 2 * this.#network.init.latencyMs }));
	}

	addRelay(): void {}

	#known: () => Promise<readonly Uint8Array[]> = () => Promise.resolve([]);

	async meet(peer: PeerId, _addresses: readonly string[], signal: AbortSignal): Promise<void> {
		await this.#network.init.clock.sleep(2 * this.#network.latency(), signal);
		if (!this.#network.nodes.has(peer)) throw new Refusal('unreachable', peer);
	}

	answerAcquaintances(known: () => Promise<readonly Uint8Array[]>): void {
		this.#known = known;
	}

	async askAcquaintances(peer: PeerId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
		await this.#network.init.clock.sleep(2 * this.#network.latency(), signal);
		const other = this.#network.nodes.get(peer);
		if (other === undefined) throw new Refusal('unreachable', peer);
		return (await other.#known()).slice(0, MAX_PEERS_ANSWER);
	}

	suggest(): void {}

	relays(): readonly never[] {
		return [];
	}

	async publish(topic: Topic, message: Uint8Array): Promise<void> {
		if (message.length > MAX_GOSSIP_MESSAGE) throw new Refusal('oversized', topic);
		const { clock } = this.#network.init;
		this.#network.gossip.push({ topic, bytes: message });
		for (const node of this.#network.nodes.values()) {
			if (node === this) continue;
			clock.at(clock.monotonic() + this.#network.latency(), () => void node.deliver(topic, message, this.self));
		}
	}

	async deliver(topic: Topic, message: Uint8Array, from: PeerId): Promise<void> {
		if (this.gone) return;
		this.#network.note(topic, from, this.self, message);
		for (const { judge, hear } of this.#topics.get(topic) ?? []) {
			// A judge that fails knows nothing for the message; libp2p's validators are held to the same.
			const verdict = await Promise.resolve(message)
				.then(judge)
				.catch(() => 'ignore');
			if (verdict === 'accept') hear(message);
		}
	}

	subscribe(topic: Topic, judge: Subscription['judge'], hear: Subscription['hear']): () => void {
		const subscription = { judge, hear };
		const all = this.#topics.get(topic) ?? new Set();
		this.#topics.set(topic, all.add(subscription));
		return () => all.delete(subscription);
	}

	async open(peer: PeerId, _addresses: readonly string[], signal: AbortSignal): Promise<Channel> {
		const { clock } = this.#network.init;
		await clock.sleep(2 * this.#network.latency(), signal);
		const other = this.#network.nodes.get(peer);
		if (other === undefined) throw new Refusal('unreachable', peer);
		const mine = new MemoryChannel(this.#network, this, peer);
		const theirs = new MemoryChannel(this.#network, other, this.self);
		mine.join(theirs);
		theirs.join(mine);
		clock.at(clock.monotonic() + this.#network.latency(), () => {
			for (const accept of other.#acceptors) accept(theirs);
			if (other.#acceptors.size === 0) theirs.abort();
		});
		return mine;
	}

	onChannel(accept: (channel: Channel) => void): () => void {
		this.#acceptors.add(accept);
		return () => this.#acceptors.delete(accept);
	}

	observe(listener: (event: MeshEvent) => void): () => void {
		this.#observers.add(listener);
		return () => this.#observers.delete(listener);
	}
}

type Item =
	| { readonly type: 'message'; readonly bytes: Uint8Array }
	| { readonly type: 'end' }
	| { readonly type: 'error'; readonly error: Refusal };

export class MemoryChannel implements Channel {
	readonly peer: PeerId;
	readonly #network: Network;
	readonly #owner: MemoryMesh;
	#other: MemoryChannel | undefined;
	readonly #items: Item[] = [];
	#wake: (() => void) | undefined;
	/** This side said its end; `#ended`: the other did, or the channel broke. */
	#closed = false;
	#ended = false;
	#broken = false;
	#lastArrival = 0;

	constructor(network: Network, owner: MemoryMesh, peer: PeerId) {
		this.#network = network;
		this.#owner = owner;
		this.peer = peer;
		owner.channels.add(this);
	}

	join(other: MemoryChannel): void {
		this.#other = other;
	}

	send(message: Uint8Array): Promise<void> {
		if (message.length > MAX_CHANNEL_MESSAGE) return Promise.reject(new Refusal('oversized'));
		if (this.#closed || this.#broken) return Promise.reject(new Refusal('channel-closed'));
		// A copy: the sender may change its buffer after the call.
		const copy = message.slice();
		const meddled = this.#network.meddle?.(copy, this.#owner.self, this.peer) ?? [copy];
		for (const bytes of meddled) this.#post({ type: 'message', bytes });
		return Promise.resolve();
	}

	close(): Promise<void> {
		if (!this.#closed && !this.#broken) this.#post({ type: 'end' });
		this.#closed = true;
		return Promise.resolve();
	}

	abort(): void {
		if (!this.#broken) this.#post({ type: 'error', error: new Refusal('channel-closed') });
		this.#closed = true;
		this.#finish({ type: 'error', error: new Refusal('channel-closed') });
	}

	/** This side's owner is lost; the other side notices after `ms`. */
	break(code: 'peer-lost', ms: number): void {
		this.#closed = true;
		const { clock } = this.#network.init;
		const other = this.#other;
		// Nothing overtakes: what was sent before arrives before.
		this.#lastArrival = Math.max(this.#lastArrival, clock.monotonic() + ms);
		if (other !== undefined)
			clock.at(this.#lastArrival, () => other.#finish({ type: 'error', error: new Refusal(code) }));
	}

	readonly messages: AsyncIterable<Uint8Array> = {
		[Symbol.asyncIterator]: () => ({
			next: async () => {
				while (this.#items.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
				const item = this.#items.shift() as Item;
				if (item.type === 'error') throw item.error;
				return item.type === 'end' ? { done: true, value: undefined } : { done: false, value: item.bytes };
			}
		})
	};

	/** Keeps the order of a channel: nothing overtakes. */
	#post(item: Item): void {
		if (this.#owner.gone) return;
		const { clock } = this.#network.init;
		const other = this.#other;
		this.#lastArrival = Math.max(this.#lastArrival, clock.monotonic() + this.#network.latency());
		clock.at(this.#lastArrival, () => {
			if (other === undefined || other.#owner.gone) return;
			if (item.type === 'message') this.#network.note('channel', this.#owner.self, other.#owner.self, item.bytes);
			other.#finish(item);
		});
	}

	#finish(item: Item): void {
		if (item.type === 'error') {
			if (this.#broken) return;
			this.#broken = true;
			this.#owner.channels.delete(this);
		}
		// After an end only a break can come, and whoever has read to the end need not hear of it.
		if (this.#ended) return;
		if (item.type !== 'message') this.#ended = true;
		this.#items.push(item);
		this.#wake?.();
	}
}
