/** A direct connection to one peer, whatever it takes: the one that stands, or up to three dials with a fresh time-out each. */
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_ADDRESSES } from '#lib/protocol/limits.ts';
import { parseAddress, peerAt } from './address.ts';
import type { Node } from './node.ts';

/** Tries before a peer counts as unreachable. A hung WebRTC dial is cheap to repeat and dear to wait for. */
const TRIES = 3;
/** Time for one try, ms. Measured p95 is 0.33 s on one machine; the rest is for far peers behind NAT. */
const TRY_PATIENCE_MS = 4_000;
/** Pause before the next try, ms: a peer that has just lost its relay needs about so long to be back there. */
const PAUSE_MS = 250;

/** Errors that another try cannot mend: nothing dialable among the addresses, or the gate is shut. */
const FINAL: ReadonlySet<string> = new Set(['NoValidAddressesError', 'DialDeniedError', 'InvalidMultiaddrError']);

/** A standing direct connection: open, and not limited by a relay. */
export function directConnection(node: Node, peer: Libp2pPeerId): Connection | undefined {
	return node
		.getConnections(peer)
		.find((connection) => connection.status === 'open' && connection.limits === undefined);
}

/**
 * Refusals: `unreachable`, `limited-connection` (a connection came about, but only through a relay), `aborted`.
 * Addresses that are malformed or end at another peer are passed over.
 */
export async function dialDirect(
	node: Node,
	peer: Libp2pPeerId,
	addresses: readonly string[],
	signal: AbortSignal
): Promise<Connection> {
	const id = peer.toString();
	const targets = addresses.slice(0, MAX_ADDRESSES).flatMap((text) => targetOf(text, id));
	let last = 'no dialable address';
	for (let attempt = 0; attempt < TRIES; attempt += 1) {
		if (signal.aborted) throw new Refusal('aborted');
		const standing = directConnection(node, peer);
		if (standing !== undefined) return standing;
		if (targets.length === 0) break;
		if (attempt > 0) {
			await pause(signal);
			// What is left of a failed introduction has spent its bytes; the next dial would be sent down that dead end.
			closeIntroductions(node, peer);
		}
		try {
			const connection = await node.dial(targets, {
				// A relayed connection to the peer may stand; without force libp2p would hand that one back.
				force: true,
				signal: AbortSignal.any([signal, AbortSignal.timeout(TRY_PATIENCE_MS)])
			});
			if (connection.limits === undefined) return connection;
			connection.abort(new Refusal('limited-connection'));
			throw new Refusal('limited-connection');
		} catch (error) {
			if (signal.aborted) throw new Refusal('aborted');
			if (error instanceof Refusal) throw error;
			last = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
			if (error instanceof Error && FINAL.has(error.name)) break;
		}
	}
	throw new Refusal('unreachable', last);
}

function targetOf(text: string, peer: string): Multiaddr[] {
	try {
		const address = parseAddress(text);
		return peerAt(address) === peer ? [address] : [];
	} catch {
		return [];
	}
}

/** Closes relayed connections that we made. Those the peer made may be carrying its own introduction to us just now. */
function closeIntroductions(node: Node, peer: Libp2pPeerId): void {
	for (const connection of node.getConnections(peer)) {
		if (connection.limits !== undefined && connection.direction === 'outbound') {
			connection.abort(new Refusal('channel-closed', 'introduction over'));
		}
	}
}

async function pause(signal: AbortSignal): Promise<void> {
	await new Promise<void>((resolve) => {
		const timer = setTimeout(resolve, PAUSE_MS);
		signal.addEventListener(
			'abort',
			() => {
				clearTimeout(timer);
				resolve();
			},
			{ once: true }
		);
	});
	if (signal.aborted) throw new Refusal('aborted');
}
