/** Topics of the mesh. Public by nature: what is published here anyone may read and forward. */
export type Topic =
	| 'fireweed/1/capabilities'
	| 'fireweed/1/announcements'
	/** Interests, bids: answers to announcements. Over gossip, so that asking shows no address to bidders (protocol.md 3). */
	| 'fireweed/1/bids';

export const TOPICS: readonly Topic[] = ['fireweed/1/capabilities', 'fireweed/1/announcements', 'fireweed/1/bids'];
