/** The folder of one model in the origin private file system, as its worker changes it. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Shelved } from '#lib/engine/library/calls.ts';
import { checkRecord, RECORD_NAME, type LibraryRecord } from '#lib/engine/library/record.ts';
import { openShelf, readFolder, readShelf, type OpenStorage } from '#lib/engine/library/shelf.ts';
import { keepingFailed, type Drawer } from './drawer.ts';

/** One model's files. Whoever changes them holds the lock of the folder (calls.ts). */
export interface Folder {
	readonly name: string;
	/** What is there; undefined when it is no model of ours. */
	read(): Promise<Shelved | undefined>;
	/** Writes record.json as a whole: after a crash it is the old one or the new one. Refusals: `storage-full`, `storage-unavailable`. */
	write(record: LibraryRecord): Promise<void>;
	/** Opens a file to write it, and makes it when it is not there. Refusals as above; only one drawer of a file can be open. */
	drawer(name: string): Promise<Drawer>;
	/** A kept file, to be read. */
	file(name: string): Promise<Blob>;
	/** Deletes a file that may not be there. */
	drop(name: string): Promise<void>;
}

/** What the folders lie in. */
export interface Cabinet {
	/** The folder of a model; undefined when it is not there and not to be made. Refusal `storage-unavailable`. */
	folder(name: string, make: boolean): Promise<Folder | undefined>;
	/** Every model that is here. */
	list(): Promise<readonly Shelved[]>;
	remove(name: string): Promise<void>;
}

/** A page's types do not know this call, because only workers have it. */
type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<Drawer> };

export function openCabinet(openStorage: OpenStorage, locks: Pick<LockManager, 'request'>): Cabinet {
	return {
		async folder(name, make) {
			const shelf = await openShelf(openStorage);
			const handle = await shelf.getDirectoryHandle(name, { create: make }).catch((error: unknown) => {
				if (!make) return undefined;
				throw keepingFailed(error);
			});
			return handle === undefined ? undefined : folderIn(handle);
		},
		list: async () => readShelf(await openShelf(openStorage), locks),
		async remove(name) {
			const shelf = await openShelf(openStorage);
			await shelf.removeEntry(name, { recursive: true }).catch(() => undefined);
		}
	};
}

function folderIn(handle: FileSystemDirectoryHandle): Folder {
	const open = (name: string) => handle.getFileHandle(name, { create: true }) as Promise<WorkerFileHandle>;
	return {
		name: handle.name,
		async read() {
			const found = await readFolder(handle);
			return typeof found === 'string' ? undefined : found;
		},
		async write(record) {
			const bytes = new TextEncoder().encode(JSON.stringify(checkRecord(record), null, '\t'));
			await writeWhole(await open(RECORD_NAME).catch(refuse), bytes).catch(refuse);
		},
		drawer: async (name) => (await open(name).catch(refuse)).createSyncAccessHandle().catch(refuse),
		async file(name) {
			try {
				return await (await handle.getFileHandle(name)).getFile();
			} catch {
				throw new Refusal('engine-load-failed', `${name} is not kept`);
			}
		},
		drop: (name) => handle.removeEntry(name).catch(() => undefined)
	};
}

/** Through a copy that takes the file's place when it is closed, where the browser has that; Safari before 26 has only writing in place. */
async function writeWhole(file: WorkerFileHandle, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
	if ('createWritable' in file) {
		const copy = await file.createWritable();
		try {
			await copy.write(bytes);
		} catch (error) {
			await copy.abort().catch(() => undefined);
			throw error;
		}
		return copy.close();
	}
	const drawer = await (file as WorkerFileHandle).createSyncAccessHandle();
	try {
		drawer.truncate(0);
		if (drawer.write(bytes, { at: 0 }) !== bytes.length) throw new Refusal('storage-full', 'short write');
		drawer.flush();
	} finally {
		drawer.close();
	}
}

function refuse(error: unknown): never {
	throw keepingFailed(error);
}
