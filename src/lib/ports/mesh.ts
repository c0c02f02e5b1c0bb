/**
 * What the story needs from the network: topics for what is public, direct channels for what is sealed.
 *
 * A PeerId here is the libp2p text form of a node's Ed25519 key (`12D3KooW…`); protocol/ids converts.
 */
import type { Topic } from '#lib/protocol/topic.ts';

export type PeerId = string;

/** How a message on a topic was judged; `ignore` costs its forwarder nothing, `reject` stops it from spreading. */
export type Verdict = 'accept' | 'ignore' | 'reject';

export interface Peer {
	readonly id: PeerId;
	/** `direct`: WebRTC or a transport of one's own; `relayed`: limited connection through a relay; `relay`: the peer is a relay. */
	readonly path: 'direct' | 'relayed' | 'relay';
	readonly roundTripMs: number | undefined;
}

export type MeshEvent =
	| { readonly type: 'peer-up'; readonly peer: Peer }
	/** `goodbye`: it said so; `silent`: heartbeats stopped; `closed`: the connection went. */
	| { readonly type: 'peer-down'; readonly peer: PeerId; readonly why: 'goodbye' | 'silent' | 'closed' }
	| { readonly type: 'relay-up'; readonly address: string }
	| { readonly type: 'relay-down'; readonly address: string };

/**
 * An ordered, encrypted, two-way message channel with one peer over a direct (never limited) connection.
 * Messages arrive whole or not at all, each at most `MAX_CHANNEL_MESSAGE` bytes (protocol/limits).
 */
export interface Channel {
	readonly peer: PeerId;
	/**
	 * Resolves when the message was handed to the transport and the send buffer has room again. Sends keep their order.
	 * Refusals: `channel-closed`, `peer-lost`, `oversized`.
	 */
	send(message: Uint8Array): Promise<void>;
	/** Ends when the other side closed; throws a Refusal `peer-lost` or `channel-closed` when it broke. Single consumer. */
	readonly messages: AsyncIterable<Uint8Array>;
	/** Says no more will be sent, after what was sent has left. Never throws. The channel is gone when both sides have closed. */
	close(): Promise<void>;
	abort(): void;
}

/**
 * What a channel is for. Each purpose is a protocol of its own, so that nobody who waits for jobs is handed a move, or the other way round.
 * A channel for which nobody waits ends before a byte of it is read.
 */
export type Purpose = 'job' | 'move';

export interface Mesh {
	readonly self: PeerId;
	start(): Promise<void>;
	/** Says GOODBYE to direct peers, then closes. Never throws. */
	stop(): Promise<void>;
	/** Says GOODBYE to direct peers within this turn and closes nothing: for `pagehide`, after which no promise may run. */
	goodbye(): void;
	/** Addresses at which this node can be dialled just now (may be empty when no relay is up). */
	addresses(): readonly string[];
	peers(): readonly Peer[];
	/**
	 * Adds a relay; connects and keeps reconnecting (with back-off) until stop. Only relays the person configured or confirmed may
	 * be added: it also allows dialling that machine where it is near. Refusal `malformed` when the address names no peer.
	 * `heard`: one that a directory or a peer named. It opens no way to a near machine, and it is let go when it does not answer for
	 * a while, so that a list of dead relays is not knocked at for ever.
	 */
	addRelay(address: string, trust?: 'confirmed' | 'heard'): void;
	/** Relays known, and whether each is connected. */
	relays(): readonly { readonly address: string; readonly up: boolean }[];
	/** Public, unencrypted, may be forwarded by anyone. */
	publish(topic: Topic, message: Uint8Array): Promise<void>;
	/**
	 * Hears a topic. `judge` runs before forwarding and must be cheap; `from` handed the message on, which is not who wrote it. Only
	 * accepted messages reach `hear`. Returns how to stop.
	 * A node never hears its own messages.
	 */
	subscribe(
		topic: Topic,
		judge: (message: Uint8Array, from: PeerId) => Verdict | Promise<Verdict>,
		hear: (message: Uint8Array) => void
	): () => void;
	/**
	 * Names a peer that says it can be dialled (from its capability). A few of those named are kept as direct neighbours, so that
	 * gossip outlives every relay. Costs nothing to call often; unknown or malformed addresses are passed over.
	 */
	suggest(peer: PeerId, addresses: readonly string[]): void;
	/**
	 * Makes sure of a direct connection to a peer, dialling one of `addresses` when none stands; for finding the mesh again.
	 * Refusals: `unreachable`, `limited-connection`, `aborted`, `rate-limited` when this tab made too many connections lately.
	 */
	meet(peer: PeerId, addresses: readonly string[], signal: AbortSignal): Promise<void>;
	/** What to say when a peer asks whom this node knows: encoded node manifests. Before it is set, nobody is named. */
	answerAcquaintances(known: () => Promise<readonly Uint8Array[]>): void;
	/**
	 * Asks a connected peer or relay whom it knows. Encoded node manifests, bounded and not opened: check each. Refusals: `unreachable`
	 * when no direct connection stands or it does not answer, `oversized`, `malformed`, `not-canonical`, `aborted`.
	 */
	askAcquaintances(peer: PeerId, signal: AbortSignal): Promise<readonly Uint8Array[]>;
	/**
	 * Opens a channel (for a job unless said otherwise), dialling one of `addresses` when no direct connection stands.
	 * Refusals: `unreachable`, `limited-connection`, `aborted`.
	 */
	open(peer: PeerId, addresses: readonly string[], signal: AbortSignal, purpose?: Purpose): Promise<Channel>;
	/** Channels that others open to us for that purpose (`job` unless said otherwise). Returns how to stop. */
	onChannel(accept: (channel: Channel) => void, purpose?: Purpose): () => void;
	observe(listener: (event: MeshEvent) => void): () => void;
}
