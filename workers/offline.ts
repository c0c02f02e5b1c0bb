/**
 * Tomorrow no server answers, and the tab still opens: the service worker's whole behaviour, as one ordered table.
 *
 * The first row whose `matches` is true answers the request; a request that no row matches is left to the browser. Matching is
 * pure and looks only at the request; doing is left to the precache.
 */
import { precache, PrecacheMismatch, type Precache, type PrecacheEntry } from './precache.ts';

export type { PrecacheEntry } from './precache.ts';

/** The part of ServiceWorkerGlobalScope used here. TypeScript's own is in a library that clashes with the DOM's. */
export interface OfflineScope {
	readonly registration: { readonly scope: string };
	readonly caches: CacheStorage;
	readonly clients: { claim(): Promise<void> };
	readonly crypto: Crypto;
	fetch(input: string | Request, init?: RequestInit): Promise<Response>;
	skipWaiting(): Promise<void>;
	addEventListener(type: 'install' | 'activate', listener: (event: LifecycleEvent) => void): void;
	addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void;
	addEventListener(type: 'message', listener: (event: LifecycleEvent & MessageEvent<unknown>) => void): void;
}

interface LifecycleEvent {
	waitUntil(work: Promise<unknown>): void;
}

interface FetchEventLike extends LifecycleEvent {
	readonly request: Request;
	respondWith(response: Promise<Response>): void;
}

/** What the rows look at. */
interface Asked {
	readonly method: string;
	/** Whether the browser is opening a page, not loading a part of one. */
	readonly opensPage: boolean;
	/** Absolute address without query and fragment. */
	readonly address: string;
}

/** One row of the table. */
interface Handler {
	readonly name: string;
	matches(asked: Asked, scope: string, shell: Precache): boolean;
	answer(asked: Asked, request: Request, place: Place): Promise<Response>;
}

interface Place {
	readonly scope: string;
	readonly shell: Precache;
	readonly self: OfflineScope;
}

/** In the order they are tried. */
export const handlers: readonly Handler[] = [
	{
		name: 'directory: the newest list of relays, else the last one heard',
		matches: ({ address, opensPage }, scope) => address === `${scope}directory.json` && !opensPage,
		answer: async (asked, request, { self, scope }) => {
			// Kept apart from the shell's caches: it outlives an update.
			const cache = await self.caches.open(`fireweed-directory ${scope}`);
			try {
				const response = await self.fetch(request);
				if (response.ok) await cache.put(asked.address, response.clone()).catch(() => {});
				return response;
			} catch (offline) {
				const last = await cache.match(asked.address);
				if (last) return last;
				throw offline;
			}
		}
	},
	{
		name: 'page: the app itself, whatever the query says',
		matches: ({ address, opensPage }, scope) => opensPage && (address === scope || address === `${scope}index.html`),
		answer: async (_asked, request, { self, scope, shell }) => {
			try {
				return await shell.read(scope);
			} catch (error) {
				// Our copy is gone and the server has a newer page: show that one. It brings its own worker, and refusing would lock the person out.
				if (error instanceof PrecacheMismatch) return self.fetch(request);
				throw error;
			}
		}
	},
	{
		name: 'shell: a file of this build',
		matches: ({ address }, _scope, shell) => shell.has(address),
		answer: async (asked, _request, { shell }) => {
			try {
				return await shell.read(asked.address);
			} catch (error) {
				if (error instanceof PrecacheMismatch) return new Response(error.message, { status: 502 });
				throw error;
			}
		}
	}
];

/** The row that answers, or undefined when the request is not ours. */
export function handlerFor(asked: Asked, scope: string, shell: Precache): Handler | undefined {
	if (asked.method !== 'GET') return undefined;
	return handlers.find((handler) => handler.matches(asked, scope, shell));
}

/** Wires the worker: `install` takes the small files, the rest follows when a page asks, `activate` clears this scope's older builds. */
export function serveOffline(self: OfflineScope, entries: readonly PrecacheEntry[]): void {
	const { scope } = self.registration;
	const shell = precache(entries, scope, {
		caches: self.caches,
		fetch: (url, init) => self.fetch(url, init),
		digest: (bytes) => self.crypto.subtle.digest('SHA-256', bytes)
	});
	const place: Place = { scope, shell, self };

	self.addEventListener('install', (event) => {
		event.waitUntil(
			shell.fill('small').then(({ have, want }) => {
				// What came stays, so the browser's next try goes on from here.
				if (have < want) throw new Error(`the shell is not whole yet: ${have} of ${want} files`);
			})
		);
	});

	self.addEventListener('activate', (event) => {
		event.waitUntil(shell.clearOlder().then(() => self.clients.claim()));
	});

	self.addEventListener('fetch', (event) => {
		const asked = askedBy(event.request);
		const handler = handlerFor(asked, scope, shell);
		if (handler) event.respondWith(handler.answer(asked, event.request, place));
	});

	self.addEventListener('message', (event) => {
		const ask = (event.data as { fireweed?: unknown } | null)?.fireweed;
		if (ask === 'activate') event.waitUntil(self.skipWaiting());
		if (ask === 'complete') event.waitUntil(shell.fill('all').then((holding) => event.ports[0]?.postMessage(holding)));
	});
}

function askedBy(request: Request): Asked {
	const url = new URL(request.url);
	return { method: request.method, opensPage: request.mode === 'navigate', address: url.origin + url.pathname };
}
