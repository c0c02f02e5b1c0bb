/** What passes between the page and the library's worker (workers/library.ts): types, and names that every tab must agree on. */
import type { Outcome, WorkerProgress } from '#workers/messages.ts';
import type { DeviceFacts } from './fit.ts';
import type { LibraryRecord } from './record.ts';

/** One model of the library and how much of it is on disk. */
export interface Shelved {
	/** Below KEPT_FOLDER; names it until the hash of its weights is known, and afterwards too. */
	readonly folder: string;
	readonly record: LibraryRecord;
	readonly keptBytes: number;
}

/** What the page knows and its worker cannot. */
export interface LibraryOptions {
	readonly facts: DeviceFacts;
	/** Milliseconds without a byte after which a connection counts as broken. */
	readonly stallMs: number;
}

/**
 * What the worker exposes through comlink. No call rejects. Progress and signs of life come on the port as FromWorker; `{kind: 'abort'}` on it
 * stops the call, which then answers `aborted`.
 */
export interface LibraryWorker {
	/** Takes the lock that tells the page, by becoming free, that the worker died. */
	hold(lockName: string): Promise<void>;
	look(address: string, options: LibraryOptions, port: MessagePort): Promise<Outcome<Shelved>>;
	take(files: readonly File[], options: LibraryOptions, port: MessagePort): Promise<Outcome<Shelved>>;
	/** Writes down a model that the app itself lists, unless it is there. */
	enter(shelved: Shelved, port: MessagePort): Promise<Outcome<Shelved>>;
	fetch(folder: string, options: LibraryOptions, port: MessagePort): Promise<Outcome<Shelved>>;
	/** Hashes what is kept and drops files that are not what they were. */
	check(folder: string, port: MessagePort): Promise<Outcome<Shelved>>;
}

/** BroadcastChannel on which tabs tell each other. A hint only: on a shared origin strangers can speak there. */
export const LIBRARY_CHANNEL = 'fireweed-library';

export type LibraryNews =
	| { readonly kind: 'changed'; readonly folder: string }
	/** A tab is fetching it. */
	| { readonly kind: 'progress'; readonly folder: string; readonly progress: WorkerProgress }
	/** A tab wants to delete it: who fetches it stops. */
	| { readonly kind: 'removing'; readonly folder: string };

/** The Web Lock held by whoever changes files of a model. */
export function lockOf(folder: string): string {
	return `fireweed-library:${folder}`;
}

/** Folders are named by the library itself; anything else under KEPT_FOLDER is not its own. */
export function isFolderName(name: string): boolean {
	return /^(at|file|onnx)-[0-9a-f]{16}$/.test(name);
}
