/**
 * Where one model's files are kept between visits: a Cache Storage cache of its own. What lies there is not trusted, since on a shared
 * origin others can write it: callers hash what they read (workers/webllm/shards.ts).
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { RecordedFile } from '../messages.ts';
import { readBounded } from './download.ts';

/** A download is kept in pieces of this size while it runs: what a lost connection or a closed tab costs at most. */
export const PIECE_BYTES = 8 * 2 ** 20;
/** Where hashes of first use stand, apart from the files, so that deleting a model does not make its server trusted anew. */
const FIRST_USE_CACHE = 'fireweed-webllm-first-use';
const MAX_FIRST_USE_BYTES = 4 * 2 ** 20;
const SHA256 = /^[0-9a-f]{64}$/;

export interface Shelf {
	has(name: string): Promise<boolean>;
	/** No more than `most` bytes are read, and of a known `length` no other; what does not fit is undefined, like what is missing. */
	read(name: string, length: number | undefined, most: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
	/** Refusal `storage-full` or `storage-unavailable`. */
	keep(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
	drop(name: string): Promise<void>;
	/** The pieces of an unfinished download, in order, without a gap. */
	pieces(name: string, most: number): Promise<readonly Uint8Array<ArrayBuffer>[]>;
	keepPiece(name: string, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
	dropPieces(name: string): Promise<void>;
}

/** Cache keys are addresses; these lead nowhere. */
const fileKey = (name: string) => `https://kept.invalid/file/${encodeURIComponent(name)}`;
const pieceKey = (name: string, index: number) => `https://kept.invalid/piece/${encodeURIComponent(name)}/${index}`;

/** Refusal `storage-unavailable` where the browser keeps nothing. */
export async function openShelf(caches: Pick<CacheStorage, 'open'> | undefined, name: string): Promise<Shelf> {
	const cache = await caches?.open(name).catch(() => undefined);
	if (cache === undefined) throw new Refusal('storage-unavailable', 'no Cache Storage');
	const read = async (key: string, length: number | undefined, most: number) => {
		const found = await cache.match(key);
		if (found?.body == null) return undefined;
		return readBounded(found.body, length, most, () => {}).catch(() => undefined);
	};
	const put = (key: string, bytes: Uint8Array<ArrayBuffer>) =>
		cache
			.put(key, new Response(bytes, { headers: { 'content-length': String(bytes.length) } }))
			.catch((error: unknown) => {
				throw keepRefusal(error);
			});
	return {
		has: async (name) => (await cache.match(fileKey(name))) !== undefined,
		read: (name, length, most) => read(fileKey(name), length, most),
		keep: (name, bytes) => put(fileKey(name), bytes),
		drop: async (name) => void (await cache.delete(fileKey(name))),
		async pieces(name, most) {
			const found: Uint8Array<ArrayBuffer>[] = [];
			while ((found.length + 1) * PIECE_BYTES <= most) {
				const piece = await read(pieceKey(name, found.length), PIECE_BYTES, PIECE_BYTES);
				if (piece === undefined) break;
				found.push(piece);
			}
			return found;
		},
		keepPiece: (name, index, bytes) => put(pieceKey(name, index), bytes),
		async dropPieces(name) {
			for (let index = 0; await cache.delete(pieceKey(name, index)); index++);
		}
	};
}

/** What a write that failed means for the person. */
function keepRefusal(error: unknown): Refusal {
	const full = error instanceof DOMException && error.name === 'QuotaExceededError';
	return new Refusal(full ? 'storage-full' : 'storage-unavailable', 'a file could not be kept');
}

/** Hashes by file name: those recorded beforehand, or those noted at first use. */
export interface Ledger {
	get(name: string): RecordedFile | undefined;
	/** Writes down what came first. Refusal `weights-corrupt` when something else stands there already. */
	note(name: string, file: RecordedFile): Promise<void>;
}

/** The hashes noted at the first use of model `id`, to be added to. */
export async function openFirstUse(caches: Pick<CacheStorage, 'open'>, id: string): Promise<Ledger> {
	const cache = await caches.open(FIRST_USE_CACHE);
	const key = `https://first-use.invalid/${encodeURIComponent(id)}`;
	const noted = new Map(Object.entries(await readNotes(cache, key)));
	// One write after the other: two at once could leave the earlier state.
	let writing = Promise.resolve();
	return {
		get: (name) => noted.get(name),
		async note(name, file) {
			const before = noted.get(name);
			if (before !== undefined && before.sha256 !== file.sha256) throw new Refusal('weights-corrupt', name);
			noted.set(name, file);
			writing = writing.then(() =>
				cache.put(key, new Response(JSON.stringify(Object.fromEntries(noted)))).catch((error: unknown) => {
					throw keepRefusal(error);
				})
			);
			await writing;
		}
	};
}

async function readNotes(cache: Cache, key: string): Promise<Record<string, RecordedFile>> {
	const found = await cache.match(key);
	if (found?.body == null) return {};
	try {
		const bytes = await readBounded(found.body, undefined, MAX_FIRST_USE_BYTES, () => {});
		const file = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, Partial<RecordedFile>>;
		const whole = Object.entries(file).filter(
			(entry): entry is [string, RecordedFile] =>
				typeof entry[1]?.sha256 === 'string' && SHA256.test(entry[1].sha256) && Number.isSafeInteger(entry[1].bytes)
		);
		return Object.fromEntries(whole);
	} catch {
		// Damaged notes are no notes: the files are fetched and noted again, as at first use.
		return {};
	}
}
