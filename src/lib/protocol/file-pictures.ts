/**
 * A file as a row of QR codes, shown one after the other again and again, and put together from whatever a camera sees of it in any order. Pure.
 *
 * A part is `FW1:<name>:<number>:<count>:<data>`: letters and figures that QR codes hold densest (ISO 18004, alphanumeric). `name` is the
 * beginning of the file's SHA-256, so that parts of two files are not mixed, and so that a whole file is known to be whole.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { base32upper } from 'multiformats/bases/base32';
import { Refusal } from './errors.ts';

/** Bytes of one part: about 1,000 characters, a code of 113 modules, which a phone reads from a screen at arm's length. */
export const PART_BYTES = 600;
/** Most parts: half a minute at four a second, and a person's arm. 150 kB. */
export const MAX_PARTS = 250;
/** Bytes of the hash that stand in each part. */
const NAME_BYTES = 10;
const PART = /^FW1:([A-Z2-7]{16}):(\d{1,3}):(\d{1,3}):([A-Z2-7]{0,960})$/;

/** The parts' texts. Refusal `oversized` for a file that does not fit. */
export function partsOf(file: Uint8Array): readonly string[] {
	const count = Math.max(1, Math.ceil(file.length / PART_BYTES));
	if (count > MAX_PARTS) throw new Refusal('oversized', 'too long for pictures');
	const name = nameOf(file);
	return Array.from({ length: count }, (_, n) => {
		const data = base32upper.baseEncode(file.subarray(n * PART_BYTES, (n + 1) * PART_BYTES));
		return `FW1:${name}:${n}:${count}:${data}`;
	});
}

/** Whether a text that a camera read is a part of some file. */
export const isPart = (text: string): boolean => PART.test(text);

/** What was seen so far. */
export interface Gathered {
	readonly have: number;
	readonly want: number;
	/** Once every part was seen and they are the file they say. */
	readonly file: Uint8Array | undefined;
}

/** Puts a file together. Parts of another file begin anew, since that is what the person now holds before the camera. */
export class Gathering {
	#name = '';
	#parts: (Uint8Array | undefined)[] = [];

	/** Takes a text; undefined when it is no part. */
	take(text: string): Gathered | undefined {
		const [, name = '', number, count, data = ''] = PART.exec(text) ?? [];
		const [n, want] = [Number(number), Number(count)];
		if (name === '' || want < 1 || want > MAX_PARTS || n >= want) return undefined;
		const bytes = decoded(data);
		const isLast = n === want - 1;
		if (bytes === undefined || bytes.length > PART_BYTES || (!isLast && bytes.length !== PART_BYTES)) return undefined;
		if (name !== this.#name || want !== this.#parts.length) {
			this.#name = name;
			this.#parts = Array.from({ length: want }, () => undefined);
		}
		this.#parts[n] ??= bytes;
		const seen = this.#parts.filter((part) => part !== undefined);
		if (seen.length < want) return { have: seen.length, want, file: undefined };
		const file = joined(seen);
		if (nameOf(file) === name) return { have: want, want, file };
		// Somebody held a forged part before the camera; nobody can tell which, so all are seen anew.
		this.#parts = Array.from({ length: want }, () => undefined);
		return { have: 0, want, file: undefined };
	}
}

function nameOf(file: Uint8Array): string {
	return base32upper.baseEncode(sha256(file).subarray(0, NAME_BYTES));
}

function decoded(data: string): Uint8Array | undefined {
	try {
		return base32upper.baseDecode(data);
	} catch {
		return undefined;
	}
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}
