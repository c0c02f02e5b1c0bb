/** The libp2p node of a tab, composed: what was measured to work together (findings, docs/spec/mesh.md), and nothing that calls home. */
import { noise } from '@libp2p/noise';
import { circuitRelayTransport, type CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2';
import type { GossipSub } from '@libp2p/gossipsub';
import { identify, identifyPush, type Identify, type IdentifyPush } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, PeerId as Libp2pPeerId, Transport } from '@libp2p/interface';
import { FaultTolerance } from '@libp2p/interface';
import { ping, type Ping } from '@libp2p/ping';
import { peerIdFromString } from '@libp2p/peer-id';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Signer } from '#lib/ports/keys.ts';
import type { PeerId } from '#lib/ports/mesh.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { gossip } from './gossip.ts';
import type { Medium, TransportComponents, Transports } from './medium.ts';
import { NODE_INFO } from './node-info.ts';
import { privateKeyOf } from './private-key.ts';

/** Connections of one tab, relays among them; Chrome grows slow long before its own limits. */
const MAX_CONNECTIONS = 100;
/** Inbound connections from one address per second; a whole school may stand behind one. */
const MAX_INBOUND_PER_SECOND = 50;
/** The slow ping that finds dead relays, ms; peers have the pulse. */
const PING_EVERY_MS = 5_000;
const PING_PATIENCE_MS = 10_000;

interface Interior {
	listen(address: Multiaddr): Promise<void>;
}

export type Services = {
	identify: Identify;
	identifyPush: IdentifyPush;
	ping: Ping;
	pubsub: GossipSub;
	interior: Interior;
};
export type Node = Libp2p<Services>;

export interface NodeInit {
	readonly signer: Signer;
	readonly listen: Medium['listen'];
	readonly transports: Transports;
	readonly gater: ConnectionGater;
	readonly iceServers: () => RTCIceServer[];
}

export interface Composed {
	readonly node: Node;
	/**
	 * Asks a connected relay for a reservation, so that others can be introduced to us there. Refusal `relay-unavailable`.
	 * libp2p asks once when it listens and never again; after a lost relay this is what brings the address back.
	 */
	reserve(relay: Libp2pPeerId, address: Multiaddr): Promise<void>;
	/** libp2p's shape of an id. Refusal `unreachable` for what is none. */
	peer(text: PeerId): Libp2pPeerId;
}

/** Composes a node that is not started yet. */
export async function composeNode(init: NodeInit): Promise<Composed> {
	const circuit = capturedCircuit();
	const node = await createLibp2p<Services>({
		start: false,
		privateKey: privateKeyOf(init.signer),
		nodeInfo: NODE_INFO,
		addresses: { listen: [...init.listen] },
		transports: [...init.transports(init.iceServers), circuit.factory],
		// Listening may fail (no network yet); the tab must come up all the same and try again.
		transportManager: { faultTolerance: FaultTolerance.NO_FATAL },
		connectionEncrypters: [noise()],
		streamMuxers: [yamux()],
		connectionGater: init.gater,
		connectionManager: {
			maxConnections: MAX_CONNECTIONS,
			inboundConnectionThreshold: MAX_INBOUND_PER_SECOND,
			maxIncomingPendingConnections: MAX_CONNECTIONS,
			// The default resolver asks Cloudflare and Google over HTTPS.
			resolvers: {},
			// relays.ts redials, with back-off and jitter; libp2p's own retries would run beside it.
			reconnectRetries: 0
		},
		connectionMonitor: {
			pingInterval: PING_EVERY_MS,
			pingTimeout: { minTimeout: PING_PATIENCE_MS, maxTimeout: PING_PATIENCE_MS }
		},
		services: {
			// Not over relayed connections: those have bytes for an introduction, and identify is a third of that.
			identify: identify({ runOnLimitedConnection: false }),
			identifyPush: identifyPush({ runOnLimitedConnection: false }),
			ping: ping(),
			pubsub: gossip('tab'),
			interior: ({ transportManager }: Pick<CircuitRelayTransportComponents, 'transportManager'>): Interior => ({
				listen: (address) => transportManager.listen([address])
			})
		}
	});
	return {
		node,
		peer: readPeerId,
		async reserve(relay, address) {
			const store = circuit.reservations();
			if (circuit.listens.has(relay.toString())) {
				await store.addRelay(relay, 'configured');
			} else {
				await node.services.interior.listen(address.encapsulate('/p2p-circuit'));
				if (!store.hasReservation(relay)) throw new Refusal('relay-unavailable', 'no reservation');
				// From now on the listener itself takes up every new reservation with this relay; a second listener would be a leak.
				circuit.listens.add(relay.toString());
			}
		}
	};
}

function readPeerId(text: PeerId): Libp2pPeerId {
	try {
		return peerIdFromString(text);
	} catch {
		throw new Refusal('unreachable', 'not a peer id');
	}
}

type CircuitTransport = ReturnType<ReturnType<typeof circuitRelayTransport>>;
interface Reservations {
	addRelay(relay: Libp2pPeerId, type: 'configured'): Promise<unknown>;
	hasReservation(relay: Libp2pPeerId): boolean;
}

/** The circuit transport, with a hand on its reservations, which libp2p does not show. */
function capturedCircuit(): {
	readonly factory: (components: TransportComponents) => Transport;
	readonly reservations: () => Reservations;
	readonly listens: Set<string>;
} {
	let transport: (CircuitTransport & { readonly reservationStore?: Reservations }) | undefined;
	return {
		listens: new Set(),
		factory: (components) => {
			transport = circuitRelayTransport()(components);
			// A relay that once failed would never be asked again for as long as the tab lives; relays.ts decides that.
			if (transport.reservationStore !== undefined) Reflect.set(transport.reservationStore, 'relayFilter', FORGETS);
			return transport;
		},
		reservations: () => {
			if (transport?.reservationStore === undefined) throw new Refusal('internal', 'circuit transport not composed');
			return transport.reservationStore;
		}
	};
}

/** Stands in for the reservation store's memory of relays that failed. */
const FORGETS = { add: () => true, has: () => false, remove: () => true, reliable: true };
