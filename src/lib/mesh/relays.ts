/** Keeping relays: connect, reserve, and again after every loss, for as long as the tab lives. Several at once, none of them special. */
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Log } from '#lib/ports/log.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import { parseAddress, peerAt } from './address.ts';
import { backoffMs } from './backoff.ts';

/** How long a relay may take to answer the dial, ms. */
const DIAL_PATIENCE_MS = 5_000;
/** Tries in a row after which a relay that nobody here confirmed is let go; with the back-off that is some 15 s. */
const HEARD_TRIES = 6;
/** Relays known only by hearsay at one time: each sees this tab's address. */
const MAX_HEARD = 4;

export interface RelaysInit {
	readonly dial: (address: Multiaddr, signal: AbortSignal) => Promise<Connection>;
	readonly reserve: (relay: Libp2pPeerId, address: Multiaddr) => Promise<void>;
	/** Resolves when the relay's gossip is heard here, or after a while; a relay that does not gossip still introduces. */
	readonly gossipReady: (relay: Libp2pPeerId) => Promise<void>;
	/** Monotonic milliseconds. */
	readonly now: () => number;
	/** In [0, 1). */
	readonly chance: () => number;
	readonly onChange: (address: string, up: boolean) => void;
	readonly log: Log;
}

interface Relay {
	readonly text: string;
	readonly address: Multiaddr;
	readonly peer: PeerId;
	trust: 'confirmed' | 'heard';
	state: 'down' | 'trying' | 'up';
	/** Failed tries since it was last up. */
	attempt: number;
	dueAt: number;
}

export class Relays {
	readonly #init: RelaysInit;
	readonly #relays = new Map<string, Relay>();

	constructor(init: RelaysInit) {
		this.#init = init;
	}

	/** Refusal `malformed`: not an address, or one without the relay's own id, without which anybody could pose as it. */
	add(text: string, trust: 'confirmed' | 'heard' = 'confirmed'): void {
		const address = parseAddress(text);
		const peer = peerAt(address);
		if (peer === undefined) throw new Refusal('malformed', 'a relay address ends in /p2p/<its id>');
		const known = this.#relays.get(text);
		if (known !== undefined) {
			if (trust === 'confirmed') known.trust = trust;
			return;
		}
		const heard = [...this.#relays.values()].filter((relay) => relay.trust === 'heard');
		// One relay under many names is one relay.
		if (trust === 'heard' && (heard.length >= MAX_HEARD || this.has(peer))) return;
		this.#relays.set(text, { text, address, peer, trust, state: 'down', attempt: 0, dueAt: this.#init.now() });
	}

	list(): readonly { readonly address: string; readonly up: boolean }[] {
		return [...this.#relays.values()].map(({ text, state }) => ({ address: text, up: state === 'up' }));
	}

	has(peer: PeerId): boolean {
		return [...this.#relays.values()].some((relay) => relay.peer === peer);
	}

	/** Tries every relay whose time has come. */
	onTick(): void {
		const now = this.#init.now();
		for (const relay of this.#relays.values()) if (relay.state === 'down' && relay.dueAt <= now) void this.#try(relay);
	}

	/** No connection to this peer is left. */
	onGone(peer: PeerId): void {
		for (const relay of this.#relays.values()) {
			if (relay.peer !== peer || relay.state !== 'up') continue;
			this.#down(relay);
			this.#init.onChange(relay.text, false);
		}
	}

	/** The node stopped; a later start begins anew. */
	reset(): void {
		for (const relay of this.#relays.values()) {
			relay.state = 'down';
			relay.attempt = 0;
			relay.dueAt = this.#init.now();
		}
	}

	async #try(relay: Relay): Promise<void> {
		relay.state = 'trying';
		try {
			const connection = await this.#init.dial(relay.address, AbortSignal.timeout(DIAL_PATIENCE_MS));
			await this.#init.reserve(connection.remotePeer, relay.address);
			await this.#init.gossipReady(connection.remotePeer);
			if (connection.status !== 'open') throw new Refusal('relay-unavailable', 'closed at once');
			relay.state = 'up';
			relay.attempt = 0;
			this.#init.onChange(relay.text, true);
		} catch (error) {
			this.#down(relay);
			this.#init.log('relay-failed', {
				attempt: relay.attempt,
				reason: error instanceof Error ? error.name : 'unknown'
			});
			if (relay.trust === 'heard' && relay.attempt >= HEARD_TRIES) this.#relays.delete(relay.text);
		}
	}

	#down(relay: Relay): void {
		relay.state = 'down';
		relay.dueAt = this.#init.now() + backoffMs(relay.attempt, this.#init.chance());
		relay.attempt += 1;
	}
}
