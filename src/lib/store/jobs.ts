import type { OriginatedJob } from '#lib/ports/store.ts';
import { amount, maybe, oneOf, text } from './shape.ts';
import type { TableSpec } from './table.ts';

/** Jobs this account asked for. */
export const jobs: TableSpec<OriginatedJob> = {
	key: 'id',
	time: 'createdAt',
	shape: {
		id: text,
		createdAt: amount,
		model: text,
		state: oneOf('announced', 'assigned', 'running', 'finished', 'failed', 'lost', 'cancelled'),
		executor: maybe(text),
		receipt: maybe(text),
		code: maybe(text),
		message: maybe(text)
	},
	keep: undefined
};
