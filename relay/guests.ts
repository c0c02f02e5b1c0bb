/** Who may connect: so many in all and so many from one address, so that no single machine fills the relay. */
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface';
import { firstHop } from '#lib/mesh/address.ts';

export class Guests {
	readonly #maxPerIp: number;
	readonly #byIp = new Map<string, number>();
	#refused = 0;

	constructor(maxPerIp: number) {
		this.#maxPerIp = maxPerIp;
	}

	get refused(): number {
		return this.#refused;
	}

	/** libp2p's gate: lets in whoever has room, and dials nobody. A relay that could be told to dial would be a scanner for hire. */
	gater(): ConnectionGater {
		return {
			denyDialMultiaddr: () => true,
			denyInboundConnection: (connection) => !this.#enter(connection)
		};
	}

	#enter(connection: MultiaddrConnection): boolean {
		const ip = ipOf(connection);
		const count = this.#byIp.get(ip) ?? 0;
		if (count >= this.#maxPerIp) {
			this.#refused += 1;
			return false;
		}
		this.#byIp.set(ip, count + 1);
		// Counted by the socket's own end and not by libp2p's events, which do not come for connections that fail in the handshake.
		connection.addEventListener(
			'close',
			() => {
				const left = (this.#byIp.get(ip) ?? 1) - 1;
				if (left > 0) this.#byIp.set(ip, left);
				else this.#byIp.delete(ip);
			},
			{ once: true }
		);
		return true;
	}
}

/** An IPv6 guest counts by its /64: one household has all of it. */
function ipOf({ remoteAddr }: MultiaddrConnection): string {
	const host = firstHop(remoteAddr)?.host ?? 'unknown';
	return host.includes(':') && !host.includes('.') ? host.split(':').slice(0, 4).join(':') : host;
}
