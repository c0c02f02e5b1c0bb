import type { KnownExecutor } from '#lib/ports/store.ts';
import { amount, count, maybe, text, type Check } from './shape.ts';
import type { TableSpec } from './table.ts';

/** A last bound; market/known decides whom to forget long before it. */
const MOST_KNOWN = 1_024;

/** A part of one, and of one below nothing too. */
const share: Check = (value) => amount(value) && (value as number) <= 1;
const outcome: Check = (value) => typeof value === 'number' && value >= -1 && value <= 1;
/** Longer than any record: years of bad jobs a minute, a clock that jumped. What weighs more would never fade. */
const weight: Check = (value) => amount(value) && (value as number) <= 1e6;
const speed: Check = (value) => amount(value) && (value as number) <= 1e4;
/** A day, which presence is scaled to. */
const presence: Check = (value) => amount(value) && (value as number) <= 24 * 3_600_000 + 1;

/** What was seen of executors: a record that holds an impossible number is none, for one of them could outweigh everybody. */
export const known: TableSpec<KnownExecutor> = {
	key: 'id',
	time: 'at',
	shape: {
		id: text,
		account: text,
		kind: (value) => text(value) && (value as string).length <= 64,
		kept: weight,
		broken: weight,
		jobs: count,
		first: outcome,
		firstAt: amount,
		model: maybe(text),
		tokensPerSecond: speed,
		firstMs: amount,
		honesty: share,
		upMs: presence,
		downMs: presence,
		at: amount
	},
	keep: MOST_KNOWN
};
