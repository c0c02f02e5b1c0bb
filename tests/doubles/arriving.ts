/** A new tab that waits to be moved into, and the words of an old one that is honest. */
import { expect } from 'vitest';
import { moveIn, type Arrived } from '#lib/node/move-in.ts';
import type { Channel } from '#lib/ports/mesh.ts';
import { formatPeerId } from '#lib/protocol/did.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { agree, answerTag, commitTo, helloTag } from '#lib/protocol/move-agreement.ts';
import type { MoveMessage } from '#lib/protocol/move.ts';
import { VirtualClock } from './clock.ts';
import { agreementOf, keyOf, sharedOf, Wire } from './wire.ts';

export const [OLD, NEW] = [formatPeerId(new Uint8Array(32).fill(1)), formatPeerId(new Uint8Array(32).fill(2))];
export const SECRET = new Uint8Array(16).fill(9);
const [OLD_PAIR, NEW_PAIR] = [11, 12];
export const OUR_KEY = keyOf(NEW_PAIR);

/** A relay address of so many characters. */
export const relay = (length = 90): string => `/dns4/${'r'.repeat(length - 23 - OLD.length)}/tcp/443/wss/p2p/${OLD}`;
export const up = (address: string) => ({ address, up: true });

/** What the old tab at `peer` says, if it is honest. */
export function wordsOf(peer: string, secret = SECRET) {
	const ends = { oldPeer: peer, newPeer: NEW };
	const commitment = commitTo(keyOf(OLD_PAIR));
	const keys = { commitment, newKey: keyOf(NEW_PAIR), oldKey: keyOf(OLD_PAIR) };
	const agreed = agree(sharedOf(OLD_PAIR, keyOf(NEW_PAIR)), secret, { ...ends, ...keys });
	return {
		...{ agreed, tag: answerTag(secret, ends, commitment, keyOf(NEW_PAIR)) },
		hello: { type: 'hello', version: 1, commitment, tag: helloTag(secret, ends, commitment) },
		reveal: { type: 'reveal', key: keyOf(OLD_PAIR) },
		confirm: { type: 'confirm', tag: agreed.oldTag }
	} as const;
}
export const HONEST = wordsOf(OLD);

/** A new tab that waits to be found at `relays`, and its person. */
export function arriving({ relays = [up(relay())], says = true } = {}) {
	const clock = new VirtualClock();
	const stop = new AbortController();
	const state = { relays, unobserved: 0, unheard: 0, asked: [] as number[] };
	const seen = { codes: [] as string[], digits: [] as string[], progress: [] as (readonly number[])[] };
	let look = () => {};
	let accept: (channel: Channel) => void = () => {};
	const mesh = {
		self: NEW,
		relays: () => state.relays,
		observe: (listener: (event: never) => void) => {
			look = () => listener(undefined as never);
			return () => void state.unobserved++;
		},
		onChannel: (hear: typeof accept, purpose?: string) => {
			expect(purpose).toBe('move');
			accept = hear;
			return () => void state.unheard++;
		}
	};
	const random = { bytes: (length: number) => (state.asked.push(length), SECRET) };
	const person = {
		show: (code: string) => void seen.codes.push(code),
		compare: async (digits: string) => (seen.digits.push(digits), says),
		progress: (...facts: number[]) => void seen.progress.push(facts)
	};
	let end: unknown = 'open';
	const work = moveIn({ mesh, agreement: agreementOf(NEW_PAIR), clock, random }, person, stop.signal);
	work.then(
		() => (end = 'done'),
		(error: unknown) => (end = codeOf(error))
	);
	/** Somebody opens a channel and says this, and whatever follows from it happens. */
	const knock = async (peer: string, ...messages: readonly MoveMessage[]) => {
		const wire = new Wire(peer);
		wire.say(...messages);
		accept(wire);
		await clock.pass(0);
		return wire;
	};
	/** The right one is at the file. */
	const atTheFile = async (...messages: readonly MoveMessage[]) => {
		await clock.pass(0);
		return knock(OLD, HONEST.hello, HONEST.reveal, HONEST.confirm, ...messages);
	};
	const whole = () => work as Promise<Arrived>;
	return { clock, stop, state, seen, knock, atTheFile, ended: () => end, whole, look: () => look() };
}
