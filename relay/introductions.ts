/**
 * The circuit relay, made for introductions only: a few kilobytes of WebRTC signalling for each pair, counted.
 * What it carries is encrypted end to end between the two tabs; the relay sees who asked for whom, and how many bytes passed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
	circuitRelayServer,
	type CircuitRelayServerComponents,
	type CircuitRelayService
} from '@libp2p/circuit-relay-v2';
import type { Connection, Stream } from '@libp2p/interface';
import { Refusal } from '#lib/protocol/errors.ts';
import type { RelayConfig } from './config.ts';

/** Hop streams one peer may hold open: one for each introduction under way, and its reservation. */
const MAX_HOP_STREAMS_PER_PEER = 32;
/** Tabs renew a reservation five minutes before its end; the place of a vanished tab is free after it, ms. */
const RESERVATION_MS = 30 * 60_000;
/** How long the two hellos of a hop may take, ms. */
const HOP_PATIENCE_MS = 10_000;

export interface IntroductionCounts {
	/** Pairs connected through this relay, each time anew. */
	introductions: number;
	/** Bytes carried between the two of a pair, both directions. */
	relayedBytes: number;
	/** Most bytes any one introduction took. */
	largestIntroduction: number;
	/** Introductions cut off because they wanted more than is allowed. */
	overLimit: number;
}

/** The parts of libp2p's relay service that are public in its code and absent from its type. */
interface HopServer extends CircuitRelayService {
	onHop(stream: Stream, connection: Connection): Promise<void>;
	stopHop(options: unknown, abort: unknown): Promise<Stream | undefined>;
}

interface Tally {
	introduced: boolean;
	bytes: number;
}

/** The relay service of a node, counting into `counts`. */
export function introductions(
	config: Pick<RelayConfig, 'maxReservations' | 'introductionBytes' | 'introductionSeconds'>,
	counts: IntroductionCounts
): (components: CircuitRelayServerComponents) => CircuitRelayService {
	return (components) => {
		const service = circuitRelayServer({
			hopTimeout: HOP_PATIENCE_MS,
			maxInboundHopStreams: MAX_HOP_STREAMS_PER_PEER,
			reservations: {
				maxReservations: config.maxReservations,
				reservationTtl: RESERVATION_MS,
				// Milliseconds here, although the wire says seconds: js-libp2p 4.2.13 uses one number for both.
				defaultDurationLimit: config.introductionSeconds * 1000,
				defaultDataLimit: BigInt(config.introductionBytes)
			}
		})(components);
		count(asHopServer(service), counts);
		return service;
	};
}

function asHopServer(service: CircuitRelayService): HopServer {
	const server = service as HopServer;
	if (typeof server.onHop !== 'function' || typeof server.stopHop !== 'function') {
		throw new Refusal('internal', 'circuit relay service has another shape than the one measured');
	}
	return server;
}

/**
 * Counts by standing between the service and its streams. A listener for `message` would not do: the first one added to a stream
 * receives, and so swallows, what the service has not read yet.
 */
function count(server: HopServer, counts: IntroductionCounts): void {
	const current = new AsyncLocalStorage<Tally>();
	const onHop = server.onHop.bind(server);
	const stopHop = server.stopHop.bind(server);
	server.onHop = (stream, connection) => {
		const tally: Tally = { introduced: false, bytes: 0 };
		const add = (bytes: number): void => {
			if (!tally.introduced) return;
			tally.bytes += bytes;
			counts.relayedBytes += bytes;
			counts.largestIntroduction = Math.max(counts.largestIntroduction, tally.bytes);
		};
		const tapped = stream as Stream & { onData(data: { readonly byteLength: number }): void };
		const { send, onData } = tapped;
		tapped.send = (data) => {
			add(data.byteLength);
			return send.call(tapped, data);
		};
		tapped.onData = (data) => {
			add(data.byteLength);
			onData.call(tapped, data);
		};
		stream.addEventListener('close', (event) => {
			if (event.error?.name === 'TransferLimitError') counts.overLimit += 1;
		});
		return current.run(tally, () => onHop(stream, connection));
	};
	server.stopHop = async (options, abort) => {
		const far = await stopHop(options, abort);
		const tally = current.getStore();
		if (far !== undefined && tally !== undefined) {
			tally.introduced = true;
			counts.introductions += 1;
		}
		return far;
	};
}
