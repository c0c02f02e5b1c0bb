/** What the relay counts. Numbers only: no peer, address or message is kept, here or in the log. */
import type { GossipCounts } from '#lib/mesh/topics.ts';
import type { IntroductionCounts } from './introductions.ts';
import type { NewcomerCounts } from './newcomers.ts';
import type { StunCounts } from './stun.ts';

export interface Metrics {
	readonly upSeconds: number;
	readonly connections: number;
	/** Connections refused because their address or the relay had too many. */
	readonly refusedConnections: number;
	readonly reservations: number;
	readonly introductions: Readonly<IntroductionCounts>;
	/** Messages heard on topics, by verdict; accepted ones were passed on. */
	readonly gossip: Omit<GossipCounts, 'published'>;
	readonly gossipBytes: number;
	/** Capability statements kept just now, and what newcomers were handed of them since the start. */
	readonly recent: Readonly<NewcomerCounts> & { readonly kept: number };
	readonly stun: Readonly<StunCounts>;
}

export function noIntroductions(): IntroductionCounts {
	return { introductions: 0, relayedBytes: 0, largestIntroduction: 0, overLimit: 0 };
}
