/**
 * STUN Binding, the answering side (RFC 8489): tells a tab the address the relay sees it at, so that no third party has to.
 *
 * An answer goes only to the address that asked (or is said to have), at most 32 bytes longer than the question, and only so often for one
 * address, so the relay is of no use for amplifying an attack.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { Refusal } from '#lib/protocol/errors.ts';

const HEADER_BYTES = 20;
const MAGIC = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const XOR_MAPPED_ADDRESS = 0x0020;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const FINGERPRINT = 0x8028;
const FINGERPRINT_XOR = 0x5354554e;
/** Attributes below this number must be understood by whoever is asked. */
const FIRST_OPTIONAL = 0x8000;
/** Longest question read; browsers send 20–100 bytes. */
const LONGEST_REQUEST = 548;
/** Unknown attributes named in an error; more would make the answer grow with the question. */
const MOST_UNKNOWN = 4;
/** 420 Unknown Attribute, class and number. */
const UNKNOWN_ATTRIBUTE_CLASS = 4;
const UNKNOWN_ATTRIBUTE_NUMBER = 20;

export interface Asker {
	/** IPv4 or IPv6 text. */
	readonly address: string;
	readonly port: number;
}

export type StunRequest =
	| { readonly kind: 'binding'; readonly transaction: Uint8Array }
	| { readonly kind: 'unknown-attributes'; readonly transaction: Uint8Array; readonly unknown: readonly number[] };

/** Reads a Binding request; undefined for anything else, which gets no answer at all. */
export function parseRequest(bytes: Uint8Array): StunRequest | undefined {
	if (bytes.length < HEADER_BYTES || bytes.length > LONGEST_REQUEST) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (view.getUint16(0) !== BINDING_REQUEST || view.getUint32(4) !== MAGIC) return undefined;
	const length = view.getUint16(2);
	if (length % 4 !== 0 || HEADER_BYTES + length !== bytes.length) return undefined;
	const transaction = bytes.slice(8, HEADER_BYTES);
	const unknown: number[] = [];
	let at = HEADER_BYTES;
	while (at < bytes.length) {
		// The length is a multiple of four and so is every step, so a head of four bytes is always there.
		const type = view.getUint16(at);
		const size = view.getUint16(at + 2);
		const next = at + 4 + Math.ceil(size / 4) * 4;
		if (next > bytes.length) return undefined;
		if (type === FINGERPRINT) {
			// It must be the last, and must fit: a wrong one means the bytes are something else that looks like STUN.
			if (size !== 4 || next !== bytes.length || view.getUint32(at + 4) !== fingerprint(bytes.subarray(0, at)))
				return undefined;
		} else if (type < FIRST_OPTIONAL && unknown.length < MOST_UNKNOWN) {
			// None of the comprehension-required attributes has a meaning in a plain Binding request without credentials.
			unknown.push(type);
		}
		at = next;
	}
	return unknown.length === 0 ? { kind: 'binding', transaction } : { kind: 'unknown-attributes', transaction, unknown };
}

/** The answer to a request from `asker`. */
export function answerTo(request: StunRequest, asker: Asker): Uint8Array {
	return request.kind === 'binding'
		? message(BINDING_SUCCESS, request.transaction, [[XOR_MAPPED_ADDRESS, mapped(asker, request.transaction)]])
		: message(BINDING_ERROR, request.transaction, [
				[ERROR_CODE, Uint8Array.of(0, 0, UNKNOWN_ATTRIBUTE_CLASS, UNKNOWN_ATTRIBUTE_NUMBER)],
				[UNKNOWN_ATTRIBUTES, Uint8Array.from(request.unknown.flatMap((type) => [type >> 8, type & 255]))]
			]);
}

function message(
	type: number,
	transaction: Uint8Array,
	attributes: readonly (readonly [number, Uint8Array])[]
): Uint8Array {
	const body = attributes.reduce((sum, [, value]) => sum + 4 + Math.ceil(value.length / 4) * 4, 0);
	const bytes = new Uint8Array(HEADER_BYTES + body + 8);
	const view = new DataView(bytes.buffer);
	view.setUint16(0, type);
	view.setUint16(2, body + 8);
	view.setUint32(4, MAGIC);
	bytes.set(transaction, 8);
	let at = HEADER_BYTES;
	for (const [name, value] of attributes) {
		view.setUint16(at, name);
		view.setUint16(at + 2, value.length);
		bytes.set(value, at + 4);
		at += 4 + Math.ceil(value.length / 4) * 4;
	}
	view.setUint16(at, FINGERPRINT);
	view.setUint16(at + 2, 4);
	view.setUint32(at + 4, fingerprint(bytes.subarray(0, at)));
	return bytes;
}

