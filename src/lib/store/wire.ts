/** What the tabs of one profile say to each other over the BroadcastChannel. Another tab may run another version: unknown is ignored. */
import type { TableChange } from '#lib/ports/store.ts';
import { isCode, type Code } from '#lib/protocol/errors.ts';
import { isRecord, isTableName } from './schema.ts';
import { amount, count, flag, hasShape, listOf, oneOf, text } from './shape.ts';
import type { TableName, Write } from './table.ts';

/** A follower asks the leader. After `expires` (Unix ms) the follower has written by itself, and the leader must not. */
export interface WriteRequest {
	readonly kind: 'write';
	readonly tab: string;
	readonly id: number;
	readonly expires: number;
	readonly write: Write;
}

export type TabMessage =
	| WriteRequest
	/**
	 * Committed. One message is both the notice to every view and the answer to the request (`tab`, `id`), so that a leader cannot
	 * vanish between the two.
	 */
	| {
			readonly kind: 'changed';
			readonly table: TableName;
			readonly changes: readonly TableChange[];
			readonly tab: string;
			readonly id: number;
			readonly byLeader: boolean;
	  }
	| { readonly kind: 'refused'; readonly tab: string; readonly id: number; readonly code: Code }
	/** A tab leads, from now on or still: whoever waits asks again. */
	| { readonly kind: 'leading' };

/** The message, or undefined for anything else. */
export function parseTabMessage(data: unknown): TabMessage | undefined {
	if (hasShape<TabMessage & { kind: 'leading' }>(data, { kind: oneOf('leading') })) return data;
	if (hasShape<WriteRequest>(data, REQUEST) || hasShape<Changed>(data, CHANGED) || hasShape<Refused>(data, REFUSED)) {
		return data;
	}
	return undefined;
}

type Changed = TabMessage & { kind: 'changed' };
type Refused = TabMessage & { kind: 'refused' };

const isChange = (value: unknown): boolean => hasShape<TableChange>(value, { key: text, kind: oneOf('put', 'delete') });

/** A put must hold a whole record: whatever is written here is read by every later version. */
function isWrite(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const { kind, table, key, value: record }: Record<string, unknown> = { ...value };
	if (!isTableName(table)) return false;
	return kind === 'put' ? isRecord(table, record) : kind === 'delete' && text(key);
}

const REQUEST = { kind: oneOf('write'), tab: text, id: count, expires: amount, write: isWrite };
const CHANGED = {
	kind: oneOf('changed'),
	table: isTableName,
	changes: listOf(isChange),
	tab: text,
	id: count,
	byLeader: flag
};
const REFUSED = { kind: oneOf('refused'), tab: text, id: count, code: isCode };
