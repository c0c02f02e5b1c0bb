/**
 * Is the other side still there? A closed tab says nothing to its WebRTC peers (measured: libp2p notices after 7–14 s), so both sides
 * of a direct connection beat on `/fireweed/pulse/1.0.0`, and a tab that goes on purpose says goodbye.
 *
 * Everything here is pure: time comes in, a new state and what to do go out. How long a silence may be: patience.ts.
 */
import { patienceFrom, patienceMs, paused, type Patience } from './patience.ts';
import { TICK_MS } from './ticker.ts';

export const PULSE_PROTOCOL = '/fireweed/pulse/1.0.0';
/** Milliseconds between beats: every second tick. */
export const BEAT_MS = 2 * TICK_MS;
/** Silence allowed to a connection that has never spoken, ms: its pulse stream is still being opened, on a machine busy with the same. */
export const FIRST_BEAT_MS = 5_000;
/** Beats whose sending time is remembered for measuring the round trip; at 250 ms a beat that covers two seconds. */
const REMEMBERED_BEATS = 8;
/** One record on the wire, bytes. */
export const RECORD_BYTES = 12;

export type LinkId = string;

/** One record of the pulse stream; numbers are unsigned, big-endian: kind (1), zero (1), sequence (4), echo (4), held (2). */
export type PulseRecord =
	| {
			readonly kind: 'beat';
			/** Counts the sender's beats on this connection, from 1. */
			readonly sequence: number;
			/** Newest sequence heard from the other side; 0 when none was. */
			readonly echo: number;
			/** Milliseconds between hearing `echo` and sending this, at most 65,535. */
			readonly heldMs: number;
	  }
	| { readonly kind: 'goodbye' };

const KIND_BEAT = 1;
const KIND_GOODBYE = 2;
const LARGEST_HELD = 0xffff;

export function encodeRecord(record: PulseRecord): Uint8Array {
	const bytes = new Uint8Array(RECORD_BYTES);
	const view = new DataView(bytes.buffer);
	if (record.kind === 'goodbye') {
		view.setUint8(0, KIND_GOODBYE);
		return bytes;
	}
	view.setUint8(0, KIND_BEAT);
	view.setUint32(2, record.sequence);
	view.setUint32(6, record.echo);
	view.setUint16(10, Math.min(Math.max(0, Math.round(record.heldMs)), LARGEST_HELD));
	return bytes;
}

/** Reads one record; undefined for a kind not known here, which is passed over so that later versions may add some. */
export function decodeRecord(bytes: Uint8Array): PulseRecord | undefined {
	if (bytes.length !== RECORD_BYTES) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	switch (view.getUint8(0)) {
		case KIND_BEAT:
			return { kind: 'beat', sequence: view.getUint32(2), echo: view.getUint32(6), heldMs: view.getUint16(10) };
		case KIND_GOODBYE:
			return { kind: 'goodbye' };
		default:
			return undefined;
	}
}

interface Link {
	/** When anything was heard last; moved forward by our own freezes. */
	readonly heardAt: number;
	/** Undefined until something was heard. */
	readonly patience: Patience | undefined;
	/** Newest sequence sent, and when the last few were. */
	readonly sequence: number;
	readonly sentAt: readonly { readonly sequence: number; readonly at: number }[];
	readonly heardSequence: number;
	readonly heardSequenceAt: number;
	readonly roundTripMs: number | undefined;
}

export interface Pulse {
	readonly tickedAt: number | undefined;
	readonly beatAt: number | undefined;
	readonly links: ReadonlyMap<LinkId, Link>;
}

export const NO_PULSE: Pulse = { tickedAt: undefined, beatAt: undefined, links: new Map() };

function withLink(pulse: Pulse, id: LinkId, link: Link): Pulse {
	return { ...pulse, links: new Map(pulse.links).set(id, link) };
}

/** Begins to watch a connection. */
export function watch(pulse: Pulse, id: LinkId, now: number): Pulse {
	return withLink(pulse, id, {
		heardAt: now,
		patience: undefined,
		sequence: 0,
		sentAt: [],
		heardSequence: 0,
		heardSequenceAt: now,
		roundTripMs: undefined
	});
}

