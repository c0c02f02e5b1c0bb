/**
 * How messages stand in a job stream (docs/spec/mesh.md). Every frame begins with four bytes, big-endian: kind in the highest byte,
 * a number in the other three.
 *
 * | kind | name | number | what follows |
 * |---|---|---|---|
 * | 0 | message | its length in bytes | the message |
 * | 1 | credit | bytes the receiver's reader has taken since its last credit | nothing |
 * | 2 | end | 0 | nothing but credit: the writer said all it had to say |
 *
 * The end is said and not only shown by a closed stream, because a WebRTC data channel closes in the same way when the tab behind it dies.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';

/** Bytes of a frame's head. */
export const FRAME_HEAD = 4;

const KIND_MESSAGE = 0;
const KIND_CREDIT = 1;
const KIND_END = 2;
const NUMBER_MASK = 0xffffff;

export type Frame =
	| { readonly kind: 'message'; readonly message: Uint8Array }
	| { readonly kind: 'credit'; readonly bytes: number }
	| { readonly kind: 'end' };

function head(kind: number, number: number, follow: number): Uint8Array {
	const bytes = new Uint8Array(FRAME_HEAD + follow);
	new DataView(bytes.buffer).setUint32(0, kind * 2 ** 24 + number);
	return bytes;
}

/** A message frame; copies the message, so the caller may reuse its buffer. Refusal `oversized`. */
export function messageFrame(message: Uint8Array): Uint8Array {
	if (message.length > MAX_CHANNEL_MESSAGE)
		throw new Refusal('oversized', `message of ${String(message.length)} bytes`);
	const frame = head(KIND_MESSAGE, message.length, message.length);
	frame.set(message, FRAME_HEAD);
	return frame;
}

/** Tells the writer that `bytes` more may be on their way. */
export function creditFrame(bytes: number): Uint8Array {
	return head(KIND_CREDIT, bytes, 0);
}

export function endFrame(): Uint8Array {
	return head(KIND_END, 0, 0);
}

/**
 * Cuts a byte stream into frames, whatever pieces it comes in. Holds at most one unfinished message, and allocates its room only as
 * its bytes arrive, so that a head alone cannot claim memory.
 */
export class FrameReader {
	#head = new Uint8Array(FRAME_HEAD);
	#headFilled = 0;
	#pieces: Uint8Array[] = [];
	#missing = 0;
	#ended = false;

	/**
	 * The frames completed by `chunk`, in order. Throws Refusal `oversized` or `malformed` at the first head that breaks the rules;
	 * the stream is then beyond repair.
	 */
	*push(chunk: Uint8Array): Generator<Frame, void, void> {
		let at = 0;
		while (at < chunk.length) {
			if (this.#headFilled < FRAME_HEAD) {
				const take = Math.min(FRAME_HEAD - this.#headFilled, chunk.length - at);
				this.#head.set(chunk.subarray(at, at + take), this.#headFilled);
				this.#headFilled += take;
				at += take;
				if (this.#headFilled < FRAME_HEAD) return;
				const frame = this.#readHead();
				if (frame !== undefined) yield frame;
			} else {
				const take = Math.min(this.#missing, chunk.length - at);
				// Copied: the transport may reuse the buffer behind its chunk.
				this.#pieces.push(chunk.slice(at, at + take));
				this.#missing -= take;
				at += take;
				if (this.#missing === 0) yield this.#finish();
			}
		}
	}

	#readHead(): Frame | undefined {
		const word = new DataView(this.#head.buffer).getUint32(0);
		const kind = Math.floor(word / 2 ** 24);
		const number = word & NUMBER_MASK;
		if (this.#ended && kind !== KIND_CREDIT) throw new Refusal('malformed', 'more after the end');
		switch (kind) {
			case KIND_MESSAGE:
				if (number > MAX_CHANNEL_MESSAGE)
					throw new Refusal('oversized', `message of ${String(number)} bytes announced`);
				this.#missing = number;
				return number === 0 ? this.#finish() : undefined;
			case KIND_CREDIT:
				this.#headFilled = 0;
				return { kind: 'credit', bytes: number };
			case KIND_END:
				if (number !== 0) throw new Refusal('malformed', 'end frame with a number');
				this.#ended = true;
				this.#headFilled = 0;
				return { kind: 'end' };
			default:
				throw new Refusal('malformed', `frame kind ${String(kind)}`);
		}
	}

	#finish(): Frame {
		const [only] = this.#pieces;
		let message: Uint8Array;
		if (only !== undefined && this.#pieces.length === 1) {
			message = only;
		} else {
			message = new Uint8Array(this.#pieces.reduce((sum, piece) => sum + piece.length, 0));
			let at = 0;
			for (const piece of this.#pieces) {
				message.set(piece, at);
				at += piece.length;
			}
		}
		this.#pieces = [];
		this.#headFilled = 0;
		return { kind: 'message', message };
	}
}
