/** Who is connected, by which path, and what ends with them: connections, their heartbeat and the channels that stand on them. */
import type { Connection, PeerId as Libp2pPeerId, Stream } from '@libp2p/interface';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Log } from '#lib/ports/log.ts';
import type { Channel, MeshEvent, Peer, PeerId, Purpose } from '#lib/ports/mesh.ts';
import { StreamChannel } from './channel.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Node } from './node.ts';
import { PULSE_PROTOCOL } from './pulse.ts';

export const JOB_PROTOCOL = '/fireweed/job/1.0.0';
/** An old tab hands everything to a new one (docs/spec/moving.md). */
export const MOVE_PROTOCOL = '/fireweed/move/1.0.0';
/** Job channels one peer may hold open with us; far more than the places any engine has. */
const MAX_CHANNELS_PER_PEER = 64;
/** Nobody moves twice at once; one more, for a try that has not noticed yet that it failed. */
const MAX_MOVES_PER_PEER = 2;
const PURPOSES: Readonly<Record<Purpose, { readonly protocol: string; readonly most: number }>> = {
	job: { protocol: JOB_PROTOCOL, most: MAX_CHANNELS_PER_PEER },
	move: { protocol: MOVE_PROTOCOL, most: MAX_MOVES_PER_PEER }
};
/** How long a standing connection may take to open a channel before it counts as dead, ms. */
const OPEN_PATIENCE_MS = 3_000;
/** A relayed connection lives so long after it served, ms: its signalling stream is still being closed at the far end. */
const INTRODUCTION_LINGER_MS = 5_000;

type WhyDown = 'goodbye' | 'silent' | 'closed';
/** Paths from worst to best; a better one is announced again. */
const RANK: Readonly<Record<Peer['path'], number>> = { relayed: 0, direct: 1, relay: 2 };

export interface LinksInit {
	/** Monotonic milliseconds. */
	readonly now: () => number;
	readonly isRelay: (peer: PeerId) => boolean;
	readonly emit: (event: MeshEvent) => void;
	/** The last connection to this peer is gone. */
	readonly onGone: (peer: PeerId) => void;
	readonly onDirect: (peer: PeerId) => void;
	readonly onChannel: (channel: Channel, purpose: Purpose) => void;
	readonly log: Log;
}

export class Links {
	readonly #init: LinksInit;
	readonly #heartbeat: Heartbeat;
	/** Channels by connection id. */
	readonly #channels = new Map<string, Set<StreamChannel>>();
	/** Peers told of as up, with the path last told. */
	readonly #told = new Map<PeerId, Peer['path']>();
	/** Why peers whose connections are being closed were given up. */
	readonly #why = new Map<PeerId, WhyDown>();
	#node: Node | undefined;

