/**
 * The new tab's side of a move: it shows a code and waits, both people compare six figures, and a sealed backup comes. What came is opened and
 * taken in by the same steps as a file (node/moving), with node keys of its own, so that two places never write as one.
 */
import type { Agreement } from '#lib/ports/agreement.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Channel, Mesh, PeerId } from '#lib/ports/mesh.ts';
import type { Random } from '#lib/ports/random.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { agree, answerTag, commitTo, helloTag, sameTag, type Agreed } from '#lib/protocol/move-agreement.ts';
import { formatMoveCode, MAX_CODE_ADDRESS, MAX_CODE_RELAYS, MOVE_SECRET_BYTES } from '#lib/protocol/move-code.ts';
import { PIECE_BYTES, type MoveMessageOf } from '#lib/protocol/move.ts';
import { within } from './inbox.ts';
import { MOVE_PATIENCE_MS, MoveLine, type MovePerson } from './move-line.ts';

/** How long a code is good, ms: long enough to fetch the other device, short enough that a photograph of it is worth nothing. */
export const CODE_LIFE_MS = 10 * 60_000;
/** How long a relay may take to come up, ms. */
const RELAY_PATIENCE_MS = 15_000;
/** For whoever opens a channel to show the code's secret, ms. */
const KNOCK_PATIENCE_MS = 5_000;
/** Nodes whose first word is awaited at once, one channel each. The newest pushes out the oldest: the right one speaks at once. */
const MAX_KNOCKING = 4;
/** For the old tab to hear that all was kept, before this page starts anew, ms. */
const PARTING_MS = 3_000;
/** For the old tab to gather and seal everything, ms. */
const SEALING_PATIENCE_MS = 2 * 60_000;

export interface MoveInPorts {
	readonly mesh: Pick<Mesh, 'self' | 'relays' | 'observe' | 'onChannel'>;
	readonly agreement: Agreement;
	readonly clock: Clock;
	readonly random: Random;
}

/** What the story needs of the person at the new screen. */
export interface ArrivingPerson extends MovePerson {
	/** Shows the code until it is used. */
	show(code: string): void;
}

/** Everything, still sealed. */
export interface Arrived {
	readonly file: Uint8Array;
	readonly passphrase: string;
	/** Tells the old tab that all of it is kept here, and waits until it has left. Never throws: it is kept all the same. */
	kept(): Promise<void>;
	/** Tells it that nothing was kept. */
	leave(): void;
}

/**
 * Waits for the old tab and takes what it hands over. Refusals: `relay-unavailable`, `insecure-context`, `expired` (nobody came in time), `declined` (either
 * person said no), `not-agreed` (somebody stands between), `oversized`, `malformed`, `out-of-order`, `stalled`, `channel-closed`, `peer-lost`, `aborted`.
 */
export async function moveIn(ports: MoveInPorts, person: ArrivingPerson, signal: AbortSignal): Promise<Arrived> {
	const pair = await ports.agreement.pair();
	const relays = await relaysUp(ports, signal);
	const secret = ports.random.bytes(MOVE_SECRET_BYTES);
	person.show(formatMoveCode({ peer: ports.mesh.self, relays, secret }));
	const { line, hello } = await knocked(secret, ports, signal);
	return line.throughout(async () => {
		const agreed = await agreeSecond(line, hello, secret, pair, ports.mesh.self);
		await line.confirmed({ digits: agreed.digits, mine: agreed.newTag, theirs: agreed.oldTag }, person);
		const file = await takeOver(line, person);
		return {
			file,
			passphrase: agreed.passphrase,
			kept: async () => {
				await line.send({ type: 'kept' }).catch(() => undefined);
				await line.ended(PARTING_MS);
			},
			leave: () => line.stop('declined')
		};
	});
}

