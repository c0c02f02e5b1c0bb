/** The Mesh port over libp2p: one node, and the few nouns that keep it alive, wired together. */
import type { PeerId as Libp2pPeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Signer } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Channel, Mesh, MeshEvent, Peer, PeerId, Purpose } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import { answerAcquaintances, askAcquaintances, type Acquaintances } from './acquaintance.ts';
import { FULL_BUCKET, take } from './bucket.ts';
import { dialDirect, directConnection } from './dial.ts';
import { Gate, type PagePlace } from './gater.ts';
import { Links } from './links.ts';
import type { Medium } from './medium.ts';
import { NO_CANDIDATES, choose, linked, suggest, tried } from './neighbours.ts';
import { composeNode, type Composed } from './node.ts';
import { peerIdOf, privateKeyOf } from './private-key.ts';
import { Relays } from './relays.ts';
import { iceServersOf } from './stun-address.ts';
import type { Ticker } from './ticker.ts';
import { Topics, type GossipCounts, type Judge } from './topics.ts';

/** A stopping node waits so long for its GOODBYE to leave, ms. */
const PARTING_MS = 100;

export interface MeshInit {
	/** The node key of this tab; its public key is the PeerId. */
	readonly signer: Signer;
	/** tabMedium() in a page, socketMedium([...]) in Node. */
	readonly medium: Medium;
	/** workerTicker(...) in a page, timerTicker() in Node. */
	readonly ticker: Ticker;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Log;
	/** Whether the page stands on loopback, see gater.ts. */
	readonly place: PagePlace;
	/** Relays to begin with; more by addRelay. */
	readonly relays: readonly string[];
}

export interface MeshStats {
	/** RTCPeerConnections made since the tab opened, closed ones too. */
	readonly rtcConnectionsUsed: number;
	readonly gossip: GossipCounts;
}

/** Mesh, and what the network page shows beside it. */
export interface Libp2pMesh extends Mesh {
	stats(): MeshStats;
}

/** Makes a mesh; nothing happens before start(). Refusal `malformed` when one of the relays is no relay address. */
export function createMesh(init: MeshInit): Libp2pMesh {
	return new MeshService(init);
}

