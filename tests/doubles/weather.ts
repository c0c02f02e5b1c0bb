/** What goes wrong on the way between nodes: loss, doubling, reordering, slowness, cuts in one or both directions, relays that vanish. */
import type { PeerId } from '#lib/ports/mesh.ts';
import type { MemoryChannel } from './channel.ts';
import type { Network } from './network.ts';

/** All chances in [0, 1]. */
export interface WeatherInit {
	/** Of a public message, for each of its hearers. */
	readonly gossipLoss?: number;
	readonly gossipDouble?: number;
	/** Of a public message to come late by up to `LATE_MS`, behind others that were said after it. */
	readonly gossipLate?: number;
	/** Of a packet on a channel, which is then sent again. */
	readonly loss?: number;
	/** Undefined: nobody needs a relay; otherwise introductions and far gossip go over one. */
	readonly relays?: 'up' | 'down' | undefined;
}

const LATE_MS = 600;
/** SCTP's first retransmission time-out; each further one doubles (RFC 9260, 6.3.1, with the browsers' floor of 200 ms and more). */
const RESEND_MS = 400;
const MOST_RESENDS = 5;
/** One hop between neighbours when no relay carries gossip. */
const MOST_HOPS = 12;

export class Weather {
	readonly #network: Network;
	#init: WeatherInit;
	#sides: ReadonlyMap<PeerId, number> | undefined;
	/** From → those whom nothing reaches. */
	readonly #deafTo = new Map<PeerId, Set<PeerId>>();
	#relays: 'up' | 'down' | undefined;
	/** Channels with messages that wait for their way. */
	readonly stuck = new Set<MemoryChannel>();
	/** Latency is multiplied by this. */
	slow = 1;

	constructor(network: Network, init: WeatherInit = {}) {
		this.#network = network;
		this.#init = init;
		this.#relays = init.relays;
	}

	get relays(): 'up' | 'down' | undefined {
		return this.#relays;
	}

	/** Changes the chances; `relays` stays. */
	set(init: Omit<WeatherInit, 'relays'>): void {
		this.#init = init;
	}

	reaches(from: PeerId, to: PeerId): boolean {
		if (this.#sides !== undefined && (this.#sides.get(from) ?? 0) !== (this.#sides.get(to) ?? 0)) return false;
		return this.#deafTo.get(from)?.has(to) !== true;
	}

	/** Cuts the world in two or more; who is not named is on side 0. Undefined: whole again. */
	part(sides: ReadonlyMap<PeerId, number> | undefined): void {
		this.#sides = sides;
		this.#changed();
	}

	/** Nothing from `from` reaches `to`, which may still be heard. */
	deafen(from: PeerId, to: PeerId): void {
		const deaf = this.#deafTo.get(from) ?? new Set<PeerId>();
		this.#deafTo.set(from, deaf.add(to));
		this.#changed();
	}

	undeafen(): void {
		this.#deafTo.clear();
		this.#changed();
	}

	/** The relays vanish or come back. Direct links stay. */
	setRelays(relays: 'up' | 'down'): void {
		this.#relays = relays;
		for (const node of this.#network.nodes.values()) {
			node.emit({ type: relays === 'up' ? 'relay-up' : 'relay-down', address: '/memory/relay' });
		}
	}

	/** When, from now, the message comes: once as a rule, never when it is lost, twice when doubled. */
	gossip(from: PeerId, to: PeerId): readonly number[] {
		const { gossipLoss = 0, gossipDouble = 0, gossipLate = 0 } = this.#init;
		const { random } = this.#network.init;
		const hops = this.#hops(from, to);
		if (hops === 0 || (gossipLoss > 0 && random.unit() < gossipLoss)) return [];
		const late = () => (gossipLate > 0 && random.unit() < gossipLate ? random.unit() * LATE_MS : 0);
		const once = hops * this.#network.latency() + late();
		return gossipDouble > 0 && random.unit() < gossipDouble ? [once, once + random.unit() * LATE_MS] : [once];
	}

	/** What loss adds to a packet's way. */
	resentMs(): number {
		const { loss = 0 } = this.#init;
		if (loss === 0) return 0;
		let added = 0;
		for (let i = 0; i < MOST_RESENDS && this.#network.init.random.unit() < loss; i++) added += RESEND_MS * 2 ** i;
		return added;
	}

	/** Messages between two that gossip does not reach go round over others; 0 when there is no way. */
	#hops(from: PeerId, to: PeerId): number {
		if (this.#relays !== 'down') return this.#sides === undefined || this.#side(from) === this.#side(to) ? 1 : 0;
		let edge = new Set([from]);
		const seen = new Set([from]);
		for (let hops = 1; hops <= MOST_HOPS && edge.size > 0; hops++) {
			const next = new Set<PeerId>();
			for (const peer of edge) {
				for (const neighbour of this.#network.nodes.get(peer)?.neighbours ?? []) {
					if (seen.has(neighbour) || !this.reaches(peer, neighbour)) continue;
					if (neighbour === to) return hops;
					seen.add(neighbour);
					next.add(neighbour);
				}
			}
			edge = next;
		}
		return 0;
	}

	#side(peer: PeerId): number {
		return this.#sides?.get(peer) ?? 0;
	}

	/** Channels over a way that is cut break when the silence is noticed; what waited for an open way goes out. */
	#changed(): void {
		for (const channel of [...this.stuck]) {
			if (!this.reaches(channel.owner.self, channel.peer)) continue;
			this.stuck.delete(channel);
			channel.flush();
		}
		for (const node of this.#network.nodes.values()) {
			for (const channel of node.channels) if (!this.reaches(channel.peer, node.self)) this.#notice(channel);
		}
	}

	#notice(channel: MemoryChannel): void {
		const { clock, silenceMs } = this.#network.init;
		const { owner, peer } = channel;
		clock.at(clock.monotonic() + silenceMs, () => {
			if (this.reaches(peer, owner.self) || !owner.channels.has(channel)) return;
			this.stuck.delete(channel);
			channel.lose('peer-lost');
			owner.emit({ type: 'peer-down', peer, why: 'silent' });
			// Who gives a connection up no longer beats, so the other side hears silence too.
			channel.break('peer-lost', this.reaches(owner.self, peer) ? this.#network.latency() : silenceMs);
		});
	}
}