/** Relays at which this node can be found, as soon as there is one. */
async function relaysUp({ mesh, clock }: MoveInPorts, signal: AbortSignal): Promise<readonly string[]> {
	const up = () =>
		mesh
			.relays()
			.flatMap((relay) => (relay.up && relay.address.length <= MAX_CODE_ADDRESS ? [relay.address] : []))
			.slice(0, MAX_CODE_RELAYS);
	const { promise, resolve } = Promise.withResolvers<readonly string[]>();
	const look = () => {
		const found = up();
		if (found.length > 0) resolve(found);
	};
	const unobserve = mesh.observe(look);
	look();
	try {
		return await within(clock, RELAY_PATIENCE_MS, 'relay-unavailable', promise, signal);
	} finally {
		unobserve();
	}
}

interface Knock {
	readonly line: MoveLine;
	readonly hello: MoveMessageOf<'hello'>;
}

/** The first who shows the code's secret; from then on nobody waits for moves here. Everybody else's channel ends without a word. */
async function knocked(secret: Uint8Array, { mesh, clock }: MoveInPorts, signal: AbortSignal): Promise<Knock> {
	const { promise, resolve } = Promise.withResolvers<Knock>();
	/** By node, the oldest first. */
	const knocking = new Map<PeerId, Channel>();
	let taken = false;
	const leave = (channel: Channel) => {
		if (knocking.get(channel.peer) === channel) knocking.delete(channel.peer);
	};
	const sendAway = (channel: Channel | undefined) => {
		if (channel === undefined) return;
		leave(channel);
		channel.abort();
	};
	const hear = async (channel: Channel) => {
		sendAway(knocking.get(channel.peer));
		if (knocking.size >= MAX_KNOCKING) sendAway(knocking.values().next().value);
		knocking.set(channel.peer, channel);
		try {
			const line = new MoveLine(channel, clock, signal);
			const hello = await line.expect('hello', KNOCK_PATIENCE_MS);
			const ends = { oldPeer: channel.peer, newPeer: mesh.self };
			if (!sameTag(hello.tag, helloTag(secret, ends, hello.commitment))) throw new Refusal('not-agreed', 'hello');
			if (knocking.get(channel.peer) !== channel) throw new Refusal('channel-closed', 'pushed out');
			// The secret is good once: whoever comes second with it is too late, however close.
			if (taken) throw new Refusal('expired', 'used');
			taken = true;
			leave(channel);
			resolve({ line, hello });
		} catch {
			sendAway(channel);
		}
	};
	const unhear = mesh.onChannel((channel) => void hear(channel), 'move');
	try {
		return await within(clock, CODE_LIFE_MS, 'expired', promise, signal);
	} finally {
		unhear();
		for (const channel of knocking.values()) channel.abort();
	}
}

/** Answer, hear the key that was committed to. */
async function agreeSecond(
	line: MoveLine,
	{ commitment }: MoveMessageOf<'hello'>,
	secret: Uint8Array,
	pair: Awaited<ReturnType<Agreement['pair']>>,
	self: string
): Promise<Agreed> {
	const ends = { oldPeer: line.channel.peer, newPeer: self };
	const newKey = pair.publicKey;
	await line.send({ type: 'answer', key: newKey, tag: answerTag(secret, ends, commitment, newKey) });
	const { key: oldKey } = await line.expect('reveal');
	if (!equalBytes(commitTo(oldKey), commitment)) throw new Refusal('not-agreed', 'another key than it had chosen');
	return agree(await pair.shared(oldKey), secret, { ...ends, commitment, newKey, oldKey });
}

/** Pieces in order, each as long as it must be: nothing can go on without end. */
async function takeOver(line: MoveLine, person: MovePerson): Promise<Uint8Array> {
	const { length } = await line.expect('file', SEALING_PATIENCE_MS);
	const file = new Uint8Array(length);
	for (let got = 0; got < length;) {
		const { at, data } = await line.expect('piece', MOVE_PATIENCE_MS);
		if (at !== got) throw new Refusal('out-of-order', 'piece');
		if (data.length !== Math.min(PIECE_BYTES, length - got)) throw new Refusal('malformed', 'piece');
		file.set(data, at);
		got += data.length;
		person.progress(got, length);
	}
	return file;
}