class MeshService implements Libp2pMesh {
	readonly self: PeerId;
	readonly #init: MeshInit;
	readonly #gate: Gate;
	readonly #relays: Relays;
	readonly #links: Links;
	readonly #topics = new Topics();
	readonly #listeners = new Set<(event: MeshEvent) => void>();
	readonly #acceptors: Readonly<Record<Purpose, Set<(channel: Channel) => void>>> = {
		job: new Set(),
		move: new Set()
	};
	#candidates = NO_CANDIDATES;
	#bucket = FULL_BUCKET;
	#composed: Composed | undefined;
	#dialling = false;
	#acquaintances: Acquaintances = () => Promise.resolve([]);

	constructor(init: MeshInit) {
		this.#init = init;
		this.self = peerIdOf(init.signer);
		this.#gate = new Gate(init.place);
		const now = (): number => init.clock.monotonic();
		this.#relays = new Relays({
			dial: (address, signal) => this.#started().node.dial(address, { signal }),
			reserve: (relay, address) => this.#started().reserve(relay, address),
			gossipReady: (relay) => this.#topics.joinedBy(relay),
			now,
			chance: () => this.#chance(),
			onChange: (address, up) => {
				this.#emit({ type: up ? 'relay-up' : 'relay-down', address });
			},
			log: init.log
		});
		this.#links = new Links({
			now,
			isRelay: (peer) => this.#relays.has(peer),
			emit: (event) => {
				this.#emit(event);
			},
			onGone: (peer) => {
				this.#relays.onGone(peer);
			},
			onDirect: (peer) => {
				this.#candidates = linked(this.#candidates, peer);
			},
			onChannel: (channel, purpose) => {
				const acceptors = this.#acceptors[purpose];
				// With nobody to take it, the asker should know at once and not wait for an answer.
				if (acceptors.size === 0) channel.abort();
				for (const accept of acceptors) accept(channel);
			}
		});
		for (const relay of init.relays) this.addRelay(relay);
	}

	async start(): Promise<void> {
		if (this.#composed !== undefined) return;
		const composed = await composeNode({
			privateKey: privateKeyOf(this.#init.signer),
			medium: this.#init.medium,
			gater: this.#gate.gater(() => this.#afford()),
			iceServers: () => iceServersOf(this.#relays.list().map(({ address }) => address))
		});
		this.#composed = composed;
		await this.#links.attach(composed.node);
		await answerAcquaintances(
			composed.node,
			() => this.#acquaintances(),
			() => this.#init.clock.monotonic()
		);
		await composed.node.start();
		this.#topics.attach(composed.node.services.pubsub);
		this.#init.ticker.start(() => {
			this.#onTick();
		});
		this.#relays.onTick();
	}

	async stop(): Promise<void> {
		const composed = this.#composed;
		if (composed === undefined) return;
		this.#composed = undefined;
		this.#init.ticker.stop();
		this.#links.goodbye();
		await this.#init.clock.sleep(PARTING_MS).catch(() => undefined);
		this.#topics.detach();
		this.#links.breakAll();
		try {
			await composed.node.stop();
		} catch (error) {
			this.#init.log('mesh-stop-failed', { reason: nameOf(error) });
		}
		this.#links.detach();
		this.#relays.reset();
	}

	goodbye(): void {
		this.#links.goodbye();
	}

	addresses(): readonly string[] {
		const all = this.#composed?.node.getMultiaddrs().map((address) => address.toString()) ?? [];
		// A bare relayed address would give a limited connection, which no job may use; `/webrtc` alone names no way.
		return all.filter((text) => text.includes('/p2p-circuit') === text.includes('/webrtc'));
	}

	peers(): readonly Peer[] {
		return this.#links.peers();
	}

	addRelay(address: string, trust: 'confirmed' | 'heard' = 'confirmed'): void {
		this.#relays.add(address, trust);
		if (trust === 'confirmed') this.#gate.confirm(address);
		if (this.#composed !== undefined) this.#relays.onTick();
	}

	relays(): readonly { readonly address: string; readonly up: boolean }[] {
		return this.#relays.list();
	}

	publish(topic: Topic, message: Uint8Array): Promise<void> {
		return this.#topics.publish(topic, message);
	}

	subscribe(topic: Topic, judge: Judge, hear: (message: Uint8Array) => void): () => void {
		return this.#topics.subscribe(topic, judge, hear);
	}

	suggest(peer: PeerId, addresses: readonly string[]): void {
		this.#candidates = suggest(this.#candidates, this.self, peer, addresses, this.#init.clock.monotonic());
	}

	async meet(peer: PeerId, addresses: readonly string[], signal: AbortSignal): Promise<void> {
		const { node } = this.#started();
		const id = readPeerId(peer);
		if (directConnection(node, id) !== undefined) return;
		if (!this.#afford()) throw new Refusal('rate-limited');
		await dialDirect(node, id, addresses, signal);
	}

	answerAcquaintances(known: Acquaintances): void {
		this.#acquaintances = known;
	}

	async askAcquaintances(peer: PeerId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
		const standing = directConnection(this.#started().node, readPeerId(peer));
		if (standing === undefined) throw new Refusal('unreachable', 'not connected');
		try {
			return await askAcquaintances(standing, signal);
		} catch (error) {
			if (error instanceof Refusal) throw error;
			throw signal.aborted ? new Refusal('aborted') : new Refusal('unreachable', nameOf(error));
		}
	}

	async open(
		peer: PeerId,
		addresses: readonly string[],
		signal: AbortSignal,
		purpose: Purpose = 'job'
	): Promise<Channel> {
		if (signal.aborted) throw new Refusal('aborted');
		const { node } = this.#started();
		const id = readPeerId(peer);
		const standing = directConnection(node, id);
		if (standing !== undefined) {
			try {
				return await this.#links.open(standing, signal, purpose);
			} catch (error) {
				if (signal.aborted) throw new Refusal('aborted');
				this.#init.log('standing-connection-dead', { reason: nameOf(error) });
				// It looked open and was not: whoever else uses it should know now.
				this.#links.lose(standing, 'silent');
			}
		}
		const connection = await dialDirect(node, id, addresses, signal);
		try {
			return await this.#links.open(connection, signal, purpose);
		} catch (error) {
			if (error instanceof Refusal) throw error;
			throw signal.aborted ? new Refusal('aborted') : new Refusal('unreachable', nameOf(error));
		}
	}

	onChannel(accept: (channel: Channel) => void, purpose: Purpose = 'job'): () => void {
		const acceptors = this.#acceptors[purpose];
		acceptors.add(accept);
		return () => acceptors.delete(accept);
	}

	observe(listener: (event: MeshEvent) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	stats(): MeshStats {
		return {
			rtcConnectionsUsed: this.#init.medium.rtcConnectionsUsed(),
			gossip: this.#topics.counts()
		};
	}

	#onTick(): void {
		this.#links.onTick();
		this.#relays.onTick();
		void this.#seekNeighbour();
	}

	/** Whether one more connection that is not for a job of ours may be made now. */
	#afford(): boolean {
		const { bucket, granted } = take(this.#bucket, this.#init.clock.monotonic());
		this.#bucket = bucket;
		return granted;
	}

	/** One dial at a time: neighbours are no hurry, and jobs dial beside it. */
	async #seekNeighbour(): Promise<void> {
		const composed = this.#composed;
		if (composed === undefined || this.#dialling) return;
		const direct = new Set(this.peers().flatMap(({ id, path }) => (path === 'direct' ? [id] : [])));
		const now = this.#init.clock.monotonic();
		const candidate = choose(this.#candidates, direct, now, this.#chance());
		if (candidate === undefined || !this.#afford()) return;
		this.#dialling = true;
		this.#candidates = tried(this.#candidates, candidate.peer, now, this.#chance());
		try {
			await dialDirect(composed.node, readPeerId(candidate.peer), candidate.addresses, NEVER);
		} catch (error) {
			this.#init.log('neighbour-failed', { reason: error instanceof Error ? error.message : 'unknown' });
		} finally {
			this.#dialling = false;
		}
	}

	#started(): Composed {
		if (this.#composed === undefined) throw new Refusal('relay-unavailable', 'not started');
		return this.#composed;
	}

	#chance(): number {
		const [a = 0, b = 0] = this.#init.random.bytes(2);
		return (a * 256 + b) / 65_536;
	}

	#emit(event: MeshEvent): void {
		for (const listener of this.#listeners) {
			try {
				listener(event);
			} catch (error) {
				this.#init.log('mesh-listener-failed', { reason: nameOf(error) });
			}
		}
	}
}

/** Neighbour dials are ended by their own time-outs. */
const NEVER = new AbortController().signal;

function readPeerId(text: PeerId): Libp2pPeerId {
	try {
		return peerIdFromString(text);
	} catch {
		throw new Refusal('unreachable', 'not a peer id');
	}
}

function nameOf(error: unknown): string {
	return error instanceof Error ? error.name : 'unknown';
}
