import type { AssignedJob } from '#lib/ports/store.ts';
import { amount, count, flag, maybe, oneOf, text } from './shape.ts';
import { KEPT_RECORDS, type TableSpec } from './table.ts';

/** Jobs this node answered for others, never their text. */
export const assigned: TableSpec<AssignedJob> = {
	key: 'id',
	time: 'createdAt',
	shape: {
		id: text,
		createdAt: amount,
		endedAt: maybe(amount),
		model: text,
		state: oneOf('running', 'success', 'cancelled', 'partial', 'failed'),
		tokens: count,
		price: amount,
		sameAccount: flag,
		receipt: maybe(text),
		code: maybe(text)
	},
	keep: KEPT_RECORDS
};
