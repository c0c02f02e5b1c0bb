/**
 * A conversation as a tree: an edited question and an answer asked for again stand beside what was there, and one path from the
 * first message to a last one is shown. Pure. Records may come out of a file or from another version, so nothing is believed: a
 * parent counts only when it stands earlier, hence no loop can be built.
 */
import type { Message } from '#lib/ports/store.ts';

/** Where a shown message stands among the versions of it. */
export interface Versions {
	/** From 1. */
	readonly at: number;
	readonly of: number;
	/** Ids of the neighbours; undefined at an end. */
	readonly before: string | undefined;
	readonly after: string | undefined;
}

/** Children by the id of their parent, oldest first; those of `undefined` begin a conversation. */
export interface Tree {
	readonly messages: ReadonlyMap<string, Message>;
	readonly children: ReadonlyMap<string | undefined, readonly Message[]>;
	readonly parents: ReadonlyMap<string, string | undefined>;
}

/**
 * The tree of `messages`, in any order. A message without a known, earlier parent follows the newest of those that stand before it:
 * so records of before there were branches make one line, and nothing that was said can be lost from sight.
 */
export function treeOf(messages: readonly Message[]): Tree {
	const sorted = [...messages].sort((a, b) => a.order - b.order || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
	const byId = new Map(sorted.map((message) => [message.id, message]));
	const children = new Map<string | undefined, Message[]>();
	const parents = new Map<string, string | undefined>();
	let before: Message | undefined;
	let present: Message | undefined;
	for (const message of byId.values()) {
		if (present !== undefined && present.order < message.order) before = present;
		const named = message.parent === undefined ? undefined : byId.get(message.parent);
		const parent = named !== undefined && named.order < message.order ? named.id : before?.id;
		parents.set(message.id, parent);
		const siblings = children.get(parent);
		if (siblings) siblings.push(message);
		else children.set(parent, [message]);
		present = message;
	}
	for (const siblings of children.values()) siblings.sort((a, b) => a.createdAt - b.createdAt);
	return { messages: byId, children, parents };
}

/** The path through `leaf`: up to the first message, and down from it along the newest. An unknown leaf gives the newest path. */
export function pathThrough(tree: Tree, leaf: string | undefined): readonly Message[] {
	const path: Message[] = [];
	for (let id = leaf; id !== undefined; id = tree.parents.get(id)) {
		const message = tree.messages.get(id);
		if (message === undefined) break;
		path.push(message);
	}
	path.reverse();
	for (;;) {
		const next = tree.children.get(path.at(-1)?.id)?.at(-1);
		if (next === undefined) return path;
		path.push(next);
	}
}

/** The versions of every message of `path` that has more than one: whatever follows the same message. */
export function versionsOf(tree: Tree, path: readonly Message[]): ReadonlyMap<string, Versions> {
	const found = new Map<string, Versions>();
	for (const message of path) {
		const siblings = tree.children.get(tree.parents.get(message.id)) ?? [];
		if (siblings.length < 2) continue;
		const at = siblings.findIndex((sibling) => sibling.id === message.id);
		found.set(message.id, {
			at: at + 1,
			of: siblings.length,
			before: siblings[at - 1]?.id,
			after: siblings[at + 1]?.id
		});
	}
	return found;
}

/** What is shown of a conversation. */
export interface Shown {
	readonly path: readonly Message[];
	readonly versions: ReadonlyMap<string, Versions>;
}

/** Nothing was said yet. */
export const NOTHING_SHOWN: Shown = { path: [], versions: new Map() };

/** Every message of every branch of one conversation. */
export class Branches {
	readonly #all = new Map<string, Message>();

	get = (id: string): Message | undefined => this.#all.get(id);

	/** Puts messages in, or in the place of those with the same id. */
	put(...messages: readonly Message[]): void {
		for (const message of messages) this.#all.set(message.id, message);
	}

	/** Forgets what was there. */
	replaceAll(messages: readonly Message[]): void {
		this.#all.clear();
		for (const message of messages) this.#all.set(message.id, message);
	}

	/** The branch through `leaf`. */
	shown(leaf: string | undefined): Shown {
		const tree = treeOf([...this.#all.values()]);
		const path = pathThrough(tree, leaf);
		return { path, versions: versionsOf(tree, path) };
	}
}
