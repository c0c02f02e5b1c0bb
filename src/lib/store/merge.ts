/**
 * How what another browser remembered joins what stands here. Pure: both sides go in, the records to add come out.
 *
 * The rule is that nothing here is changed or lost, whatever the file says. A conversation that only the file has comes whole; one that goes
 * on in the file where it ends here gets the rest; one that went on differently comes as a second conversation beside the first, under a
 * name made of its contents, so that repeating the merge adds nothing. The file may be hostile: whatever is no record of its
 * table stays out and is counted.
 */
import type { Conversation, MergeReport, Message, Snapshot } from '#lib/ports/store.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { isRecord, keyOf } from './schema.ts';
import type { Records, TableName } from './table.ts';

/** Tables that move. */
export const MOVING = [
	'conversations',
	'messages',
	'jobs',
	'bids',
	'assigned',
	'receipts'
] as const satisfies readonly TableName[];
export type MovingTable = (typeof MOVING)[number];

/** Records taken of one table of a file; a person who writes a message a minute, day and night, needs a year for these. */
const MAX_RECORDS = 500_000;

export interface MergePlan {
	readonly add: { readonly [N in MovingTable]: readonly Records[N][] };
	readonly report: MergeReport;
}

/** What is to be added to `here` so that nothing of `file` is lost. */
export function planMerge(here: Snapshot, file: unknown): MergePlan {
	const tables: Readonly<Record<string, unknown>> = { ...(file ?? {}) };
	const counts = { unreadable: 0, same: 0, copied: 0 };
	const read = <N extends MovingTable>(table: N): Records[N][] => {
		const rows = tables[table];
		if (!Array.isArray(rows)) return [];
		const good = rows.slice(0, MAX_RECORDS).filter((row) => isRecord(table, row));
		counts.unreadable += rows.length - good.length;
		// Two records of one name: the first stands, as it would had they come one after the other.
		const byKey = new Map(good.toReversed().map((row) => [keyOf(table, row), row]));
		return [...byKey.values()].reverse();
	};
	const fresh = <N extends MovingTable>(table: N): Records[N][] => {
		const known = new Set(here[table].map((row) => keyOf(table, row)));
		return read(table).filter((row) => !known.has(keyOf(table, row)));
	};

	const receipts = fresh('receipts');
	counts.same += read('receipts').length - receipts.length;
	const conversations: Conversation[] = [];
	const messages: Message[] = [];
	const [mine, theirs] = [byConversation(here.messages), byConversation(read('messages'))];
	const heads = new Map(here.conversations.map((head) => [head.id, head]));
	const names = new Set(here.messages.map((message) => message.id));
	for (const head of read('conversations')) {
		const [local, coming] = [mine.get(head.id) ?? [], theirs.get(head.id) ?? []];
		if (!heads.has(head.id) && local.length === 0) {
			// A name that stands for another conversation's message here stays that one's.
			const clashes = coming.some((message) => names.has(message.id));
			const whole = clashes ? renamed(head, coming, head.id) : { head, messages: coming };
			conversations.push(whole.head);
			messages.push(...whole.messages);
			continue;
		}
		const had = new Map(local.map((message) => [message.id, message]));
		if (coming.every((message) => alike(had.get(message.id), message))) {
			counts.same++;
		} else if (goesOn(local, coming)) {
			messages.push(...coming.filter((message) => !names.has(message.id)));
		} else {
			const copy = `${head.id}-${digestOf(coming)}`;
			if (heads.has(copy)) {
				counts.same++;
				continue;
			}
			counts.copied++;
			const whole = renamed(head, coming, copy);
			conversations.push({ ...whole.head, title: `${head.title} (from the backup)` });
			messages.push(...whole.messages);
		}
	}
	const rest = { jobs: fresh('jobs'), bids: fresh('bids'), assigned: fresh('assigned') };
	return {
		add: { conversations, messages, receipts, ...rest },
		report: {
			conversations: conversations.length,
			messages: messages.length,
			receipts: receipts.length,
			jobs: rest.jobs.length + rest.bids.length + rest.assigned.length,
			...counts
		}
	};
}

function byConversation(messages: readonly Message[]): Map<string, Message[]> {
	const all = Map.groupBy(messages, (message) => message.conversation);
	for (const one of all.values()) one.sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
	return all;
}

/** Whether the file has every message of ours as it stands here: then what it has besides continues or branches off. */
function goesOn(local: readonly Message[], coming: readonly Message[]): boolean {
	const theirs = new Map(coming.map((message) => [message.id, message]));
	return local.every((message) => alike(message, theirs.get(message.id)));
}

/** The same message. How it came about may have been noted later on one side; what was said decides. */
function alike(a: Message | undefined, b: Message | undefined): boolean {
	return (
		a !== undefined && b !== undefined && a.id === b.id && a.role === b.role && a.order === b.order && a.text === b.text
	);
}

/** The same tree of messages under names of its own, as conversation `id`. */
function renamed(head: Conversation, messages: readonly Message[], id: string) {
	const mark = digestOf([...messages].map((message) => ({ ...message, conversation: id })));
	const names = new Map(messages.map((message) => [message.id, `${message.id}-${mark}`]));
	const named = (name: string | undefined) => (name === undefined ? undefined : names.get(name));
	return {
		head: { ...head, id, leaf: named(head.leaf) },
		messages: messages.map((message) => ({
			...message,
			...{ conversation: id, id: names.get(message.id) ?? message.id, parent: named(message.parent) }
		}))
	};
}

/** 64 bits of the contents' hash: a name for a copy, that repeats when the copy does. */
function digestOf(messages: readonly Message[]): string {
	const said = messages.map(({ id, conversation, role, order, text }) => [id, conversation, role, order, text]);
	return bytesToHex(sha256(new TextEncoder().encode(JSON.stringify(said)))).slice(0, 16);
}
