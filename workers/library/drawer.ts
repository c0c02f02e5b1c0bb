/** One file that is being written, with what came hashed on the way. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Aborted } from '../serve.ts';

/** What a FileSystemSyncAccessHandle does; the types of a page do not know it. Writes in place: what was written stays when the worker dies. */
export interface Drawer {
	getSize(): number;
	read(into: Uint8Array, options: { readonly at: number }): number;
	write(bytes: Uint8Array, options: { readonly at: number }): number;
	truncate(size: number): void;
	flush(): void;
	close(): void;
}

/** Read at once while a kept part is hashed: some milliseconds of work between two looks at the abort. */
const HASHED_AT_ONCE = 1024 * 1024;
/** What a crash of the whole machine may lose. */
const FLUSH_EVERY_BYTES = 16 * 1024 * 1024;

/** Takes bytes in order. */
export interface Intake {
	/** Bytes that are here. */
	readonly at: number;
	/** Adds a chunk. Refusals: `weights-corrupt` beyond the limit, `storage-full`, `storage-unavailable`. */
	take(chunk: Uint8Array): void;
	/** The last `length` bytes. */
	tail(length: number): Uint8Array;
	/** Forgets everything that came. */
	restart(): void;
	/** SHA-256 of everything that came, in hex. More may come after it. */
	sha256(): string;
	flush(): void;
}

/**
 * Goes on where the file ends: what is there is hashed first, because nobody else can vouch for it. `limit` is the length the file must have,
 * or may have at most. Refusal `aborted`.
 */
export async function openIntake(
	drawer: Drawer,
	limit: number,
	breathe: () => Promise<void>,
	signal: Aborted
): Promise<Intake> {
	let hasher = sha256.create();
	let at = 0;
	let flushedAt = 0;
	if (drawer.getSize() > limit) drawer.truncate(0);
	const buffer = new Uint8Array(Math.min(HASHED_AT_ONCE, drawer.getSize()));
	for (const size = drawer.getSize(); at < size;) {
		const came = guarded(() => drawer.read(buffer.subarray(0, Math.min(buffer.length, size - at)), { at }));
		if (came === 0) throw new Refusal('storage-unavailable', 'a kept file could not be read');
		hasher.update(buffer.subarray(0, came));
		at += came;
		await breathe();
		if (signal.aborted) throw new Refusal('aborted');
	}
	return {
		get at() {
			return at;
		},
		take(chunk) {
			if (at + chunk.length > limit) throw new Refusal('weights-corrupt', `longer than ${limit} bytes`);
			const written = guarded(() => drawer.write(chunk, { at }));
			// A full disk can also show as a short write.
			if (written !== chunk.length) throw new Refusal('storage-full', 'short write');
			hasher.update(chunk);
			at += chunk.length;
			if (at - flushedAt < FLUSH_EVERY_BYTES) return;
			flushedAt = at;
			guarded(() => drawer.flush());
		},
		tail(length) {
			const bytes = new Uint8Array(length);
			const came = guarded(() => drawer.read(bytes, { at: at - length }));
			return bytes.subarray(0, came);
		},
		restart() {
			guarded(() => drawer.truncate(0));
			hasher = sha256.create();
			at = 0;
			flushedAt = 0;
		},
		sha256: () => bytesToHex(hasher.clone().digest()),
		flush: () => guarded(() => drawer.flush())
	};
}

/** Runs work on a file; what the browser throws becomes a Refusal. */
export function guarded<T>(work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw keepingFailed(error);
	}
}

/** What it means when the browser cannot keep something. */
export function keepingFailed(error: unknown): Refusal {
	if (error instanceof Refusal) return error;
	const name = error instanceof Error ? error.name : 'unknown';
	return new Refusal(name === 'QuotaExceededError' ? 'storage-full' : 'storage-unavailable', name);
}
