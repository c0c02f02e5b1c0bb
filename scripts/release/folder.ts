/** A folder as a release sees it: its files by path, their list, and the list's place in a manifest. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeFiles, RELEASE_FOLDER, type ReleaseFile } from '../../src/lib/protocol/release-files.ts';

/** Files by their path inside the folder, with `/` between steps, in order. */
export type Folder = ReadonlyMap<string, Uint8Array>;

/** Ends the name of a gzip twin. */
export const TWIN = '.gz';

/** Has signatures of its own and changes without a release, which does not name it: the list of relays (docs/spec/directory.md). */
export const UNSIGNED = new Set(['directory.json']);

/** Every file under `root`. */
export async function readFolder(root: string): Promise<Folder> {
	const entries = await readdir(root, { recursive: true, withFileTypes: true });
	const names = entries
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
	// By code unit, never by the machine's language.
	names.sort((a, b) => (a < b ? -1 : 1));
	return new Map(await Promise.all(names.map(async (name) => [name, await readFile(path.join(root, name))] as const)));
}

/** Makes `root` hold exactly these files. */
export async function writeFolder(root: string, files: Folder): Promise<void> {
	await rm(root, { recursive: true, force: true });
	for (const [name, bytes] of files) {
		const to = path.join(root, name);
		await mkdir(path.dirname(to), { recursive: true });
		await writeFile(to, bytes);
	}
}

/** The folder without its signed documents: what a release's CID names. */
export function payloadOf(files: Folder): Folder {
	return new Map([...files].filter(([name]) => !name.startsWith(RELEASE_FOLDER)));
}

/** What a manifest says of a payload. A `<path>.gz` beside `<path>` is its twin and no file of its own. */
export function listOf(payload: Folder): { encoded: Uint8Array; sha256: Uint8Array; count: number; bytes: number } {
	const files: ReleaseFile[] = [];
	for (const [name, bytes] of payload) {
		const isTwin = name.endsWith(TWIN) && payload.has(name.slice(0, -TWIN.length));
		if (isTwin || UNSIGNED.has(name)) continue;
		const packed = payload.get(name + TWIN)?.length;
		const hash = new Uint8Array(createHash('sha256').update(bytes).digest());
		files.push({ path: name, sha256: hash, bytes: bytes.length, ...(packed === undefined ? {} : { packed }) });
	}
	const encoded = encodeFiles(files);
	return {
		encoded,
		sha256: new Uint8Array(createHash('sha256').update(encoded).digest()),
		count: files.length,
		bytes: files.reduce((sum, { bytes }) => sum + bytes, 0)
	};
}
