/**
 * A network in memory on virtual time: topics, ordered channels, latency with jitter, and peers that vanish or say goodbye. What else can
 * go wrong with it is its weather. Everything delivered is written to a trace whose hash tells two runs apart.
 */
import type { Channel, Mesh, MeshEvent, Peer, PeerId, Purpose, Verdict } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_GOSSIP_MESSAGE, MAX_PEERS_ANSWER } from '#lib/protocol/limits.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import type { SeededRandom } from './chance.ts';
import { MemoryChannel } from './channel.ts';
import type { NodeClock, VirtualClock } from './clock.ts';
import { Digest } from './digest.ts';
import { Weather, type WeatherInit } from './weather.ts';

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
	readonly weather?: WeatherInit;
	/** Whether `gossip` remembers everything; a long run cannot. */
	readonly keepGossip?: boolean;
}

/** Until a dial to somebody who cannot be reached is given up, ms. */
const DIAL_MS = 10_000;
/** Direct links that a node keeps beside its jobs (mesh/neighbours.ts). */
const WANTED_NEIGHBOURS = 4;
/** How long a neighbour's link takes to stand. */
const LINK_MS = 400;
/** Statements a relay hands a newcomer at most: 64 KiB of them (newcomers-hear-at-once). */
const HANDED_TO_NEWCOMERS = 48;

/** A public message, with what every receiver of it would find out alike. */
export interface Said {
	readonly topic: Topic;
	readonly bytes: Uint8Array;
	readonly from: PeerId;
	readonly digest: string;
	/** Verdicts by the receiver's clock error: a judge knows nothing else of its node. */
	readonly verdicts: Map<number, Promise<Verdict>>;
}

export class Network {
	readonly init: Required<Omit<NetworkInit, 'meddle' | 'weather'>>;
	readonly weather: Weather;
	/** May be set in the middle of a run. */
	meddle: Meddle | undefined;
	readonly nodes = new Map<PeerId, MemoryMesh>();
	/** Every gossip payload, as a relay would see it. */
	readonly gossip: { readonly topic: Topic; readonly bytes: Uint8Array; readonly from: PeerId }[] = [];
	readonly hearers = new Map<Topic, Set<MemoryMesh>>();
	/** The newest capability statement of each node, as a relay holds it. */
	readonly statements = new Map<PeerId, Said>();
	/** Called with every message that a channel delivers: for checkers. */
	tap: ((from: PeerId, to: PeerId, bytes: Uint8Array) => void) | undefined;
	readonly #trace = new Digest();
	#names = 0;
	delivered = 0;
	published = 0;

	constructor(init: NetworkInit) {
		const { meddle, weather, ...rest } = init;
		this.meddle = meddle;
		this.init = { latencyMs: 20, jitterMs: 10, silenceMs: 1_200, keepGossip: true, ...rest };
		this.weather = new Weather(this, weather);
	}

	join(self: PeerId, clock?: NodeClock): MemoryMesh {
		const mesh = new MemoryMesh(self, this, this.#names++, clock);
		this.nodes.set(self, mesh);
		return mesh;
	}

	get traceHash(): string {
		return this.#trace.hex();
	}

	latency(): number {
		return (this.init.latencyMs + this.init.random.unit() * this.init.jitterMs) * this.weather.slow;
	}

	/** `what`: a digest of the bytes, or the bytes. */
	note(kind: string, from: PeerId, to: MemoryMesh, what: string | Uint8Array): void {
		this.delivered++;
		this.#trace.number(this.init.clock.monotonic());
		this.#trace.text(kind);
		this.#trace.number(this.nodes.get(from)?.name ?? -1);
		this.#trace.number(to.name);
		if (typeof what === 'string') this.#trace.text(what);
		else this.#trace.bytes(what);
	}

	/** The peer vanishes without a word: its channels break at the other side once its silence is noticed. */
	vanish(peer: PeerId): void {
		this.nodes.get(peer)?.vanish();
		this.leave(peer, 'silent', this.init.silenceMs);
	}

	leave(peer: PeerId, why: 'silent' | 'goodbye', ms: number): void {
		const known = this.nodes.delete(peer);
		this.statements.delete(peer);
		if (known) this.tell(peer, why, ms);
	}

	/** Everyone else (with a modelled relay: everyone linked with it) notices after `ms` that the peer is gone. */
	tell(peer: PeerId, why: 'silent' | 'goodbye', ms: number): void {
		this.init.clock.at(this.init.clock.monotonic() + ms, () => {
			for (const node of this.nodes.values()) {
				if (node.self === peer) continue;
				if (this.weather.relays === undefined || node.linkedTo(peer)) node.emit({ type: 'peer-down', peer, why });
				node.neighbours.delete(peer);
			}
		});
	}
}

interface Subscription {
	readonly judge: (message: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>;
	readonly hear: (message: Uint8Array) => void;
}

export class MemoryMesh implements Mesh {
	readonly self: PeerId;
	/** Its number in the trace. */
	readonly name: number;
	readonly network: Network;
	readonly clock: NodeClock | undefined;
	readonly #topics = new Map<Topic, Set<Subscription>>();
	readonly #acceptors: Readonly<Record<Purpose, Set<(channel: Channel) => void>>> = {
		job: new Set(),
		move: new Set()
	};
	readonly #observers = new Set<(event: MeshEvent) => void>();
	readonly channels = new Set<MemoryChannel>();
	readonly neighbours = new Set<PeerId>();
	gone = false;

