/**
 * The shell on this device: every file of one release, each held under the SHA-256 that its signers vouch for.
 *
 * The cache is treated as storage that others can write: on a path gateway every CID's page shares it. So a copy is checked
 * when it is stored and again when it is read, and a copy that does not match is dropped and fetched anew. Workbox trusts
 * what it finds; that is why it is not used (docs/decisions/own-service-worker.md).
 */
import type { ReleaseFile } from '#lib/protocol/release-files.ts';
import {
	fileSource,
	PrecacheMismatch,
	type FileSourceComponents,
	type FromElsewhere,
	type OnBytes
} from './file-source.ts';

export { PrecacheMismatch };

/** One file of the release. `url` is relative to the worker's folder; `revision` is the SHA-256 of its bytes, base64url without padding. */
export interface PrecacheEntry {
	readonly url: string;
	readonly revision: string;
	readonly bytes: number;
	/** Size of the gzip twin beside it, where there is one. */
	readonly packed?: number | undefined;
}

/** The loader's own script: the browser keeps it, and pages ask the server for it to see whether it changed. */
const LOADER = 'service-worker.js';

/** The entries of a release: everything but the loader itself. The page goes by the folder's name. */
export function entriesOf(files: readonly ReleaseFile[]): PrecacheEntry[] {
	return files
		.filter(({ path }) => path !== LOADER)
		.map(({ path, sha256, bytes, packed }) => ({
			url: path === 'index.html' ? './' : `./${path}`,
			revision: base64url(sha256),
			bytes,
			packed
		}));
}

/** How much of the shell is held. It is whole when `have` equals `want`. */
export interface Holding {
	readonly have: number;
	readonly want: number;
	/** Files that the server has no more or with other bytes than were signed. */
	readonly wrong: number;
}

/** What the shell needs from the worker's world; handed in so that it can be tested without a browser. */
export interface PrecacheComponents extends FileSourceComponents {
	readonly caches: Pick<CacheStorage, 'open' | 'keys' | 'delete'>;
	readonly digest: (bytes: ArrayBuffer) => Promise<ArrayBuffer>;
}

/** Bytes of this filling that are here, and all. */
export type OnFill = (have: number, want: number) => void;

const PREFIX = 'fireweed-shell';

/** Enough to fill a connection, few enough that a phone keeps answering. */
const PARALLEL_FETCHES = 4;

/** Files above this are fetched after the first start: the page must not wait for the engine, and a lost connection costs little. */
const LATER_ABOVE_BYTES = 1024 * 1024;

/**
 * Files that only some visitors ever need: the GPU engine's 6 MB are nothing for a phone without WebGPU, and nobody reads eight languages.
 * Each is kept once it was used, and its successor then belongs to every later build too. The first group names what they have in common.
 */
export const ON_DEMAND = /\/(webllm|language-[a-z]+)-[\w-]+\.js$/;

/** What a file is for that only some need, whatever the build; undefined for what everybody needs. */
const needOf = (url: string): string | undefined => ON_DEMAND.exec(url)?.[1];

/** Holds one build's files for one scope. */
export interface Precache {
	/** Name of the cache it is held in. */
	readonly cache: string;
	/** True when `url` (absolute, without query) is a file of this build. */
	has(url: string): boolean;
	/** The file, checked; from the cache, else from the network. Rejects when offline, or with PrecacheMismatch. */
	read(url: string): Promise<Response>;
	/** Fetches what is missing: the small files (`install`) or all of them. Files that fail do not stop the others. */
	fill(which: 'small' | 'all', onFill?: OnFill): Promise<Holding>;
}

/** Deletes the caches of this scope that none of `kept` uses, and of no other scope. */
export async function clearExcept(
	kept: readonly Precache[],
	scope: string,
	caches: PrecacheComponents['caches']
): Promise<void> {
	const names = (await caches.keys()).filter((name) => name.startsWith(`${PREFIX} ${scope} `));
	const left = names.filter((name) => !kept.some(({ cache }) => cache === name));
	await Promise.all(left.map((name) => caches.delete(name)));
}

