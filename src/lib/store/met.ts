import type { MetNode } from '#lib/ports/store.ts';
import { amount, bytes, count, listOf, maybe, oneOf, text } from './shape.ts';
import type { TableSpec } from './table.ts';

/** A last bound; doors/keep.ts decides which nodes are worth their place long before it. */
const MOST_MET = 128;

/** Nodes met, for the next start. */
export const met: TableSpec<MetNode> = {
	key: 'id',
	time: 'lastMetAt',
	shape: {
		id: text,
		role: oneOf('tab', 'relay'),
		account: maybe(text),
		firstMetAt: amount,
		lastMetAt: amount,
		days: count,
		by: oneOf('person', 'directory', 'network'),
		document: maybe(bytes),
		addresses: listOf(text)
	},
	keep: MOST_MET
};
