import type { Setting } from '#lib/ports/store.ts';
import { amount, text } from './shape.ts';
import type { TableSpec } from './table.ts';

/** Named settings of this profile. */
export const settings: TableSpec<Setting> = {
	key: 'id',
	time: 'savedAt',
	shape: { id: text, savedAt: amount, value: (value) => ['string', 'number', 'boolean'].includes(typeof value) },
	keep: undefined
};