/** Opens the shell of `entries` for the worker whose scope is `scope` (absolute, ends with a slash). */
export function precache(
	entries: readonly PrecacheEntry[],
	scope: string,
	components: PrecacheComponents,
	fromElsewhere: FromElsewhere = () => Promise.resolve(undefined)
): Precache {
	const wanted = new Map(entries.map((entry) => [new URL(entry.url, scope).href, entry]));
	// The space ends the scope: http://host/ must not match http://host/ipfs/<cid>/.
	const mine = `${PREFIX} ${scope} `;
	const name = mine + fingerprint(entries);
	const underWay = new Map<string, Promise<Response>>();

	async function matches(bytes: ArrayBuffer, entry: PrecacheEntry): Promise<boolean> {
		return base64url(await components.digest(bytes)) === entry.revision;
	}

	/** A held copy that matches, from this build's cache or an earlier one's, else undefined. Drops copies that do not match. */
	async function held(url: string, entry: PrecacheEntry): Promise<Response | undefined> {
		const names = (await components.caches.keys()).filter((each) => each.startsWith(mine));
		names.sort((a) => (a === name ? -1 : 1));
		for (const each of names) {
			const cache = await components.caches.open(each);
			const copy = await cache.match(url);
			if (!copy) continue;
			const bytes = await copy.arrayBuffer();
			if (await matches(bytes, entry)) {
				const response = rebuilt(bytes, url, copy);
				if (each !== name) await keep(url, response.clone());
				return response;
			}
			if (each === name) await cache.delete(url);
		}
		return undefined;
	}

	async function keep(url: string, response: Response): Promise<void> {
		try {
			await (await components.caches.open(name)).put(url, response);
		} catch {
			// The disk is full or the browser keeps nothing here. The file in hand is still good; `fill` reports it as missing.
		}
	}

	const files = fileSource(components, matches, fromElsewhere);

	async function fetched(url: string, entry: PrecacheEntry, onBytes: OnBytes): Promise<Response> {
		const { bytes, from } = await files.fetched(url, entry, onBytes);
		const good = rebuilt(bytes, url, from);
		await keep(url, good.clone());
		return good;
	}

	/** One fetch for a file that the page and `fill` want at the same time: the engine is 14 MB. */
	function once(url: string, entry: PrecacheEntry, onBytes: OnBytes = () => {}): Promise<Response> {
		const running = underWay.get(url);
		if (running) return running.then((response) => response.clone());
		const started = fetched(url, entry, onBytes).finally(() => underWay.delete(url));
		underWay.set(url, started);
		return started.then((response) => response.clone());
	}

	/** What of the things that only some need was ever used here. */
	async function used(): Promise<ReadonlySet<string | undefined>> {
		const names = (await components.caches.keys()).filter((each) => each.startsWith(mine));
		const opened = await Promise.all(names.map((each) => components.caches.open(each)));
		const keys = await Promise.all(opened.map((cache) => cache.keys()));
		return new Set(keys.flat().map((request) => needOf(request.url)));
	}

	/** What `fill` brings. */
	async function asked(which: 'small' | 'all'): Promise<(readonly [string, PrecacheEntry])[]> {
		const needs = await used();
		return [...wanted].filter(([url, entry]) => {
			const need = needOf(url);
			if (need !== undefined && !needs.has(need)) return false;
			return which === 'all' || entry.bytes <= LATER_ABOVE_BYTES;
		});
	}

	return {
		cache: name,
		has: (url) => wanted.has(url),

		async read(url) {
			const entry = wanted.get(url);
			if (!entry) throw new TypeError(`${url} is not part of this build`);
			return (await held(url, entry)) ?? (await once(url, entry));
		},

		async fill(which, onFill) {
			const all = await asked(which);
			files.renew();
			const queue = [...all];
			const failures: unknown[] = [];
			const want = all.reduce((sum, [, { bytes }]) => sum + bytes, 0);
			const here = new Map<string, number>();
			const put = (url: string, bytes: number) => {
				here.set(url, bytes);
				onFill?.(
					[...here.values()].reduce((sum, each) => sum + each, 0),
					want
				);
			};
			async function drain() {
				for (let next = queue.shift(); next; next = queue.shift()) {
					const [url, entry] = next;
					try {
						if (!(await held(url, entry))) await once(url, entry, (have) => put(url, have));
						put(url, entry.bytes);
					} catch (error) {
						put(url, 0);
						failures.push(error);
					}
				}
			}
			await Promise.all(Array.from({ length: PARALLEL_FETCHES }, drain));
			const cache = await components.caches.open(name);
			const kept = new Set((await cache.keys()).map((request) => request.url));
			const wrong = failures.filter((failure) => failure instanceof PrecacheMismatch).length;
			return { have: all.filter(([url]) => kept.has(url)).length, want: all.length, wrong };
		}
	};
}

/** Short name of a list of files: two builds with the same files share a cache, any difference gives another. */
function fingerprint(entries: readonly PrecacheEntry[]): string {
	// FNV-1a, 32 bits. It only keeps caches apart; what is in them is checked by SHA-256.
	let hash = 0x811c9dc5;
	for (const character of entries.map((entry) => `${entry.url} ${entry.revision}`).join('\n')) {
		hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
	}
	return hash.toString(16).padStart(8, '0');
}

/** A plain answer of `bytes`: a redirected response may not answer a navigation, and a gateway's other headers are not ours to keep. */
function rebuilt(bytes: ArrayBuffer, url: string, from: Response | undefined): Response {
	const known = url.endsWith('/') ? 'text/html; charset=utf-8' : TYPES[/\.\w+$/.exec(url)?.[0] ?? ''];
	const type = from?.headers.get('content-type') ?? known ?? 'application/octet-stream';
	return new Response(bytes, { headers: { 'content-type': type } });
}

/** What a file is that came as a packed twin or in blocks, which say nothing of it. */
const TYPES: Readonly<Record<string, string>> = {
	'.css': 'text/css',
	'.js': 'text/javascript',
	'.json': 'application/json',
	'.png': 'image/png',
	'.svg': 'image/svg+xml',
	'.wasm': 'application/wasm',
	'.webmanifest': 'application/manifest+json',
	'.woff2': 'font/woff2'
};

function base64url(bytes: ArrayBuffer | Uint8Array): string {
	return btoa(String.fromCharCode(...new Uint8Array(bytes)))
		.replaceAll('+', '-')
		.replaceAll('/', '_')
		.replaceAll('=', '');
}
