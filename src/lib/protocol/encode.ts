/**
 * Canonical DAG-CBOR (IPLD DAG-CBOR specification): one value has one byte string.
 *
 * The library's decoder lets through out-of-order keys, short floats and bad UTF-8, so canonical is what re-encodes to itself.
 */
import * as dagCbor from '@ipld/dag-cbor';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Refusal } from './errors.ts';

/** Multicodec codes of the only CID form in use: CIDv1, DAG-CBOR, SHA-256. */
const DAG_CBOR = 0x71;
const SHA2_256 = 0x12;

/** Refusal `malformed` for values DAG-CBOR has no form for (undefined, NaN, functions). */
export function encodeCanonical(value: unknown): Uint8Array {
	try {
		return dagCbor.encode(value);
	} catch (error) {
		throw new Refusal('malformed', error instanceof Error ? error.message : 'not encodable');
	}
}

/** Refusals: `oversized` above `max` bytes, `malformed` when it is no DAG-CBOR, `not-canonical` when it re-encodes to other bytes. */
export function decodeCanonical(bytes: Uint8Array, max: number): unknown {
	if (bytes.length > max) throw new Refusal('oversized', `${bytes.length} bytes, at most ${max}`);
	let value: unknown;
	try {
		value = dagCbor.decode(bytes);
	} catch {
		// Also the stack overflow of a deeply nested value ends here.
		throw new Refusal('malformed', 'not DAG-CBOR');
	}
	if (!equalBytes(encodeCanonical(value), bytes)) throw new Refusal('not-canonical');
	return value;
}

/** A CID as it stands in a body. */
export type Link = CID;

/** The value as a link, or undefined when it is none. */
export function asLink(value: unknown): Link | undefined {
	return CID.asCID(value) ?? undefined;
}

/** Lower-case hexadecimal. */
export const toHex = bytesToHex;

/** The CID of already canonical bytes. */
export function cidOf(bytes: Uint8Array): CID {
	return CID.createV1(DAG_CBOR, createDigest(SHA2_256, sha256(bytes)));
}

/** Not constant-time: for public bytes only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	// A loop, not `every`: each message that comes in is compared with itself encoded anew.
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
}

/** Bytes one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

/** UTF-8. */
export function utf8(value: string): Uint8Array {
	return new TextEncoder().encode(value);
}
