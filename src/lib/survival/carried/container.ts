/**
 * Many files as text inside one HTML page: gzip where it helps, then bytes as windows-1252 characters, one for one. Base64 would add a
 * third; this adds 1.6 %. Pure.
 *
 * The four bytes that an HTML parser would not give back (NUL, CR), that could end the element ("<"), and the escape itself ("=") are
 * written as "=" and the byte plus 64, as yEnc does.
 */
import { Refusal } from '#lib/protocol/errors.ts';

const ESCAPE = 0x3d;
const SHIFT = 64;
const ESCAPED: ReadonlySet<number> = new Set([0x00, 0x0d, 0x3c, ESCAPE]);
/** What windows-1252 makes of 0x80–0x9f (WHATWG Encoding, index windows-1252); 0 where it is the same number. */
const HIGH = [
	...[0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0],
	...[
		0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178
	]
];
/** Most files and bytes of a carried app; a damaged index must not make a browser allocate without end. */
const MAX_FILES = 2_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** One file as it lies in the container. */
export interface Place {
	readonly path: string;
	readonly at: number;
	readonly length: number;
	/** Whether it is gzip. */
	readonly packed: boolean;
}

/** Bytes of the page that stand for these bytes. */
export function toPageBytes(bytes: Uint8Array): Uint8Array {
	let extra = 0;
	for (const byte of bytes) if (ESCAPED.has(byte)) extra += 1;
	const written = new Uint8Array(bytes.length + extra);
	let at = 0;
	for (const byte of bytes) {
		if (ESCAPED.has(byte)) {
			written[at++] = ESCAPE;
			written[at++] = (byte + SHIFT) & 255;
		} else written[at++] = byte;
	}
	return written;
}

/** The bytes again, from the text a browser read. Refusal `malformed` when the page was read in another encoding or cut off. */
export function fromPageText(text: string): Uint8Array {
	const back = new Map(HIGH.flatMap((code, n) => (code === 0 ? [] : [[code, 0x80 + n] as const])));
	const bytes = new Uint8Array(text.length);
	let length = 0;
	for (let at = 0; at < text.length; at += 1) {
		let byte = byteAt(text, at, back);
		if (byte === ESCAPE) {
			at += 1;
			if (at === text.length) throw new Refusal('malformed', 'the copy is cut off');
			byte = (byteAt(text, at, back) - SHIFT) & 255;
		}
		bytes[length++] = byte;
	}
	return bytes.subarray(0, length);
}

function byteAt(text: string, at: number, back: ReadonlyMap<number, number>): number {
	const code = text.charCodeAt(at);
	const byte = code < 256 ? code : back.get(code);
	if (byte === undefined) throw new Refusal('malformed', 'the copy was read in another encoding');
	return byte;
}

/** The index of a container as it was written. Refusal `malformed`. `size`: bytes of the container. */
export function readIndex(text: string, size: number): readonly Place[] {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw new Refusal('malformed', 'the list of files');
	}
	if (!Array.isArray(value) || value.length > MAX_FILES || size > MAX_BYTES)
		throw new Refusal('malformed', 'the list of files');
	return value.map((entry: unknown) => {
		const { path, at, length, packed } = (entry ?? {}) as Partial<Record<keyof Place, unknown>>;
		const holds =
			typeof path === 'string' && typeof packed === 'boolean' && isCount(at) && isCount(length) && at + length <= size;
		if (!holds) throw new Refusal('malformed', 'the list of files');
		return { path, at, length, packed };
	});
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** gzip through the platform's own stream, in the page as in Node. */
export async function packed(bytes: Uint8Array): Promise<Uint8Array> {
	return through(bytes, new CompressionStream('gzip'));
}

/** Refusal `malformed` for what is not gzip. */
export async function unpacked(bytes: Uint8Array): Promise<Uint8Array> {
	return through(bytes, new DecompressionStream('gzip')).catch(() => {
		throw new Refusal('malformed', 'a file in the copy is damaged');
	});
}

async function through(bytes: Uint8Array, stream: GenericTransformStream): Promise<Uint8Array> {
	const source = new Blob([bytes.slice()]).stream().pipeThrough(stream as ReadableWritablePair<Uint8Array, Uint8Array>);
	return new Uint8Array(await new Response(source).arrayBuffer());
}
