/** The thin doer around pulse.ts: one stream per direct connection, opened by the side that dialled, written and read by both. */
import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface';
import type { Log } from '#lib/ports/log.ts';
import {
	NO_PULSE,
	PULSE_PROTOCOL,
	RECORD_BYTES,
	decodeRecord,
	encodeRecord,
	forget,
	heardAnything,
	heardBeat,
	roundTripOf,
	silenceOf,
	tick,
	watch
} from './pulse.ts';

/** How long a pulse stream may take to open, ms; the connection is given up by then anyway (FIRST_BEAT_MS). */
const OPEN_PATIENCE_MS = 5_000;
/** Unsent pulse bytes after which beats are left out: a full pipe says nothing new and must not grow. */
const LARGEST_BACKLOG = 64 * RECORD_BYTES;
/** A silence that took more than this share of what was allowed is told to developers: so near it came to a false alarm. */
const HESITATION = 0.4;

export interface HeartbeatInit {
	/** Monotonic milliseconds. */
	readonly now: () => number;
	/** The peer of this connection is gone; called outside of any stream event. */
	readonly onLost: (connection: Connection, why: 'silent' | 'goodbye') => void;
	readonly log: Log;
}

interface Watched {
	readonly connection: Connection;
	stream: Stream | undefined;
	opening: boolean;
	/** The peer does not know the protocol: a stranger or a relay, watched by libp2p's own slow ping only. */
	unsupported: boolean;
}

export class Heartbeat {
	readonly #init: HeartbeatInit;
	readonly #watched = new Map<string, Watched>();
	#pulse = NO_PULSE;

	constructor(init: HeartbeatInit) {
		this.#init = init;
	}

	/** Watches a direct connection until it is lost or dropped. */
	add(connection: Connection): void {
		if (this.#watched.has(connection.id)) return;
		const watched: Watched = { connection, stream: undefined, opening: false, unsupported: false };
		this.#watched.set(connection.id, watched);
		this.#pulse = watch(this.#pulse, connection.id, this.#init.now());
		if (connection.direction === 'outbound') void this.#open(watched);
	}

	/** The handler of PULSE_PROTOCOL. */
	accept(stream: Stream, connection: Connection): void {
		this.add(connection);
		const watched = this.#watched.get(connection.id);
		if (watched !== undefined) this.#attach(watched, stream);
	}

	drop(connection: Connection): void {
		this.#watched.delete(connection.id);
		this.#pulse = forget(this.#pulse, connection.id);
	}

	/** Something came over this connection. */
	heard(connection: Connection): void {
		this.#tellHesitation(connection);
		this.#pulse = heardAnything(this.#pulse, connection.id, this.#init.now());
	}

	roundTripMs(connection: Connection): number | undefined {
		return roundTripOf(this.#pulse, connection.id);
	}

	onTick(): void {
		const { pulse, beats, silent } = tick(this.#pulse, this.#init.now());
		this.#pulse = pulse;
		for (const { id, record } of beats) {
			const watched = this.#watched.get(id);
			if (watched === undefined) continue;
			const { stream } = watched;
			if (stream !== undefined && stream.writeBufferLength < LARGEST_BACKLOG) this.#write(stream, encodeRecord(record));
			else if (stream === undefined && watched.connection.direction === 'outbound') void this.#open(watched);
		}
		for (const id of silent) {
			const watched = this.#watched.get(id);
			if (watched === undefined || watched.unsupported) continue;
			this.#watched.delete(id);
			this.#init.onLost(watched.connection, 'silent');
		}
	}

	/** Tells every peer at once, without waiting for anything: a page that is being closed has only this one turn. */
	goodbye(): void {
		const record = encodeRecord({ kind: 'goodbye' });
		for (const { stream } of this.#watched.values()) if (stream !== undefined) this.#write(stream, record);
	}

	/** Before the end of a silence is noted. */
	#tellHesitation(connection: Connection): void {
		const { ms = 0, allowedMs = Infinity } = silenceOf(this.#pulse, connection.id, this.#init.now()) ?? {};
		if (ms > HESITATION * allowedMs) this.#init.log('peer-hesitated', { ms: Math.round(ms), allowedMs });
	}

	#write(stream: Stream, record: Uint8Array): void {
		if (stream.writeStatus !== 'writable') return;
		try {
			stream.send(record);
		} catch {
			// The stream is closing; its close event or the silence that follows is the answer.
		}
	}

	async #open(watched: Watched): Promise<void> {
		if (watched.opening || watched.unsupported) return;
		watched.opening = true;
		try {
			const signal = AbortSignal.timeout(OPEN_PATIENCE_MS);
			const stream = await watched.connection.newStream(PULSE_PROTOCOL, { signal, runOnLimitedConnection: false });
			if (this.#watched.get(watched.connection.id) === watched) this.#attach(watched, stream);
			else stream.abort(new Error('connection no longer watched'));
		} catch (error) {
			watched.unsupported = error instanceof Error && error.name === 'UnsupportedProtocolError';
			// Anything else: the next tick tries again, and silence decides in the end.
		} finally {
			watched.opening = false;
		}
	}

	#attach(watched: Watched, stream: Stream): void {
		watched.stream?.abort(new Error('replaced by a newer pulse stream'));
		watched.stream = stream;
		const { connection } = watched;
		let rest = new Uint8Array(0);
		stream.addEventListener('message', (event: StreamMessageEvent) => {
			if (this.#watched.get(connection.id) !== watched) return;
			const chunk = event.data.subarray();
			const bytes = new Uint8Array(rest.length + chunk.length);
			bytes.set(rest);
			bytes.set(chunk, rest.length);
			const whole = bytes.length - (bytes.length % RECORD_BYTES);
			for (let at = 0; at < whole; at += RECORD_BYTES) this.#read(watched, bytes.subarray(at, at + RECORD_BYTES));
			rest = bytes.slice(whole);
		});
		stream.addEventListener('close', () => {
			if (watched.stream === stream) watched.stream = undefined;
		});
	}

	#read({ connection }: Watched, bytes: Uint8Array): void {
		const record = decodeRecord(bytes);
		if (record?.kind === 'beat') {
			this.#tellHesitation(connection);
			this.#pulse = heardBeat(this.#pulse, connection.id, record, this.#init.now());
		} else if (record?.kind === 'goodbye' && this.#watched.has(connection.id)) {
			this.drop(connection);
			// After this event: aborting a connection from within its own stream's event confuses the muxer's bookkeeping.
			queueMicrotask(() => {
				this.#init.onLost(connection, 'goodbye');
			});
		}
	}
}
