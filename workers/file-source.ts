/**
 * One file of a release: from the app's own server, else from where a person said it may also be had. Whoever sent it, it is compared with the
 * hash that was signed; a server that lies or hangs costs one try and is then asked last.
 */
import { PATIENCE_MS, patience } from '#lib/survival/gateways/patience.ts';
import { bodyOf } from './body.ts';
import type { PrecacheEntry } from './precache.ts';

/** What is needed from the worker's world. */
export interface FileSourceComponents {
	readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
	/** Gunzips; undefined where the browser cannot. */
	readonly unpack?: ((packed: ArrayBuffer) => Response) | undefined;
	/** ms without a byte after which the server is taken for dead. */
	readonly patienceMs?: number | undefined;
}

/** Bytes of a file so far. */
export type OnBytes = (have: number) => void;

/** A file of the release from where a person said it may also be had; undefined when it is not to be had there. `path` is relative to the app's folder. */
export type FromElsewhere = (
	path: string,
	max: number,
	onBytes: OnBytes
) => Promise<Uint8Array<ArrayBuffer> | undefined>;

/** The server has this file no more, or with other bytes than were signed. Nothing of it is kept. */
export class PrecacheMismatch extends Error {
	readonly code = 'precache-mismatch';
	constructor(url: string) {
		super(`${url} is not the file that was signed`);
	}
}

/** A file as it came: `from` says of what kind it is, and is missing where nobody said so. */
export interface FetchedFile {
	readonly bytes: ArrayBuffer;
	readonly from: Response | undefined;
}

export interface FileSource {
	/** Rejects with PrecacheMismatch, or as the connection does, when nobody gives it. `url` is absolute. */
	fetched(url: string, entry: PrecacheEntry, onBytes: OnBytes): Promise<FetchedFile>;
	/** The server is given another chance. */
	renew(): void;
}

/** SvelteKit's folder for files whose names carry a hash of their content. */
const NAMED_BY_CONTENT = '/_app/immutable/';

/** `matches` compares with the signed hash. */
export function fileSource(
	components: FileSourceComponents,
	matches: (bytes: ArrayBuffer, entry: PrecacheEntry) => Promise<boolean>,
	fromElsewhere: FromElsewhere
): FileSource {
	/** Whether this server packs what it sends; unknown until it sent something worth packing. */
	let serverPacks: boolean | undefined;
	/** It failed where somebody else did not. */
	let serverFails = false;

	async function fromServer(url: string, entry: PrecacheEntry, onBytes: OnBytes): Promise<FetchedFile> {
		const twin = serverPacks === true ? undefined : await fromTwin(url, entry);
		if (twin) return twin;
		// A name with a hash in it never changes its content, so what the page has just loaded is taken as it is. Second try past the
		// HTTP cache: a damaged answer marked immutable would otherwise stay there for a year.
		const first = url.includes(NAMED_BY_CONTENT) ? 'default' : 'no-cache';
		for (const cache of [first, 'reload'] as const) {
			const { response, bytes } = await got(url, cache, entry.bytes, onBytes);
			if (response.status >= 400 && response.status < 500) throw new PrecacheMismatch(url);
			if (!response.ok) throw new TypeError(`${url}: status ${response.status}`);
			if (entry.packed !== undefined) serverPacks = response.headers.has('content-encoding');
			if (bytes && (await matches(bytes, entry))) return { bytes, from: response };
		}
		throw new PrecacheMismatch(url);
	}

	/** One answer of the server and at most `max` bytes of it; rejects when nothing more comes. */
	async function got(url: string, cache: RequestCache, max: number, onBytes?: OnBytes) {
		const waiting = patience(components.patienceMs ?? PATIENCE_MS);
		try {
			const asked = components.fetch(url, { cache, credentials: 'same-origin', signal: waiting.signal });
			const response = await waiting.piece(asked);
			const piece = <T>(work: Promise<T>) => waiting.piece(work);
			return { response, bytes: response.ok ? await bodyOf(response, max, piece, onBytes) : undefined };
		} finally {
			waiting.end();
		}
	}

	/** The file out of its gzip twin, or undefined when there is none or it is not what was signed. */
	async function fromTwin(url: string, entry: PrecacheEntry): Promise<FetchedFile | undefined> {
		if (entry.packed === undefined || components.unpack === undefined) return undefined;
		try {
			return await unpacked(entry, (await got(`${url}.gz`, 'no-cache', entry.packed)).bytes);
		} catch {
			return undefined;
		}
	}

	/** From where a person said it may also be had: its twin, else itself. */
	async function elsewhere(entry: PrecacheEntry, onBytes: OnBytes): Promise<FetchedFile | undefined> {
		const path = entry.url === './' ? 'index.html' : entry.url.replace(/^\.\//, '');
		if (entry.packed !== undefined && components.unpack !== undefined) {
			const packed = await fromElsewhere(`${path}.gz`, entry.packed, () => undefined);
			const twin = await unpacked(entry, packed?.buffer).catch(() => undefined);
			if (twin) return twin;
		}
		const bytes = (await fromElsewhere(path, entry.bytes, onBytes))?.buffer;
		return bytes && (await matches(bytes, entry)) ? { bytes, from: undefined } : undefined;
	}

	async function unpacked(entry: PrecacheEntry, packed: ArrayBuffer | undefined): Promise<FetchedFile | undefined> {
		if (packed === undefined || components.unpack === undefined) return undefined;
		const bytes = await bodyOf(components.unpack(packed), entry.bytes);
		return bytes && (await matches(bytes, entry)) ? { bytes, from: undefined } : undefined;
	}

	return {
		async fetched(url, entry, onBytes) {
			// As of now: it may turn out to fail while this file is waited for.
			const shunned = serverFails;
			const spared = shunned ? await elsewhere(entry, onBytes) : undefined;
			if (spared) return spared;
			try {
				return await fromServer(url, entry, onBytes);
			} catch (error) {
				const other = shunned ? undefined : await elsewhere(entry, onBytes);
				if (other === undefined) throw error;
				serverFails = true;
				return other;
			}
		},
		renew() {
			serverFails = false;
		}
	};
}
