import type { Conversation } from '#lib/ports/store.ts';
import { amount, text } from './shape.ts';
import type { TableSpec } from './table.ts';

/** Heads of conversations, the last spoken in first. */
export const conversations: TableSpec<Conversation> = {
	key: 'id',
	time: 'updatedAt',
	shape: { id: text, title: text, createdAt: amount, updatedAt: amount },
	keep: undefined
};