	constructor(init: LinksInit) {
		this.#init = init;
		this.#heartbeat = new Heartbeat({
			now: init.now,
			onLost: (connection, why) => {
				this.lose(connection, why);
			},
			log: init.log
		});
	}

	/** Takes up a node before it starts. */
	async attach(node: Node): Promise<void> {
		this.#node = node;
		node.addEventListener('connection:open', ({ detail }) => {
			this.#onOpen(detail);
		});
		node.addEventListener('connection:close', ({ detail }) => {
			this.#onClose(detail);
		});
		const handling = { maxInboundStreams: MAX_CHANNELS_PER_PEER, runOnLimitedConnection: false };
		await node.handle(
			PULSE_PROTOCOL,
			(stream, connection) => {
				this.#heartbeat.accept(stream, connection);
			},
			handling
		);
		// Moves too are handled always and by every tab, and ended unread unless the person waits for one: libp2p tells every neighbour which
		// protocols a node has, and one that comes and goes would tell them who is about to move.
		for (const purpose of ['job', 'move'] as const) {
			const { protocol, most } = PURPOSES[purpose];
			await node.handle(
				protocol,
				(stream, connection) => {
					// libp2p refuses limited connections for us; a second look costs nothing and the promise is the privacy claim.
					if (connection.limits !== undefined) stream.abort(new Refusal('limited-connection'));
					else this.#init.onChannel(this.#channelOn(connection, stream), purpose);
				},
				{ ...handling, maxInboundStreams: most }
			);
		}
	}

	/** Breaks every channel; used when the node stops. */
	breakAll(): void {
		for (const channels of this.#channels.values())
			for (const channel of channels) channel.breakWith('channel-closed', 'stopped');
	}

	/** Forgets the node, after it stopped. */
	detach(): void {
		this.#node = undefined;
		this.#channels.clear();
		this.#told.clear();
		this.#why.clear();
	}

	goodbye(): void {
		this.#heartbeat.goodbye();
	}

	onTick(): void {
		this.#heartbeat.onTick();
		for (const connection of this.#node?.getConnections() ?? []) {
			// Only the side that made an introduction ends it: the other may still be answering on it.
			if (connection.limits === undefined || connection.direction !== 'outbound' || connection.status !== 'open')
				continue;
			if (
				Date.now() - connection.timeline.open > INTRODUCTION_LINGER_MS &&
				this.#pathTo(connection.remotePeer) === 'direct'
			) {
				connection.abort(new Refusal('channel-closed', 'introduction over'));
			}
		}
	}

	peers(): readonly Peer[] {
		return (this.#node?.getPeers() ?? []).flatMap((id) => {
			const path = this.#pathTo(id);
			return path === undefined ? [] : [{ id: id.toString(), path, roundTripMs: this.#roundTripMs(id) }];
		});
	}

	/** Opens a channel on a direct connection. Refusals: `limited-connection`; libp2p's own errors when the far side does not answer. */
	async open(connection: Connection, signal: AbortSignal, purpose: Purpose): Promise<Channel> {
		if (connection.limits !== undefined) throw new Refusal('limited-connection');
		const { protocol, most } = PURPOSES[purpose];
		const stream = await connection.newStream(protocol, {
			runOnLimitedConnection: false,
			maxOutboundStreams: most,
			signal: AbortSignal.any([signal, AbortSignal.timeout(OPEN_PATIENCE_MS)])
		});
		return this.#channelOn(connection, stream);
	}

	/** Gives a connection up: its channels break with `peer-lost` now, and nothing of it lingers. */
	lose(connection: Connection, why: WhyDown): void {
		const peer = connection.remotePeer.toString();
		if (!this.#why.has(peer)) this.#why.set(peer, why);
		// A goodbye is said once for all connections of the tab.
		const lost = why === 'goodbye' ? (this.#node?.getConnections(connection.remotePeer) ?? [connection]) : [connection];
		for (const one of lost) {
			for (const channel of this.#channels.get(one.id) ?? []) channel.breakWith('peer-lost', why);
			one.abort(new Refusal('peer-lost', why));
		}
	}

	#channelOn(connection: Connection, stream: Stream): StreamChannel {
		const known = this.#channels.get(connection.id) ?? new Set<StreamChannel>();
		this.#channels.set(connection.id, known);
		const channel = new StreamChannel({
			peer: connection.remotePeer.toString(),
			stream,
			onLife: () => {
				this.#heartbeat.heard(connection);
			},
			onGone: (gone) => {
				known.delete(gone);
			},
			connected: () => connection.status === 'open'
		});
		known.add(channel);
		return channel;
	}

	#onOpen(connection: Connection): void {
		const peer = connection.remotePeer.toString();
		this.#why.delete(peer);
		const path = this.#pathTo(connection.remotePeer);
		if (path === undefined) return;
		if (path === 'direct' && connection.limits === undefined) {
			this.#heartbeat.add(connection);
			this.#init.onDirect(peer);
		}
		const told = this.#told.get(peer);
		if (told !== undefined && RANK[told] >= RANK[path]) return;
		this.#told.set(peer, path);
		this.#init.emit({
			type: 'peer-up',
			peer: { id: peer, path, roundTripMs: this.#roundTripMs(connection.remotePeer) }
		});
	}

	#onClose(connection: Connection): void {
		this.#heartbeat.drop(connection);
		for (const channel of this.#channels.get(connection.id) ?? []) channel.breakWith('peer-lost', 'connection closed');
		this.#channels.delete(connection.id);
		const id = connection.remotePeer;
		const peer = id.toString();
		const path = this.#pathTo(id);
		if (path === 'relayed' && this.#told.get(peer) === 'direct') {
			// What is left is the introduction; a peer that is only half there is of no use and would look alive.
			for (const left of this.#node?.getConnections(id) ?? []) left.abort(new Refusal('peer-lost'));
			return;
		}
		if (path !== undefined) {
			// Another connection stands. A goodbye closes them one by one and keeps its reason for the last.
			if (this.#why.get(peer) !== 'goodbye') this.#why.delete(peer);
			return;
		}
		const why = this.#why.get(peer) ?? 'closed';
		this.#why.delete(peer);
		if (this.#told.delete(peer)) this.#init.emit({ type: 'peer-down', peer, why });
		this.#init.onGone(peer);
	}

	/** Undefined when no open connection is left. */
	#pathTo(id: Libp2pPeerId): Peer['path'] | undefined {
		const open = (this.#node?.getConnections(id) ?? []).filter(({ status }) => status === 'open');
		if (open.length === 0) return undefined;
		if (this.#init.isRelay(id.toString())) return 'relay';
		return open.some(({ limits }) => limits === undefined) ? 'direct' : 'relayed';
	}

	#roundTripMs(id: Libp2pPeerId): number | undefined {
		const known = (this.#node?.getConnections(id) ?? []).flatMap((connection) => {
			const ms = this.#heartbeat.roundTripMs(connection) ?? connection.rtt;
			return ms === undefined ? [] : [ms];
		});
		return known.length === 0 ? undefined : Math.min(...known);
	}
}
