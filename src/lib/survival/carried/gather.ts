/** Gathers the running app's own files, each checked against its release, so that it can be handed on as one file. */
import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes } from '#lib/protocol/encode.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { decodeFiles, MAX_FILE_LIST } from '#lib/protocol/release-files.ts';
import { PARTS } from '../release.ts';
import { carriedPage, isCarried, type CarriedFile } from './pack.ts';

/** Fetches under way at one time. */
const PARALLEL = 4;

export interface GatherInit {
	/** Folder of the app, ends with a slash. */
	readonly base: string;
	readonly fetch: (address: string) => Promise<Response>;
	/** Path of the boot among the files. */
	readonly boot: string;
	readonly onProgress?: (have: number, want: number) => void;
}

/** The carried page. Refusals: `malformed` when the app has no release, `weights-corrupt` for a file that is not the released one, `unreachable`. */
export async function gatheredPage({ base, fetch, boot, onProgress }: GatherInit): Promise<Blob> {
	const read = async (path: string, max: number): Promise<Uint8Array> => {
		const answer = await fetch(new URL(path, base).href).catch(() => undefined);
		if (answer?.ok !== true) throw new Refusal('unreachable', path);
		const bytes = new Uint8Array(await answer.arrayBuffer());
		if (bytes.length > max) throw new Refusal('oversized', path);
		return bytes;
	};
	const list = await read(PARTS.files.path, MAX_FILE_LIST).catch(() => undefined);
	if (list === undefined) throw new Refusal('malformed', 'no release beside the app');
	const wanted = decodeFiles(list).filter(({ path }) => isCarried(path));
	const files: CarriedFile[] = [{ path: PARTS.files.path, bytes: list }];
	for (const part of [PARTS.keys, PARTS.manifest])
		files.push({ path: part.path, bytes: await read(part.path, part.max) });
	const queue = [...wanted];
	const lane = async () => {
		for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
			const bytes = await read(next.path, next.bytes);
			if (!equalBytes(sha256(bytes), next.sha256)) throw new Refusal('weights-corrupt', next.path);
			files.push({ path: next.path, bytes });
			onProgress?.(files.length, wanted.length + 3);
		}
	};
	await Promise.all(Array.from({ length: PARALLEL }, lane));
	const code = files.find(({ path }) => path === boot);
	if (code === undefined) throw new Refusal('malformed', 'the release has no boot');
	return new Blob([...(await carriedPage(files, new TextDecoder().decode(code.bytes)))], { type: 'text/html' });
}
