/** What differs between a tab and a process in Node: the transports, and where they listen. All else of a node is shared (node.ts). */
import type { Transport } from '@libp2p/interface';
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2';

/** What libp2p hands to a transport's factory: the relay transport asks for the most, so its list is the common one. */
export type TransportComponents = CircuitRelayTransportComponents;

/** `iceServers` is asked anew for every WebRTC connection, so that relays added later count. */
export type Transports = (iceServers: () => RTCIceServer[]) => ((components: TransportComponents) => Transport)[];

export interface Medium {
	/** Multiaddrs to listen on, beside relays, which are added later. */
	readonly listen: readonly string[];
	/** Loads the code of its transports. Rejects when that does not come. */
	load(): Promise<Transports>;
	/** RTCPeerConnections made since the start; 0 where there is no WebRTC. */
	rtcConnectionsUsed(): number;
}