/** Stops watching; unknown ids are no error, since a connection may end from several sides at once. */
export function forget(pulse: Pulse, id: LinkId): Pulse {
	if (!pulse.links.has(id)) return pulse;
	const links = new Map(pulse.links);
	links.delete(id);
	return { ...pulse, links };
}

/** Anything came over the connection: whoever sends is alive. */
export function heardAnything(pulse: Pulse, id: LinkId, now: number): Pulse {
	const link = pulse.links.get(id);
	return link === undefined ? pulse : withLink(pulse, id, { ...link, ...silenceEnds(pulse, link, now) });
}

/** How long a connection has been silent, and how long it may be, ms; undefined before anything was heard. Our own lateness is no silence of theirs. */
export function silenceOf(
	pulse: Pulse,
	id: LinkId,
	now: number
): { readonly ms: number; readonly allowedMs: number } | undefined {
	const link = pulse.links.get(id);
	if (link?.patience === undefined) return undefined;
	return { ms: silentMs(pulse, link, now), allowedMs: patienceMs(link.patience, now) };
}

const silentMs = (pulse: Pulse, { heardAt }: Link, now: number) => Math.max(0, now - heardAt - latenessOf(pulse, now));

/** Something was heard. */
function silenceEnds(pulse: Pulse, link: Link, now: number): Pick<Link, 'heardAt' | 'patience'> {
	const { heardAt, patience } = link;
	return {
		heardAt: Math.max(heardAt, now),
		patience: patience === undefined ? patienceFrom(now) : paused(patience, silentMs(pulse, link, now), now)
	};
}

/** How late the next tick is already, ms: for so long nothing could be heard here. */
function latenessOf({ tickedAt }: Pulse, now: number): number {
	return tickedAt === undefined ? 0 : Math.max(0, now - tickedAt - TICK_MS);
}

/** A beat came; measures the round trip when it echoes one of ours. */
export function heardBeat(pulse: Pulse, id: LinkId, beat: PulseRecord & { readonly kind: 'beat' }, now: number): Pulse {
	const link = pulse.links.get(id);
	if (link === undefined) return pulse;
	const sent = link.sentAt.find(({ sequence }) => sequence === beat.echo);
	return withLink(pulse, id, {
		...link,
		...silenceEnds(pulse, link, now),
		heardSequence: beat.sequence,
		heardSequenceAt: now,
		roundTripMs: sent === undefined ? link.roundTripMs : Math.max(0, now - sent.at - beat.heldMs)
	});
}

export interface Tick {
	readonly pulse: Pulse;
	/** What to send now: at every second tick, one for each connection watched. */
	readonly beats: readonly { readonly id: LinkId; readonly record: PulseRecord }[];
	/** Connections whose peer is gone; they are no longer watched. */
	readonly silent: readonly LinkId[];
}

/**
 * One tick. One that comes late means that this tab was busy, frozen, throttled or asleep: what peers sent meanwhile may still wait behind it in the
 * event queue, so their silence is shorter by as much, and a frozen tab does not drop living peers.
 */
export function tick(pulse: Pulse, now: number): Tick {
	const late = latenessOf(pulse, now);
	const beating = pulse.beatAt === undefined || now - pulse.beatAt > BEAT_MS - TICK_MS / 2;
	const links = new Map<LinkId, Link>();
	const beats: { id: LinkId; record: PulseRecord }[] = [];
	const silent: LinkId[] = [];
	for (const [id, old] of pulse.links) {
		const link = { ...old, heardAt: Math.min(now, old.heardAt + late) };
		if (now - link.heardAt > (link.patience === undefined ? FIRST_BEAT_MS : patienceMs(link.patience, now))) {
			silent.push(id);
		} else if (beating) {
			const sequence = link.sequence + 1;
			const sentAt = [...link.sentAt, { sequence, at: now }].slice(-REMEMBERED_BEATS);
			const heldMs = link.heardSequence === 0 ? 0 : now - link.heardSequenceAt;
			links.set(id, { ...link, sequence, sentAt });
			beats.push({ id, record: { kind: 'beat', sequence, echo: link.heardSequence, heldMs } });
		} else {
			links.set(id, link);
		}
	}
	return { pulse: { tickedAt: now, beatAt: beating ? now : pulse.beatAt, links }, beats, silent };
}

export function roundTripOf(pulse: Pulse, id: LinkId): number | undefined {
	return pulse.links.get(id)?.roundTripMs;
}
