/** The Mesh port over libp2p: one node, and the few nouns that keep it alive, wired together. */
import { formatPeerId } from '#lib/protocol/did.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Topic } from '#lib/protocol/topic.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Signer } from '#lib/ports/keys.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Channel, Mesh, MeshEvent, Peer, PeerId, Purpose } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import { answerAcquaintances, askAcquaintances, type Acquaintances } from './acquaintance.ts';
import { dialDirect, directConnection } from './dial.ts';
import { Gate, type PagePlace } from './gater.ts';
import { Links } from './links.ts';
import type { Medium } from './medium.ts';
import { Neighbourhood } from './neighbourhood.ts';
import type { Composed } from './node.ts';
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
	readonly #neighbourhood: Neighbourhood;
	readonly #topics = new Topics();
	readonly #listeners = new Set<(event: MeshEvent) => void>();
	readonly #acceptors: Readonly<Record<Purpose, Set<(channel: Channel) => void>>> = {
		job: new Set(),
		move: new Set()
	};
	#composed: Composed | undefined;
	/** Of the start that holds; another after every stop. */
	#begun: object | undefined;
	#acquaintances: Acquaintances = () => Promise.resolve([]);

	constructor(init: MeshInit) {
		this.#init = init;
		this.self = formatPeerId(init.signer.publicKey);
		this.#gate = new Gate(init.place);
		const now = (): number => init.clock.monotonic();
		const chance = () => this.#chance();
		this.#neighbourhood = new Neighbourhood({ self: this.self, now, chance, log: init.log });
		this.#relays = new Relays({
			dial: (address, signal) => this.#started().node.dial(address, { signal }),
			reserve: (relay, address) => this.#started().reserve(relay, address),
			gossipReady: (relay) => this.#topics.joinedBy(relay),
			now,
			chance,
			onChange: (address, up) => {
				this.#emit({ type: up ? 'relay-up' : 'relay-down', address });
			},
			log: init.log
		});
		this.#links = new Links({
			now,
			log: init.log,
			isRelay: (peer) => this.#relays.has(peer),
			emit: (event) => {
				this.#emit(event);
			},
			onGone: (peer) => {
				this.#relays.onGone(peer);
			},
			onDirect: (peer) => {
				this.#neighbourhood.linked(peer);
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
		if (this.#begun !== undefined) return;
		const begun = (this.#begun = {});
		try {
			const composed = await this.#compose();
			// Stopped while it was loaded.
			if (this.#begun !== begun) return;
			await this.#run(composed);
		} catch (error) {
			if (this.#begun === begun) await this.stop();
			throw error;
		}
	}

	/** The node, not yet started. libp2p is most of a tab's code, so it comes only when a mesh is wanted. */
	async #compose(): Promise<Composed> {
		const [{ composeNode }, transports] = await Promise.all([import('./node.ts'), this.#init.medium.load()]).catch(
			() => {
				throw new Refusal('relay-unavailable', 'its code did not load');
			}
		);
		return composeNode({
			signer: this.#init.signer,
			listen: this.#init.medium.listen,
			transports,
			gater: this.#gate.gater(() => this.#neighbourhood.afford()),
			iceServers: () => iceServersOf(this.#relays.list().map(({ address }) => address))
		});
	}

	async #run(composed: Composed): Promise<void> {
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
		this.#begun = undefined;
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
		this.#neighbourhood.suggest(peer, addresses);
	}

	async meet(peer: PeerId, addresses: readonly string[], signal: AbortSignal): Promise<void> {
		const { node, peer: idOf } = this.#started();
		const id = idOf(peer);
		if (directConnection(node, id) !== undefined) return;
		if (!this.#neighbourhood.afford()) throw new Refusal('rate-limited');
		await dialDirect(node, id, addresses, signal);
	}

	answerAcquaintances(known: Acquaintances): void {
		this.#acquaintances = known;
	}

	async askAcquaintances(peer: PeerId, signal: AbortSignal): Promise<readonly Uint8Array[]> {
		const { node, peer: idOf } = this.#started();
		const standing = directConnection(node, idOf(peer));
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
		const { node, peer: idOf } = this.#started();
		const id = idOf(peer);
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
		if (this.#composed !== undefined) void this.#neighbourhood.seek(this.#composed, this.peers());
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

function nameOf(error: unknown): string {
	return error instanceof Error ? error.name : 'unknown';
}
