/**
 * Reads protobuf's wire format out of bytes that may be far away (a file, a server that answers ranges), field by field, without fetching what is
 * skipped. The bytes are a stranger's: every length is checked against what encloses it, and reading ends at limits.
 */
import { Refusal } from '#lib/protocol/errors.ts';

/** `length` bytes from `offset`; fewer only at the end of the file. */
export type Read = (offset: number, length: number) => Promise<Uint8Array> | Uint8Array;

export interface WireLimits {
	/** Bytes fetched in all. */
	readonly bytes: number;
	/** Calls of `read` in all. */
	readonly reads: number;
	/** Fields looked at in all. */
	readonly fields: number;
}

export interface Field {
	readonly number: number;
	/** The number of a varint (as a double: exact below 2^53) or of 32 bits; undefined for others. */
	readonly value: number | undefined;
	/** Where the bytes of a length-delimited field lie; undefined for others. */
	readonly span: Span | undefined;
}

/** Offsets in the file, the end exclusive. */
export interface Span {
	readonly from: number;
	readonly to: number;
}

/** After a jump little is fetched, for most jumps land before another; what is read on from there is fetched in larger pieces. */
const LEAST_BYTES = 4 * 1024;
const MOST_BYTES = 1024 * 1024;
const TEXT = new TextDecoder('utf-8', { fatal: true });

export class Wire {
	readonly #read: Read;
	readonly #size: number;
	readonly #left: { bytes: number; reads: number; fields: number };
	#window: Uint8Array = new Uint8Array(0);
	#start = 0;

	/** `size` is the length of the whole file in bytes. */
	constructor(read: Read, size: number, limits: WireLimits) {
		this.#read = read;
		this.#size = size;
		this.#left = { ...limits };
	}

	/** The fields of one message. Refusals: `model-unsupported` for bytes that are no message, `oversized` at a limit. */
	async *fields({ from, to }: Span): AsyncGenerator<Field, void, void> {
		let at = from;
		while (at < to) {
			if (--this.#left.fields < 0) throw new Refusal('oversized', 'fields of the graph');
			// A key and the number or length after it: 20 bytes at most.
			await this.#reach(at, Math.min(20, to - at));
			const key = this.#varint(at, to);
			at = key.end;
			const wire = key.value % 8;
			const number = Math.floor(key.value / 8);
			if (number === 0 || number > 0x1fffffff) throw broken();
			if (wire === 0) {
				const { value, end } = this.#varint(at, to);
				at = end;
				yield { number, value, span: undefined };
			} else if (wire === 2) {
				const { value: length, end } = this.#varint(at, to);
				if (length > to - end) throw broken();
				at = end + length;
				yield { number, value: undefined, span: { from: end, to: at } };
			} else if (wire === 1 || wire === 5) {
				at += wire === 1 ? 8 : 4;
				if (at > to) throw broken();
				yield { number, value: undefined, span: undefined };
			} else {
				throw broken();
			}
		}
	}

	/** A string of at most `most` bytes. */
	async text({ from, to }: Span, most: number): Promise<string> {
		if (to - from > most) throw new Refusal('oversized', 'a name in the graph');
		if (to === from) return '';
		await this.#reach(from, to - from);
		try {
			return TEXT.decode(this.#window.subarray(from - this.#start, to - this.#start));
		} catch {
			throw broken();
		}
	}

	/** Packed varints, at most `most` of them. */
	async numbers({ from, to }: Span, most: number): Promise<number[]> {
		if (to - from > 10 * most) throw new Refusal('oversized', 'a shape in the graph');
		if (to > from) await this.#reach(from, to - from);
		const found: number[] = [];
		for (let at = from; at < to;) {
			const { value, end } = this.#varint(at, to);
			found.push(value);
			at = end;
		}
		return found;
	}

	#varint(from: number, to: number): { readonly value: number; readonly end: number } {
		let value = 0;
		for (let at = from, factor = 1; at < to && at < from + 10; at++, factor *= 128) {
			const byte = this.#window[at - this.#start];
			if (byte === undefined) break;
			value += (byte & 127) * factor;
			if (byte < 128) return { value, end: at + 1 };
		}
		throw broken();
	}

	/** Makes the window hold `count` bytes from `at`. */
	async #reach(at: number, count: number): Promise<void> {
		const end = this.#start + this.#window.length;
		if (at >= this.#start && at + count <= end) return;
		if (at + count > this.#size) throw broken();
		const readsOn = at >= this.#start && at <= end && this.#window.length > 0;
		const step = readsOn ? Math.min(MOST_BYTES, 4 * this.#window.length) : LEAST_BYTES;
		const wanted = Math.min(Math.max(count, step), this.#size - at);
		this.#left.bytes -= wanted;
		if (--this.#left.reads < 0 || this.#left.bytes < 0) throw new Refusal('oversized', 'the graph');
		const bytes = await this.#read(at, wanted);
		if (bytes.length < count) throw broken();
		this.#window = bytes;
		this.#start = at;
	}
}

function broken(): Refusal {
	return new Refusal('model-unsupported', 'not an ONNX graph');
}