/** XOR-MAPPED-ADDRESS (14.2): port and address, hidden from routers that rewrite addresses wherever they see them. */
function mapped(asker: Asker, transaction: Uint8Array): Uint8Array {
	const four = ipv4(asker.address);
	const address = four ?? ipv6(asker.address);
	const value = new Uint8Array(4 + address.length);
	const view = new DataView(value.buffer);
	value[1] = four === undefined ? 2 : 1;
	view.setUint16(2, asker.port ^ (MAGIC >>> 16));
	const mask = new Uint8Array(16);
	new DataView(mask.buffer).setUint32(0, MAGIC);
	mask.set(transaction, 4);
	address.forEach((byte, index) => {
		value[4 + index] = byte ^ (mask[index] ?? 0);
	});
	return value;
}

/** IPv4 bytes, also of an address a dual-stack socket shows as `::ffff:1.2.3.4`. */
function ipv4(text: string): Uint8Array | undefined {
	const plain = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
	return plain === undefined ? undefined : Uint8Array.from(plain.split('.').map(Number));
}

function ipv6(text: string): Uint8Array {
	const [plain = ''] = text.split('%');
	const [before = '', after] = plain.split('::');
	const left = before === '' ? [] : before.split(':');
	const right = after === undefined || after === '' ? [] : after.split(':');
	const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
	return Uint8Array.from(
		groups.slice(0, 8).flatMap((group) => {
			const number = Number.parseInt(group, 16);
			return [number >> 8, number & 255];
		})
	);
}

/** FINGERPRINT (14.7): CRC-32 of everything before it, xored with "STUN". The header already counts it. */
export function fingerprint(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return (~crc ^ FINGERPRINT_XOR) >>> 0;
}

/** Counts askers per second; a new second forgets them all, so memory is bounded by what one second can bring. */
export class StunRate {
	readonly #perSecond: number;
	#second = 0;
	readonly #asked = new Map<string, number>();

	constructor(perSecond: number) {
		this.#perSecond = perSecond;
	}

	/** Whether this address may have one more answer now; `now` in ms. */
	allows(address: string, now: number): boolean {
		const second = Math.floor(now / 1000);
		if (second !== this.#second) {
			this.#second = second;
			this.#asked.clear();
		}
		const count = (this.#asked.get(address) ?? 0) + 1;
		this.#asked.set(address, count);
		return count <= this.#perSecond;
	}
}

export interface StunCounts {
	answered: number;
	refused: number;
	limited: number;
	ignored: number;
}

export interface StunServer {
	readonly counts: Readonly<StunCounts>;
	stop(): Promise<void>;
}

/** Answers on UDP `host:port`. Refusal `malformed` when the port is taken. */
export async function startStun(host: string, port: number, perSecond: number, now: () => number): Promise<StunServer> {
	const socket: Socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
	const rate = new StunRate(perSecond);
	const counts: StunCounts = { answered: 0, refused: 0, limited: 0, ignored: 0 };
	socket.on('message', (bytes, from) => {
		const request = parseRequest(bytes);
		if (request === undefined) {
			counts.ignored += 1;
		} else if (!rate.allows(from.address, now())) {
			counts.limited += 1;
		} else {
			counts[request.kind === 'binding' ? 'answered' : 'refused'] += 1;
			// A lost answer is asked for again by the other side; that is STUN's own way.
			socket.send(answerTo(request, from), from.port, from.address, () => undefined);
		}
	});
	await new Promise<void>((resolve, reject) => {
		socket.once('error', (error) => {
			reject(new Refusal('malformed', `STUN cannot use UDP port ${String(port)}: ${error.message}`));
		});
		socket.bind(port, host, resolve);
	});
	// A reset by an asker that has gone must not end the server.
	socket.on('error', () => undefined);
	return {
		counts,
		stop: () =>
			new Promise((resolve) => {
				socket.close(() => {
					resolve();
				});
			})
	};
}
