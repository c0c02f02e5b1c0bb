/**
 * Frames: the answer as a log with a cursor, and the chain that commits to it.
 *
 * A frame is not signed by itself: its channel is encrypted and authenticated, and every checkpoint signs the chain over all frames
 * before it. The chain begins at the assignment, whose body holds a secret salt, so it cannot be guessed from a short answer.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, decodeCanonical, encodeCanonical, utf8 } from './encode.ts';
import { MAX_ANSWER_TOKENS, MAX_FRAME_TEXT, MAX_FRAME_TOKENS } from './limits.ts';
import { bytes, fields, integer, list, text, word, type Infer } from './shape.ts';

const frameShape = fields({
	type: word('Frame'),
	version: integer(1, 1),
	job: bytes(16),
	epoch: integer(1, 65_535),
	/** 0, 1, 2 … in this epoch. */
	sequence: integer(0, MAX_ANSWER_TOKENS),
	/** Answer position of the first token. */
	position: integer(0, MAX_ANSWER_TOKENS),
	tokens: list(integer(0, 2 ** 31), MAX_FRAME_TOKENS, 1),
	/** Text that became complete with these tokens; may be empty. */
	text: text(MAX_FRAME_TEXT)
});
export type Frame = Infer<typeof frameShape>;

/** Tokens take at most five bytes each, text at most three per UTF-16 unit. */
const MAX_FRAME_BYTES = 3 * MAX_FRAME_TEXT + 5 * MAX_FRAME_TOKENS + 256;

export function encodeFrame(frame: Omit<Frame, 'type' | 'version'>): Uint8Array {
	return encodeCanonical({ type: 'Frame', version: 1, ...frame });
}

/** Refusals `oversized`, `malformed`, `not-canonical`. */
export function decodeFrame(encoded: Uint8Array): Frame {
	return frameShape.check(decodeCanonical(encoded, MAX_FRAME_BYTES), 'Frame');
}

/** The chain before the first frame: SHA-256 of a tag and the assignment's body. */
export function chainStart(assignmentBody: Uint8Array): Uint8Array {
	return sha256(concat(utf8('fireweed/chain/1'), sha256(assignmentBody)));
}

/** The chain after one more frame: SHA-256(chain ‖ position ‖ count ‖ tokens ‖ text), numbers as 32-bit big-endian. */
export function chainNext(chain: Uint8Array, frame: Pick<Frame, 'position' | 'tokens' | 'text'>): Uint8Array {
	const numbers = new DataView(new ArrayBuffer(8 + 4 * frame.tokens.length));
	numbers.setUint32(0, frame.position);
	numbers.setUint32(4, frame.tokens.length);
	frame.tokens.forEach((token, i) => numbers.setUint32(8 + 4 * i, token));
	return sha256(concat(chain, new Uint8Array(numbers.buffer), utf8(frame.text)));
}
