import type { OriginatedJob, Unfinished } from '#lib/ports/store.ts';
import { amount, bytes, count, hasShape, listOf, maybe, oneOf, text, type Shape } from './shape.ts';
import type { TableSpec } from './table.ts';

const part: Shape<Unfinished['parts'][number]> = {
	pricePer1k: amount,
	startPosition: count,
	answerTokens: count,
	price: maybe(amount)
};

const unfinished: Shape<Unfinished> = {
	assignment: bytes,
	announcement: bytes,
	bid: bytes,
	policy: bytes,
	executorNonce: bytes,
	deadlineAt: amount,
	startedFrom: count,
	parts: listOf((value) => hasShape(value, part)),
	attempt: count,
	tokens: listOf(count),
	text,
	frames: listOf(count)
};

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
		message: maybe(text),
		unfinished: maybe((value) => hasShape(value, unfinished))
	},
	keep: undefined
};
