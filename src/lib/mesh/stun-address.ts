/**
 * Where to ask for one's own address: every relay answers STUN on the UDP port with the number of its WebSocket TCP port (docs/spec/relay.md).
 * The list is always explicit, even when empty: @libp2p/webrtc without one asks Google, Twilio, Cloudflare and Mozilla.
 */
import { firstHop, parseAddress } from './address.ts';

/** Browsers warn from the fifth server on and slow down; two answers are enough to learn an address. */
export const MAX_STUN_SERVERS = 3;

/** `stun:host:port` of a relay address; undefined when the address has no host and port. */
export function stunAddressOf(relay: string): string | undefined {
	const hop = firstHop(parseAddress(relay));
	if (hop === undefined) return undefined;
	return `stun:${hop.host.includes(':') ? `[${hop.host}]` : hop.host}:${String(hop.port)}`;
}

/** ICE servers of the given relays, those first in the list first. */
export function iceServersOf(relays: readonly string[]): RTCIceServer[] {
	const urls = new Set<string>();
	for (const relay of relays) {
		const url = stunAddressOf(relay);
		if (url !== undefined && urls.size < MAX_STUN_SERVERS) urls.add(url);
	}
	return [...urls].map((url) => ({ urls: url }));
}
