/** The medium of a process in Node: WebSockets in both directions. Tests, the later gateway and bots use it; a tab cannot listen. */
import { webSockets } from '@libp2p/websockets';
import type { Medium } from './medium.ts';

/** Listens on the given multiaddrs, e.g. `/ip4/127.0.0.1/tcp/0/ws`; on none when the list is empty. */
export function socketMedium(listen: readonly string[]): Medium {
	return { listen, load: async () => () => [webSockets()], rtcConnectionsUsed: () => 0 };
}
