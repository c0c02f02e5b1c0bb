/**
 * The shell on this device: every file of one release, each held under the SHA-256 that its signers vouch for.
 *
 * The cache is treated as storage that others can write: on a path gateway every CID's page shares it. So a copy is checked
 * when it is stored and again when it is read, and a copy that does not match is dropped and fetched anew. Workbox trusts
 * what it finds; that is why it is not used (docs/decisions/own-service-worker.md).
 */
import type { ReleaseFile } from '#lib/protocol/release-files.ts';
import { bodyOf } from './body.ts';

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
export interface PrecacheComponents {
	readonly caches: Pick<CacheStorage, 'open' | 'keys' | 'delete'>;
	readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
	readonly digest: (bytes: ArrayBuffer) => Promise<ArrayBuffer>;
	/** Gunzips; undefined where the browser cannot. */
	readonly unpack?: ((packed: ArrayBuffer) => Response) | undefined;
}

/** The server has this file no more, or with other bytes than were signed. Nothing of it is kept. */
export class PrecacheMismatch extends Error {
	readonly code = 'precache-mismatch';
	constructor(url: string) {
		super(`${url} is not the file that was signed`);
	}
}

const PREFIX = 'fireweed-shell';

/** Enough to fill a connection, few enough that a phone keeps answering. */
const PARALLEL_FETCHES = 4;

/** Files above this are fetched after the first start: the page must not wait for the engine, and a lost connection costs little. */
const LATER_ABOVE_BYTES = 1024 * 1024;

/**
 * Files that only some visitors ever need: the GPU engine's 6 MB are nothing for a phone without WebGPU. They are kept once they were used,
 * and from then on by every later build too.
 */
export const ON_DEMAND = /\/webllm-[\w-]+\.js$/;

/** SvelteKit's folder for files whose names carry a hash of their content. */
const NAMED_BY_CONTENT = '/_app/immutable/';

/** Holds one build's files for one scope. */
export interface Precache {
	/** Name of the cache it is held in. */
	readonly cache: string;
	/** True when `url` (absolute, without query) is a file of this build. */
	has(url: string): boolean;
	/** The file, checked; from the cache, else from the network. Rejects when offline, or with PrecacheMismatch. */
	read(url: string): Promise<Response>;
	/** Fetches what is missing: the small files (`install`) or all of them. Files that fail do not stop the others. */
	fill(which: 'small' | 'all'): Promise<Holding>;
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
export function precache(entries: readonly PrecacheEntry[], scope: string, components: PrecacheComponents): Precache {
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

	/** Whether this server packs what it sends; unknown until it sent something worth packing. */
	let serverPacks: boolean | undefined;

	async function fetched(url: string, entry: PrecacheEntry): Promise<Response> {
		const unpacked = serverPacks === true ? undefined : await fromTwin(url, entry);
		if (unpacked) return unpacked;
		// A name with a hash in it never changes its content, so what the page has just loaded is taken as it is. Second try past the
		// HTTP cache: a damaged answer marked immutable would otherwise stay there for a year.
		const first = url.includes(NAMED_BY_CONTENT) ? 'default' : 'no-cache';
		for (const cache of [first, 'reload'] as const) {
			const response = await components.fetch(url, { cache, credentials: 'same-origin' });
			if (response.status >= 400 && response.status < 500) throw new PrecacheMismatch(url);
			if (!response.ok) throw new TypeError(`${url}: status ${response.status}`);
			if (entry.packed !== undefined) serverPacks = response.headers.has('content-encoding');
			const bytes = await bodyOf(response, entry.bytes);
			if (bytes && (await matches(bytes, entry))) return kept(url, bytes, response);
		}
		throw new PrecacheMismatch(url);
	}

	/** The file out of its gzip twin, or undefined when there is none or it is not what was signed. */
	async function fromTwin(url: string, entry: PrecacheEntry): Promise<Response | undefined> {
		if (entry.packed === undefined || components.unpack === undefined) return undefined;
		try {
			const response = await components.fetch(`${url}.gz`, { cache: 'no-cache', credentials: 'same-origin' });
			const packed = response.ok ? await bodyOf(response, entry.packed) : undefined;
			const bytes = packed && (await bodyOf(components.unpack(packed), entry.bytes));
			if (!bytes || !(await matches(bytes, entry))) return undefined;
			return await kept(url, bytes, undefined);
		} catch {
			return undefined;
		}
	}

	async function kept(url: string, bytes: ArrayBuffer, from: Response | undefined): Promise<Response> {
		const good = rebuilt(bytes, url, from);
		await keep(url, good.clone());
		return good;
	}

	/** One fetch for a file that the page and `fill` want at the same time: the engine is 14 MB. */
	function once(url: string, entry: PrecacheEntry): Promise<Response> {
		const running = underWay.get(url);
		if (running) return running.then((response) => response.clone());
		const started = fetched(url, entry).finally(() => underWay.delete(url));
		underWay.set(url, started);
		return started.then((response) => response.clone());
	}

	/** Whether a file that only some need was ever used here. */
	async function used(): Promise<boolean> {
		const names = (await components.caches.keys()).filter((each) => each.startsWith(mine));
		const opened = await Promise.all(names.map((each) => components.caches.open(each)));
		const keys = await Promise.all(opened.map((cache) => cache.keys()));
		return keys.flat().some((request) => ON_DEMAND.test(request.url));
	}

	/** What `fill` brings. */
	async function asked(which: 'small' | 'all'): Promise<(readonly [string, PrecacheEntry])[]> {
		if (which === 'small') return [...wanted].filter(([, entry]) => entry.bytes <= LATER_ABOVE_BYTES);
		const needed = await used();
		return [...wanted].filter(([url]) => needed || !ON_DEMAND.test(url));
	}

	return {
		cache: name,
		has: (url) => wanted.has(url),

		async read(url) {
			const entry = wanted.get(url);
			if (!entry) throw new TypeError(`${url} is not part of this build`);
			return (await held(url, entry)) ?? (await once(url, entry));
		},

		async fill(which) {
			const all = await asked(which);
			const queue = [...all];
			const failures: unknown[] = [];
			async function drain() {
				for (let next = queue.shift(); next; next = queue.shift()) {
					const [url, entry] = next;
					try {
						if (!(await held(url, entry))) await once(url, entry);
					} catch (error) {
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
	const type = from?.headers.get('content-type') ?? TYPES[/\.\w+$/.exec(url)?.[0] ?? ''] ?? 'application/octet-stream';
	return new Response(bytes, { headers: { 'content-type': type } });
}

/** What a twin is once it is unpacked; its own type says that it is packed. */
const TYPES: Readonly<Record<string, string>> = {
	'.wasm': 'application/wasm',
	'.js': 'text/javascript',
	'.json': 'application/json'
};

function base64url(bytes: ArrayBuffer | Uint8Array): string {
	return btoa(String.fromCharCode(...new Uint8Array(bytes)))
		.replaceAll('+', '-')
		.replaceAll('/', '_')
		.replaceAll('=', '');
}
