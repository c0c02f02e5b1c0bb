import type { Conversation, Manner } from '#lib/ports/store.ts';
import type { Sampling } from '#lib/protocol/sampler.ts';
import { amount, count, hasShape, maybe, text, type Shape } from './shape.ts';
import type { TableSpec } from './table.ts';

const sampling: Shape<Sampling> = { temperatureMilli: count, topK: count, topPMilli: count };

const manner: Shape<Manner> = {
	system: maybe(text),
	sampling: maybe((value) => hasShape<Sampling>(value, sampling)),
	maxTokens: maybe(count)
};

/** Heads of conversations, the last spoken in first. */
export const conversations: TableSpec<Conversation> = {
	key: 'id',
	time: 'updatedAt',
	shape: {
		id: text,
		title: text,
		createdAt: amount,
		updatedAt: amount,
		leaf: maybe(text),
		manner: maybe((value) => hasShape<Manner>(value, manner)),
		importedAt: maybe(amount)
	},
	keep: undefined
};
