/** Multiaddrs as the mesh reads them: who is at the end, which machine is dialled first, and how near that machine is. */
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_ADDRESS } from '#lib/protocol/limits.ts';

/** How near the machine of an address is to this one. `name`: a DNS name, whose machine is not known here. */
export type Reach = 'loopback' | 'private' | 'public' | 'name';

/** Reads an address; Refusal `malformed` when it is none. */
export function parseAddress(text: string): Multiaddr {
	if (text.length > MAX_ADDRESS) throw new Refusal('malformed', 'address too long');
	try {
		return multiaddr(text);
	} catch {
		throw new Refusal('malformed', 'not a multiaddr');
	}
}

/** The PeerId an address ends at: the last `/p2p/` part. Undefined when it names none. */
export function peerAt(address: Multiaddr): string | undefined {
	return address.getComponents().findLast((part) => part.name === 'p2p')?.value;
}

/** Host, port and kind of the machine an address dials first; undefined when it does not start with one (`/p2p/…`, `/memory/…`, `/dnsaddr/…`). */
export function firstHop(
	address: Multiaddr
): { readonly host: string; readonly port: number; readonly reach: Reach } | undefined {
	const [host, transport] = address.getComponents();
	if (host?.value === undefined || transport?.value === undefined) return undefined;
	if (transport.name !== 'tcp' && transport.name !== 'udp') return undefined;
	const port = Number(transport.value);
	switch (host.name) {
		case 'ip4':
			return { host: host.value, port, reach: reachOf4(host.value) };
		case 'ip6':
			return { host: host.value, port, reach: reachOf6(host.value) };
		case 'dns':
		case 'dns4':
		case 'dns6':
			return { host: host.value, port, reach: reachOfName(host.value) };
		default:
			return undefined;
	}
}

/** `localhost` and names below it mean this machine (RFC 6761 6.3); any other name is decided by a resolver we do not ask. */
function reachOfName(name: string): Reach {
	const plain = name.toLowerCase().replace(/\.$/, '');
	return plain === 'localhost' || plain.endsWith('.localhost') ? 'loopback' : 'name';
}

/** Ranges of RFC 6890 that never belong to a stranger's public machine. */
function reachOf4(host: string): Reach {
	const [a = 0, b = 0] = host.split('.').map(Number);
	if (a === 127 || a === 0) return 'loopback';
	if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return 'private';
	// Link-local, carrier NAT, multicast, reserved.
	if ((a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128) || a >= 224) return 'private';
	return 'public';
}

function reachOf6(host: string): Reach {
	const text = host.toLowerCase();
	if (text === '::1' || text === '::') return 'loopback';
	// An IPv4 address in IPv6 dress must not pass by its dress.
	const mapped = /^::(?:ffff:)?(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1];
	if (mapped !== undefined) return reachOf4(mapped);
	const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
	if (hex !== null) {
		const high = Number.parseInt(hex[1] ?? '0', 16);
		return reachOf4(`${String(high >> 8)}.${String(high & 255)}.0.0`);
	}
	// Only 2000::/3 is given out to the public (RFC 4291, IANA); all else is local, multicast or reserved.
	return /^[23]/.test(text) && text.indexOf(':') === 4 ? 'public' : 'private';
}