	constructor(self: PeerId, network: Network, name: number, clock: NodeClock | undefined) {
		this.self = self;
		this.name = name;
		this.network = network;
		this.clock = clock;
	}

	/** What this node holds, for checkers. */
	get held(): { readonly channels: number; readonly subscriptions: number; readonly observers: number } {
		let subscriptions = 0;
		for (const all of this.#topics.values()) subscriptions += all.size;
		return { channels: this.channels.size, subscriptions, observers: this.#observers.size };
	}

	start(): Promise<void> {
		const { clock, silenceMs } = this.network.init;
		if (this.network.weather.relays === 'up')
			clock.at(clock.monotonic() + Math.min(silenceMs, 3 * this.network.latency()), () =>
				this.emit({ type: 'relay-up', address: RELAY })
			);
		return Promise.resolve();
	}

	stop(): Promise<void> {
		this.goodbye();
		this.gone = true;
		this.network.nodes.delete(this.self);
		this.network.statements.delete(this.self);
		this.#forget();
		return Promise.resolve();
	}

	goodbye(): void {
		if (this.gone) return;
		this.network.tell(this.self, 'goodbye', this.network.latency());
		for (const channel of this.channels) channel.break('peer-lost', this.network.latency());
	}

	emit(event: MeshEvent): void {
		if (this.gone) return;
		this.run(() => {
			for (const observer of this.#observers) observer(event);
		});
	}

	/** Now, or when the frozen tab thaws. */
	run(work: () => void): void {
		if (this.clock === undefined) work();
		else this.clock.run(work);
	}

	vanish(): void {
		this.gone = true;
		for (const channel of this.channels) channel.break('peer-lost', this.network.init.silenceMs);
		this.#forget();
	}

	#forget(): void {
		for (const hearers of this.network.hearers.values()) hearers.delete(this);
	}

	linkedTo(peer: PeerId): boolean {
		if (this.neighbours.has(peer)) return true;
		for (const channel of this.channels) if (channel.peer === peer) return true;
		return false;
	}

	addresses(): readonly string[] {
		return this.network.weather.relays === 'down' ? [] : [`/memory/${this.self}`];
	}

	peers(): readonly Peer[] {
		return [...this.network.nodes.keys()]
			.filter((id) => id !== this.self)
			.map((id) => ({ id, path: 'direct', roundTripMs: 2 * this.network.init.latencyMs }));
	}

	addRelay(): void {}

	#known: () => Promise<readonly Uint8Array[]> = () => Promise.resolve([]);

	async meet(peer: PeerId, _addresses: readonly string[], signal: AbortSignal): Promise<void> {
		await this.network.init.clock.sleep(2 * this.network.latency(), signal);
		if (!this.network.nodes.has(peer)) throw new Refusal('unreachable', peer);
	}

	answerAcquaintances(known: () => Promise<readonly Uint8Array[]>): void {
		this.#known = known;
	}

	async askAcquaintances(peer: PeerId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
		await this.network.init.clock.sleep(2 * this.network.latency(), signal);
		const other = this.network.nodes.get(peer);
		if (other === undefined) throw new Refusal('unreachable', peer);
		return (await other.#known()).slice(0, MAX_PEERS_ANSWER);
	}

	suggest(peer: PeerId): void {
		const { weather, nodes, init } = this.network;
		const full = this.neighbours.size >= WANTED_NEIGHBOURS;
		if (weather.relays !== 'up' || full || this.neighbours.has(peer) || peer === this.self) return;
		this.neighbours.add(peer);
		init.clock.at(init.clock.monotonic() + LINK_MS, () => {
			const other = nodes.get(peer);
			const reached = other !== undefined && weather.reaches(this.self, peer) && weather.reaches(peer, this.self);
			if (!reached || this.gone) return void this.neighbours.delete(peer);
			other.neighbours.add(this.self);
			this.emit({ type: 'peer-up', peer: { id: peer, path: 'direct', roundTripMs: undefined } });
			other.emit({ type: 'peer-up', peer: { id: this.self, path: 'direct', roundTripMs: undefined } });
		});
	}

	relays(): readonly { readonly address: string; readonly up: boolean }[] {
		const { relays } = this.network.weather;
		return relays === undefined ? [] : [{ address: RELAY, up: relays === 'up' }];
	}

	async publish(topic: Topic, message: Uint8Array): Promise<void> {
		if (message.length > MAX_GOSSIP_MESSAGE) throw new Refusal('oversized', topic);
		if (this.gone) return;
		const { network } = this;
		const { clock } = network.init;
		network.published++;
		if (network.init.keepGossip) network.gossip.push({ topic, bytes: message, from: this.self });
		const digest = new Digest();
		digest.bytes(message);
		const said: Said = { topic, bytes: message, from: this.self, digest: digest.hex(), verdicts: new Map() };
		if (topic === 'fireweed/1/capabilities') network.statements.set(this.self, said);
		for (const node of network.hearers.get(topic) ?? []) {
			if (node === this) continue;
			for (const afterMs of network.weather.gossip(this.self, node.self))
				clock.at(clock.monotonic() + afterMs, () => void node.deliver(said));
		}
	}

	async deliver(said: Said): Promise<void> {
		// Gossip is not kept for a frozen tab: its connections are given up before it thaws.
		if (this.gone || this.clock?.frozen === true) return;
		const { topic, bytes, from, digest, verdicts } = said;
		this.network.note(topic, from, this, digest);
		for (const { judge, hear } of this.#topics.get(topic) ?? []) {
			const ahead = Math.round(this.clock?.errorMs ?? 0);
			// A judge that fails knows nothing for the message; libp2p's validators are held to the same.
			const verdict =
				verdicts.get(ahead) ??
				Promise.resolve(bytes)
					.then((message) => judge(message, from))
					.catch(() => 'ignore' as const);
			verdicts.set(ahead, verdict);
			if ((await verdict) === 'accept' && !this.gone) this.run(() => hear(bytes));
		}
	}

	subscribe(topic: Topic, judge: Subscription['judge'], hear: Subscription['hear']): () => void {
		const subscription = { judge, hear };
		const all = this.#topics.get(topic) ?? new Set();
		this.#topics.set(topic, all.add(subscription));
		const { hearers, weather, statements, init } = this.network;
		const those = hearers.get(topic) ?? new Set();
		hearers.set(topic, those.add(this));
		if (topic === 'fireweed/1/capabilities' && weather.relays === 'up') {
			const newest = [...statements.values()].slice(-HANDED_TO_NEWCOMERS);
			init.clock.at(init.clock.monotonic() + 3 * this.network.latency(), () => {
				for (const said of newest) if (said.from !== this.self) void this.deliver(said);
			});
		}
		return () => {
			all.delete(subscription);
			if (all.size === 0) those.delete(this);
		};
	}

	async open(
		peer: PeerId,
		_addresses: readonly string[],
		signal: AbortSignal,
		purpose: Purpose = 'job'
	): Promise<Channel> {
		const { network } = this;
		const { clock } = network.init;
		await clock.sleep(2 * network.latency(), signal);
		const other = network.nodes.get(peer);
		const { weather } = network;
		if (other === undefined) throw new Refusal('unreachable', peer);
		// Without a relay nobody carries the offer, unless the two are linked already.
		const introduced = weather.relays !== 'down' || this.linkedTo(peer);
		const near = weather.reaches(this.self, peer) && weather.reaches(peer, this.self);
		if (!introduced || !near || other.clock?.frozen === true) {
			await clock.sleep(DIAL_MS, signal);
			throw new Refusal('unreachable', peer);
		}
		// A tab that was closed meanwhile opens nothing.
		if (this.gone) throw new Refusal('aborted');
		const mine = new MemoryChannel(network, this, peer);
		const theirs = new MemoryChannel(network, other, this.self);
		mine.join(theirs);
		theirs.join(mine);
		clock.at(clock.monotonic() + network.latency(), () =>
			other.run(() => {
				const acceptors = other.#acceptors[purpose];
				for (const accept of acceptors) accept(theirs);
				if (acceptors.size === 0) theirs.abort();
			})
		);
		return mine;
	}

	onChannel(accept: (channel: Channel) => void, purpose: Purpose = 'job'): () => void {
		const acceptors = this.#acceptors[purpose];
		acceptors.add(accept);
		return () => acceptors.delete(accept);
	}

	observe(listener: (event: MeshEvent) => void): () => void {
		this.#observers.add(listener);
		return () => this.#observers.delete(listener);
	}
}

const RELAY = '/memory/relay';
