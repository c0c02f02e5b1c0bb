/**
 * The models on disk: folders of the origin private file system, read as they are found. Used by the page, to show them, and by the worker,
 * which alone changes files.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { KEPT_FOLDER, KEPT_NAMES } from '#workers/messages.ts';
import { isFolderName, lockOf, type Shelved } from './calls.ts';
import { MOST_RECORD_BYTES, readRecord, RECORD_NAME, type LibraryRecord } from './record.ts';

/** Asks for the root; rejects or is missing where the browser keeps nothing. */
export type OpenStorage = () => Promise<FileSystemDirectoryHandle>;

/** Names of the files of a record, in the order of its parts. External files are numbered in the order they are recorded. */
export function namesIn({ parts }: Pick<LibraryRecord, 'parts'>): readonly string[] {
	let external = 0;
	return parts.map(({ role }) => (role === 'external' ? `external-${external++}` : KEPT_NAMES[role]));
}

/** The record as the disk bears it out: what is recorded as kept and is not there, or not so long, is not kept. Pure. */
export function asFound(folder: string, record: LibraryRecord, sizes: ReadonlyMap<string, number>): Shelved {
	const names = namesIn(record);
	const sizeOf = (i: number) => sizes.get(names[i] ?? '') ?? 0;
	const parts = record.parts.map((part, i) =>
		part.kept && sizeOf(i) !== part.bytes ? { ...part, kept: false } : part
	);
	const keptBytes = parts.reduce((sum, part, i) => sum + Math.min(sizeOf(i), part.bytes ?? sizeOf(i)), 0);
	return { folder, record: { ...record, parts }, keptBytes };
}

/** The folder of all models. Refusal `storage-unavailable`. */
export async function openShelf(openStorage: OpenStorage): Promise<FileSystemDirectoryHandle> {
	try {
		return await (await openStorage()).getDirectoryHandle(KEPT_FOLDER, { create: true });
	} catch {
		throw new Refusal('storage-unavailable', 'private file system');
	}
}

/**
 * Every model that is here. Folders with a damaged record are deleted, unless a tab is at work on them; those of a later version, and those
 * in which nothing is written yet, are left alone.
 */
export async function readShelf(
	shelf: FileSystemDirectoryHandle,
	locks: Pick<LockManager, 'request'>
): Promise<readonly Shelved[]> {
	const found: Shelved[] = [];
	const damaged: string[] = [];
	for await (const [name, handle] of shelf.entries()) {
		if (handle.kind !== 'directory' || !isFolderName(name)) continue;
		const read = await readFolder(handle as FileSystemDirectoryHandle);
		if (read === 'damaged') damaged.push(name);
		else if (typeof read !== 'string') found.push(read);
	}
	for (const name of damaged) {
		await locks.request(lockOf(name), { ifAvailable: true }, async (lock) => {
			if (lock !== null) await shelf.removeEntry(name, { recursive: true }).catch(() => undefined);
		});
	}
	return found.sort((a, b) => (a.folder < b.folder ? -1 : 1));
}

/** One model as it is found. */
export async function readFolder(folder: FileSystemDirectoryHandle): Promise<Shelved | 'newer' | 'damaged' | 'empty'> {
	const sizes = new Map<string, number>();
	let json: string | undefined;
	let written = false;
	for await (const [name, handle] of folder.entries()) {
		if (handle.kind !== 'file') continue;
		written ||= name === RECORD_NAME;
		// A file that another tab is writing can be looked at; one that it has just deleted cannot.
		const file = await (handle as FileSystemFileHandle).getFile().catch(() => undefined);
		if (file === undefined) continue;
		sizes.set(name, file.size);
		if (name === RECORD_NAME && file.size <= MOST_RECORD_BYTES) json = await file.text().catch(() => undefined);
	}
	if (!written) return 'empty';
	const read = readRecord(json ?? '');
	return read.kind === 'record' ? asFound(folder.name, read.record, sizes) : read.kind;
}
