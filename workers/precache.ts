/**
 * The shell on this device: every file of one build, each held under the SHA-256 the build wrote down for it.
 *
 * The cache is treated as storage that others can write: on a path gateway every CID's page shares it. So a copy is checked
 * when it is stored and again when it is read, and a copy that does not match is dropped and fetched anew. Workbox trusts
 * what it finds; that is why it is not used (docs/decisions/own-service-worker.md).
 */

/** One file of the build. `url` is relative to the worker's folder; `revision` is the SHA-256 of its bytes, base64url without padding. */
export interface PrecacheEntry {
	readonly url: string;
	readonly revision: string;
	readonly bytes: number;
}

/** How much of the shell is held. It is whole when `have` equals `want`. */
export interface Holding {
	readonly have: number;
	readonly want: number;
}

/** What the shell needs from the worker's world; handed in so that it can be tested without a browser. */
export interface PrecacheComponents {
	readonly caches: Pick<CacheStorage, 'open' | 'keys' | 'delete'>;
	readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
	readonly digest: (bytes: ArrayBuffer) => Promise<ArrayBuffer>;
}

/** A fetched file came with other bytes than the build has. Nothing of it is kept. */
export class PrecacheMismatch extends Error {
	readonly code = 'precache-mismatch';
	constructor(url: string) {
		super(`${url} does not match the build this worker belongs to`);
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
	/** True when `url` (absolute, without query) is a file of this build. */
	has(url: string): boolean;
	/** The file, checked; from the cache, else from the network. Rejects when offline, or with PrecacheMismatch. */
	read(url: string): Promise<Response>;
	/** Fetches what is missing: the small files (`install`) or all of them. Files that fail do not stop the others. */
	fill(which: 'small' | 'all'): Promise<Holding>;
	/** Deletes the caches of earlier builds of this scope, and of no other. */
	clearOlder(): Promise<void>;
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
				const response = rebuilt(bytes, copy);
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

	async function fetched(url: string, entry: PrecacheEntry): Promise<Response> {
		// A name with a hash in it never changes its content, so what the page has just loaded is taken as it is. Second try past the
		// HTTP cache: a damaged answer marked immutable would otherwise stay there for a year.
		const first = url.includes(NAMED_BY_CONTENT) ? 'default' : 'no-cache';
		for (const cache of [first, 'reload'] as const) {
			const response = await components.fetch(url, { cache, credentials: 'same-origin' });
			if (!response.ok) throw new TypeError(`${url}: status ${response.status}`);
			const bytes = await response.arrayBuffer();
			if (await matches(bytes, entry)) {
				const good = rebuilt(bytes, response);
				await keep(url, good.clone());
				return good;
			}
		}
		throw new PrecacheMismatch(url);
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
			return { have: all.filter(([url]) => kept.has(url)).length, want: all.length };
		},

		async clearOlder() {
			const names = await components.caches.keys();
			await Promise.all(
				names.filter((each) => each.startsWith(mine) && each !== name).map((each) => components.caches.delete(each))
			);
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
function rebuilt(bytes: ArrayBuffer, from: Response): Response {
	return new Response(bytes, {
		headers: { 'content-type': from.headers.get('content-type') ?? 'application/octet-stream' }
	});
}

function base64url(bytes: ArrayBuffer): string {
	return btoa(String.fromCharCode(...new Uint8Array(bytes)))
		.replaceAll('+', '-')
		.replaceAll('/', '_')
		.replaceAll('=', '');
}
