/** Gossipsub as Fireweed uses it, in a tab and in a relay (docs/spec/mesh.md). */
import { gossipsub, type GossipSub, type GossipSubComponents, type GossipsubOpts } from '@libp2p/gossipsub';
import { sha256 } from '@noble/hashes/sha2.js';
import { CLOCK_SKEW_MS, MAX_GOSSIP_MESSAGE } from '#lib/protocol/limits.ts';
import { TOPICS } from '#lib/protocol/topic.ts';

/** A whole gossip record with a full message in it, and control words. */
const MAX_GOSSIP_RECORD = 8 * MAX_GOSSIP_MESSAGE;
/** Bytes that may wait for one slow peer before it is cut off from gossip. */
const MAX_GOSSIP_BACKLOG = 1024 * 1024;
/** Message ids remembered, ms: a message is refused as too old after the skew window on either side, so none can come round twice. */
const SEEN_MS = 2 * CLOCK_SKEW_MS;
/**
 * A relay passes a message straight to every tab that is connected to it: bids have 150–250 ms, and gossipsub's usual mesh of six would
 * reach the others only with its next heartbeat. Chosen above the number of reservations, so a relay never prunes.
 */
const RELAY_MESH = 4096;
/** A relay adds newcomers to its mesh at this pace, ms, instead of once a second. */
const RELAY_HEARTBEAT_MS = 250;

export type GossipRole = 'tab' | 'relay';

/** The gossip service of a node. Messages carry no author, key or sequence: who speaks stands in our own signed envelopes, or nowhere. */
export function gossip(role: GossipRole): (components: GossipSubComponents) => GossipSub {
	const shared: Partial<GossipsubOpts> = {
		globalSignaturePolicy: 'StrictNoSign',
		msgIdFn: (message) => sha256(message.data),
		allowPublishToZeroTopicPeers: true,
		ignoreDuplicatePublishError: true,
		emitSelf: false,
		// Own messages go to every peer on the topic at once; the mesh only decides who forwards those of others.
		floodPublish: true,
		fallbackToFloodsub: false,
		// Peer exchange would have libp2p dial strangers on its own; neighbours.ts decides whom to dial.
		doPX: false,
		allowedTopics: [...TOPICS],
		seenTTL: SEEN_MS,
		maxInboundDataLength: MAX_GOSSIP_RECORD,
		maxOutboundBufferSize: MAX_GOSSIP_BACKLOG,
		// Sealed and public traffic alike stay off relayed connections: those exist for introductions only.
		runOnLimitedConnection: false,
		scoreParams: {
			// All tabs of a household, school or test share an address; gossipsub would mute them from the eleventh on.
			IPColocationFactorWeight: 0
		}
	};
	if (role === 'tab') return gossipsub(shared);
	return gossipsub({
		...shared,
		D: RELAY_MESH,
		Dlo: RELAY_MESH,
		Dhi: 2 * RELAY_MESH,
		heartbeatInterval: RELAY_HEARTBEAT_MS,
		canRelayMessage: true
	});
}
