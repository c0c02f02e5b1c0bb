/**
 * What an old tab and a new one say to each other when everything moves (docs/spec/moving.md). Nothing here is signed: the channel is between two
 * node keys, and every word before the file is bound to both of them, to the one-time secret of the code and to a fresh key agreement.
 */
import { decodeCanonical, encodeCanonical } from './encode.ts';
import { isCode, Refusal, type Code } from './errors.ts';
import { blob, bytes, fields, integer, text, word, type Infer, type Shape } from './shape.ts';

/** The conversation's own version: another one is refused, since half a move is none. */
export const MOVE_VERSION = 1;
/** An uncompressed point of P-256 (SEC 1, 2.3.3). */
export const MOVE_KEY_BYTES = 65;
/** A commitment, a tag, a hash: SHA-256. */
const HASH_BYTES = 32;
/** Longest sealed file that moves; the same as a backup's, because it is one. */
export const MAX_MOVED_BYTES = 64 * 1024 * 1024;
/** Bytes of the file in one message. With its head well below a channel's longest message. */
export const PIECE_BYTES = 256 * 1024;
/** Longest of the messages without a piece. */
const MAX_WORD_BYTES = 512;
const MAX_MESSAGE_BYTES = PIECE_BYTES + MAX_WORD_BYTES;

const hash = bytes(HASH_BYTES);
const SHAPES = {
	/** Old to new: I know the secret, and I have chosen a key that I do not show yet. */
	hello: fields({ type: word('hello'), version: integer(1, 65_535), commitment: hash, tag: hash }),
	/** New to old: I know the secret too, and this is my key. */
	answer: fields({ type: word('answer'), key: bytes(MOVE_KEY_BYTES), tag: hash }),
	/** Old to new: the key I had chosen. Now both screens show six figures. */
	reveal: fields({ type: word('reveal'), key: bytes(MOVE_KEY_BYTES) }),
	/** Each to the other: the person here says that the figures are the same. */
	confirm: fields({ type: word('confirm'), tag: hash }),
	/** Old to new: a sealed file of so many bytes comes. Its seal tells whether it came whole, so there is no hash. */
	file: fields({ type: word('file'), length: integer(1, MAX_MOVED_BYTES) }),
	/** Old to new: its bytes from `at` on. */
	piece: fields({ type: word('piece'), at: integer(0, MAX_MOVED_BYTES), data: blob(PIECE_BYTES) }),
	/** New to old: it was opened, taken in and kept. */
	kept: fields({ type: word('kept') }),
	/** Either: it ends here, and why, as a code of protocol/errors. */
	stop: fields({ type: word('stop'), why: text(32, 1) })
} as const;

export type MoveType = keyof typeof SHAPES;
export type MoveMessage = { readonly [K in MoveType]: Infer<(typeof SHAPES)[K]> }[MoveType];
export type MoveMessageOf<T extends MoveType> = Extract<MoveMessage, { readonly type: T }>;

/** Names of the messages with their fields, as the specification lists them. */
export const MOVE_MESSAGES: readonly (readonly [MoveType, readonly string[]])[] = (
	Object.entries(SHAPES) as [MoveType, Shape<unknown>][]
).map(([type, { names = [] }]) => [type, names]);

export function encodeMove(message: MoveMessage): Uint8Array {
	return encodeCanonical(message);
}

/** Refusals: `oversized`, `malformed`, `not-canonical`, `unknown-type`, `unknown-version`. */
export function decodeMove(encoded: Uint8Array): MoveMessage {
	const value = decodeCanonical(encoded, MAX_MESSAGE_BYTES);
	const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
	if (typeof type !== 'string') throw new Refusal('malformed', 'move');
	if (!Object.hasOwn(SHAPES, type)) throw new Refusal('unknown-type', 'move');
	if (type !== 'piece' && encoded.length > MAX_WORD_BYTES) throw new Refusal('oversized', type);
	const message = SHAPES[type as MoveType].check(value, type);
	if (message.type === 'hello' && message.version !== MOVE_VERSION) throw new Refusal('unknown-version', 'move');
	return message;
}

/** Why the other side stopped, as far as it is a reason that is known here. */
export function whyStopped({ why }: MoveMessageOf<'stop'>): Code {
	return isCode(why) ? why : 'internal';
}
