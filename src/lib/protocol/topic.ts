/** Topics of the mesh. Public by nature: what is published here anyone may read and forward. */
export type Topic =
	| 'fireweed/1/capabilities'
	| 'fireweed/1/announcements'
	/** Interests, bids: answers to announcements. Over gossip, so that asking shows no address to bidders (protocol.md 3). */
	| 'fireweed/1/bids'
	/** The newest release somebody knows, for those whom its makers' word does not reach. */
	| 'fireweed/1/releases'
	/** Accounts that ended: revoked, or succeeded by another key. */
	| 'fireweed/1/accounts';

export const TOPICS: readonly Topic[] = [
	'fireweed/1/capabilities',
	'fireweed/1/announcements',
	'fireweed/1/bids',
	'fireweed/1/releases',
	'fireweed/1/accounts'
];
