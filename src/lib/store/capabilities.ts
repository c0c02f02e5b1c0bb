import type { LocalCapability } from '#lib/ports/store.ts';
import { amount, bytes, oneOf } from './shape.ts';
import type { TableSpec } from './table.ts';

/** What this node last offered; one record. */
export const capabilities: TableSpec<LocalCapability> = {
	key: 'id',
	time: 'savedAt',
	shape: { id: oneOf('self'), savedAt: amount, document: bytes },
	keep: undefined
};
