/**
 * Which addresses may be dialled at all. Peers tell us addresses; without a gate a stranger could make this browser knock on the doors
 * of the person's own machine and home network.
 */
import type { ConnectionGater } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { firstHop, parseAddress } from './address.ts';

/** Where the page came from: on loopback (development, `npm start`) near machines may be dialled. */
export type PagePlace = 'loopback' | 'elsewhere';

/** Whether a page's host name means this machine. */
export function pagePlaceOf(hostname: string): PagePlace {
	const name = hostname.toLowerCase().replace(/^\[|\]$/g, '');
	return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\.\d+\.\d+\.\d+$/.test(name)
		? 'loopback'
		: 'elsewhere';
}

/**
 * Addresses that name no machine and go over what already stands (`/p2p/R/p2p-circuit/…`) or never leave the process (`/memory/…`).
 * All other forms are refused; `/dnsaddr` above all, which would be resolved over HTTPS by a third party (protocol.md 10).
 */
const WITHOUT_MACHINE: ReadonlySet<string> = new Set(['p2p', 'memory']);

export class Gate {
	readonly #place: PagePlace;
	readonly #confirmed = new Set<string>();

	constructor(place: PagePlace) {
		this.#place = place;
	}

	/** Opens the way to the machine of a relay the person confirmed (host and port, nothing beside it). Refusal `malformed`. */
	confirm(address: string): void {
		const key = hopKey(parseAddress(address));
		if (key !== undefined) this.#confirmed.add(key);
	}

	/** Whether the first machine of the address may be dialled. */
	allows(address: Multiaddr): boolean {
		const hop = firstHop(address);
		if (hop === undefined) return WITHOUT_MACHINE.has(address.getComponents()[0]?.name ?? '');
		if (hop.reach === 'public' || this.#place === 'loopback') return true;
		const key = hopKey(address);
		// A name may point anywhere, also home; secure WebSockets need a certificate for it, which a home router has not.
		if (hop.reach === 'name' && isSecure(address)) return true;
		return key !== undefined && this.#confirmed.has(key);
	}

	/** The same rule in libp2p's words; `admits` is asked for every introduction that others want to us. */
	gater(admits: () => boolean): ConnectionGater {
		return {
			denyDialMultiaddr: (address) => !this.allows(address),
			denyInboundRelayedConnection: () => !admits()
		};
	}
}

function isSecure(address: Multiaddr): boolean {
	return address.getComponents().some((part) => part.name === 'wss' || part.name === 'tls');
}

function hopKey(address: Multiaddr): string | undefined {
	const hop = firstHop(address);
	return hop === undefined ? undefined : `${hop.host}|${String(hop.port)}`;
}
