import type { HeardBid } from '#lib/ports/store.ts';
import { amount, flag, text } from './shape.ts';
import { KEPT_RECORDS, type TableSpec } from './table.ts';

/** Bids heard for this account's jobs. Strangers decide how many there are, hence the limit. */
export const bids: TableSpec<HeardBid> = {
	key: 'id',
	time: 'heardAt',
	shape: { id: text, job: text, executor: text, heardAt: amount, pricePer1k: amount, chosen: flag, reason: text },
	keep: KEPT_RECORDS
};
