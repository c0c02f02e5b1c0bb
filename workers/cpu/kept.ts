/** Reads the files of a kept model from the origin's private file system. */
import { Refusal } from '#lib/protocol/errors.ts';
import { KEPT_FOLDER, type RecordedModel } from '../messages.ts';
import { wanted, type Bytes, type Wanted } from './files.ts';

/**
 * One file after the other, so that no more than one is read twice into memory. `count` is told of bytes as they are read.
 * Refusals: `weights-corrupt` for a file of another length, `engine-load-failed` for one that is not there, `storage-unavailable`.
 */
export async function readKept(
	model: RecordedModel,
	folder: string,
	count: (bytes: number) => void
): Promise<(readonly [Wanted, Bytes])[]> {
	const shelf = await open(folder);
	const came: (readonly [Wanted, Bytes])[] = [];
	for (const each of wanted(model)) came.push([each, await readFile(shelf, each, count)]);
	return came;
}

async function open(folder: string): Promise<FileSystemDirectoryHandle> {
	const storage = navigator.storage as StorageManager | undefined;
	const root = await storage?.getDirectory().catch(() => undefined);
	if (root === undefined) throw new Refusal('storage-unavailable');
	try {
		return await (await root.getDirectoryHandle(KEPT_FOLDER)).getDirectoryHandle(folder);
	} catch {
		throw new Refusal('engine-load-failed', 'the model is not kept here');
	}
}

async function readFile(
	shelf: FileSystemDirectoryHandle,
	each: Wanted,
	count: (bytes: number) => void
): Promise<Bytes> {
	const { name, file } = each;
	const kept = await shelf
		.getFileHandle(name)
		.then((handle) => handle.getFile())
		.catch(() => {
			throw new Refusal('engine-load-failed', `${name} is not kept`);
		});
	// Before a byte is read: a file that grew must not fill the memory.
	if (kept.size !== file.bytes) {
		throw new Refusal('weights-corrupt', `${name}: ${kept.size} bytes, not ${file.bytes}`);
	}
	const bytes = new Uint8Array(file.bytes);
	let at = 0;
	const reader = kept.stream().getReader();
	for (;;) {
		const { done, value } = await reader.read().catch(() => {
			throw new Refusal('engine-load-failed', `${name} could not be read`);
		});
		if (done) return bytes.subarray(0, at);
		bytes.set(value, at);
		at += value.length;
		count(value.length);
	}
}
