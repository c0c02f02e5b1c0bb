/** "Whom do you know?" on `/fireweed/peers/1.0.0`: the asked side writes one answer and closes. Tabs and relays answer alike (docs/spec/doors.md). */
import type { Connection, Stream } from '@libp2p/interface';
import { decodeAcquaintances, encodeAcquaintances } from '#lib/protocol/acquaintances.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { endFrame, FrameReader, messageFrame } from './framing.ts';

export const PEERS_PROTOCOL = '/fireweed/peers/1.0.0';
/** Time for a whole answer, ms. */
const PATIENCE_MS = 5_000;
/** Questions one connection may have open; an asker asks once in a while, one at a time. */
const MAX_QUESTIONS = 2;
/** Answers one connection gets in a minute: a stranger must not have us sign and send without end. */
const ANSWERS_PER_MINUTE = 6;
const MINUTE_MS = 60_000;

/** Manifests to hand out, encoded. */
export type Acquaintances = () => Promise<readonly Uint8Array[]>;

/** The part of a libp2p node that is used here. */
interface Answering {
	handle(
		protocol: string,
		handler: (stream: Stream, connection: Connection) => void,
		options: { readonly maxInboundStreams: number; readonly runOnLimitedConnection: boolean }
	): Promise<void>;
}

/** Answers from now on, on direct connections only: a relayed one has bytes for an introduction and nothing else. `now`: monotonic ms. */
export async function answerAcquaintances(node: Answering, known: Acquaintances, now: () => number): Promise<void> {
	const answered = new WeakMap<Connection, number[]>();
	await node.handle(
		PEERS_PROTOCOL,
		(stream, connection) => {
			const lately = (answered.get(connection) ?? []).filter((at) => now() - at < MINUTE_MS);
			if (connection.limits !== undefined || lately.length >= ANSWERS_PER_MINUTE) {
				stream.abort(new Refusal('rate-limited'));
				return;
			}
			answered.set(connection, [...lately, now()]);
			void known()
				.then(async (manifests) => {
					if (!stream.send(messageFrame(encodeAcquaintances(manifests))))
						await stream.onDrain({ signal: AbortSignal.timeout(PATIENCE_MS) });
					await stream.close({ signal: AbortSignal.timeout(PATIENCE_MS) });
				})
				.catch(() => stream.abort(new Refusal('internal')));
		},
		{ maxInboundStreams: MAX_QUESTIONS, runOnLimitedConnection: false }
	);
}

/** Asks over a standing connection. Refusals `oversized`, `malformed`, `not-canonical`, `stalled`, `channel-closed`; libp2p's own when it does not answer. */
export async function askAcquaintances(connection: Connection, signal: AbortSignal): Promise<readonly Uint8Array[]> {
	const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
	const stream = await connection.newStream(PEERS_PROTOCOL, { signal: patience, runOnLimitedConnection: false });
	const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
	const reader = new FrameReader();
	const giveUp = () => reject(new Refusal('stalled'));
	patience.addEventListener('abort', giveUp, { once: true });
	stream.addEventListener('close', () => reject(new Refusal('channel-closed')));
	stream.addEventListener('message', ({ data }) => {
		try {
			for (const frame of reader.push(data.subarray())) if (frame.kind === 'message') resolve(frame.message);
		} catch (error) {
			reject(error instanceof Error ? error : new Refusal('malformed'));
		}
	});
	try {
		// The question itself; a stream on which nothing is said is not yet there for the other side.
		stream.send(endFrame());
		const answer = decodeAcquaintances(await promise);
		await stream.close({ signal: patience });
		return answer;
	} catch (error) {
		stream.abort(new Refusal('channel-closed'));
		throw error;
	} finally {
		patience.removeEventListener('abort', giveUp);
	}
}
