/** What the store knows of one kind of record, and the names of all of them. */
import type {
	AssignedJob,
	Conversation,
	HeardBid,
	KnownExecutor,
	LocalCapability,
	Message,
	MetNode,
	OriginatedJob,
	ReceiptRecord,
	Setting
} from '#lib/ports/store.ts';
import type { Shape } from './shape.ts';

export interface Records {
	conversations: Conversation;
	messages: Message;
	jobs: OriginatedJob;
	bids: HeardBid;
	assigned: AssignedJob;
	receipts: ReceiptRecord;
	capabilities: LocalCapability;
	settings: Setting;
	met: MetNode;
	known: KnownExecutor;
}

export type TableName = keyof Records;

/** Keys are texts and times are Unix ms in every table. */
export interface TableSpec<T> {
	/** Field that names the record. */
	readonly key: string & keyof T;
	/** Field that `list` sorts by, newest first. */
	readonly time: string & keyof T;
	readonly shape: Shape<T>;
	/** Only this many of the newest are kept; undefined keeps all. */
	readonly keep: number | undefined;
}

/** A change to one record, whole: repeating it changes nothing. */
export type Write =
	| { readonly kind: 'put'; readonly table: TableName; readonly value: unknown }
	| { readonly kind: 'delete'; readonly table: TableName; readonly key: string };

/** How many bids and answered jobs are remembered: weeks of busy use, well under 2 MB. Receipts are proofs and have no such limit. */
export const KEPT_RECORDS = 2_000;
