import type { Answer, Attachment, Message } from '#lib/ports/store.ts';
import { amount, count, flag, hasShape, listOf, maybe, oneOf, text, type Shape } from './shape.ts';
import type { TableSpec } from './table.ts';

const answer: Shape<Answer> = {
	by: oneOf('device', 'mesh', 'fixed'),
	status: oneOf('running', 'done', 'stopped', 'lost', 'failed'),
	model: maybe(text),
	modelId: maybe(text),
	executor: maybe(text),
	region: maybe(text),
	tokens: listOf(count),
	tokensPerSecond: maybe(amount),
	price: maybe(amount),
	receipt: maybe(text),
	code: maybe(text),
	retryMs: maybe(amount),
	seams: listOf(count),
	chosen: maybe(text),
	roughSeams: maybe(listOf(count)),
	sameAccount: maybe(flag)
};

const attachment: Shape<Attachment> = { name: text, text };

/** What was said. The index `conversation` (see schema.ts) gives one conversation in order. */
export const messages: TableSpec<Message> = {
	key: 'id',
	time: 'createdAt',
	shape: {
		id: text,
		conversation: text,
		role: oneOf('user', 'assistant'),
		text,
		createdAt: amount,
		order: count,
		parent: maybe(text),
		attachments: maybe(listOf((value) => hasShape<Attachment>(value, attachment))),
		answer: maybe((value) => hasShape<Answer>(value, answer))
	},
	keep: undefined
};
