/** Signatures by which an asker owes something, read off the wire. */
import { assignJob } from '#lib/protocol/assignment.ts';
import { acknowledgement } from '#lib/protocol/checkpoint.ts';
import { read } from '#lib/protocol/envelope.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { reattachJob } from '#lib/protocol/reattach.ts';
import { receiptCountersignature } from '#lib/protocol/receipt.ts';
import type { Owed } from './dossier.ts';

/** A frame is a map of eight, an envelope one of five or six (DAG-CBOR's first byte): most messages are frames, and need not be read. */
export const FRAME = 0xa8;

/** Undefined for anything else, and for what is not readable. */
export function owedBy(bytes: Uint8Array, to: string): { readonly job: string; readonly owed: Owed } | undefined {
	if (bytes[0] === FRAME) return undefined;
	const type = typeIn(bytes);
	try {
		if (type === acknowledgement.type) {
			const { body } = read(acknowledgement, bytes);
			const { epoch, tokens } = body;
			const cid = body.checkpoint.toString();
			const rest = { from: undefined, until: tokens, price: undefined, promptTokens: undefined };
			return { job: toHex(body.job), owed: { kind: 'acknowledgement', to, epoch, cid, ...rest } };
		}
		if (type === receiptCountersignature.type) {
			const { body, cid } = read(receiptCountersignature, bytes);
			const { epoch, startPosition: from, answerTokens, price, promptTokens } = body;
			const owed: Owed = {
				kind: 'receipt',
				to,
				epoch,
				cid: cid.toString(),
				from,
				until: from + answerTokens,
				price,
				promptTokens
			};
			return { job: toHex(body.job), owed };
		}
	} catch {
		return undefined;
	}
	return undefined;
}

/** Whether it is the asker's signature under a receipt. */
export function isCountersignature(bytes: Uint8Array): boolean {
	return bytes[0] !== FRAME && includes(bytes, receiptCountersignature.type);
}

/** The job that an asker begins with it or takes up again, after which words come that were not signed for; in hex. */
export function begunBy(bytes: Uint8Array): string | undefined {
	try {
		if (includes(bytes, assignJob.type)) return toHex(read(assignJob, bytes).body.job);
		if (includes(bytes, reattachJob.type)) return toHex(read(reattachJob, bytes).body.job);
	} catch {
		// A cheat's bytes.
	}
	return undefined;
}

/** A frame's job, in hex: its first field (`job` is the shortest of its names), after the map's byte, the name's four and the head of 16 bytes. */
export const jobOfFrame = (frame: Uint8Array): string => toHex(frame.subarray(6, 22));

/** The type's text as it stands in an envelope: after the two keys that are as short, `key` and `body`. Cheaper than decoding it. */
function typeIn(bytes: Uint8Array): string | undefined {
	for (const { type } of [acknowledgement, receiptCountersignature]) {
		if (includes(bytes, type)) return type;
	}
	return undefined;
}

function includes(bytes: Uint8Array, text: string): boolean {
	const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(
		`dtype${lengthByte(text)}${text}`,
		0,
		'latin1'
	);
	return at >= 0;
}

/** CBOR's head of a text of this length, below 256. */
function lengthByte(text: string): string {
	return text.length < 24 ? String.fromCharCode(0x60 + text.length) : `x${String.fromCharCode(text.length)}`;
}
