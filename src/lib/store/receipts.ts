import type { ReceiptRecord } from '#lib/ports/store.ts';
import { amount, bytes, count, maybe, oneOf, text } from './shape.ts';
import type { TableSpec } from './table.ts';

/** Signed proofs, as received. Never dropped: what was earned or owed hangs on them. */
export const receipts: TableSpec<ReceiptRecord> = {
	key: 'cid',
	time: 'createdAt',
	shape: {
		cid: text,
		kind: oneOf('sealed', 'checkpoint'),
		role: oneOf('originator', 'executor'),
		job: text,
		createdAt: amount,
		document: bytes,
		counterpart: maybe(bytes),
		terms: maybe(bytes),
		startPosition: maybe(count)
	},
	keep: undefined
};
