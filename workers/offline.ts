/**
 * Tomorrow no server answers, and the tab still opens: the service worker's whole behaviour, as one ordered table.
 *
 * The first row whose `matches` is true answers the request; a request that no row matches is left to the browser. Matching is
 * pure and looks only at the request; doing is left to the loader.
 */
import { Refusal } from '#lib/protocol/refusal.ts';
import { verifySignature } from '#lib/protocol/signature.ts';
import { closableCaches, type ClosableCaches } from './closable-caches.ts';
import { openLoader, type Loader } from './loader.ts';
import type { OnFill } from './precache.ts';
import type { ReleaseWord } from '#lib/survival/release.ts';

/** The part of ServiceWorkerGlobalScope used here. TypeScript's own is in a library that clashes with the DOM's. */
export interface OfflineScope {
	readonly registration: { readonly scope: string };
	readonly caches: CacheStorage;
	readonly clients: {
		claim(): Promise<void>;
		matchAll(options: { includeUncontrolled: true }): Promise<readonly { postMessage(message: unknown): void }[]>;
	};
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
	matches(asked: Asked, scope: string): boolean;
	answer(asked: Asked, request: Request, here: Here): Promise<Response>;
}

interface Here {
	readonly scope: string;
	readonly loader: Loader;
	readonly caches: ClosableCaches;
	readonly self: OfflineScope;
}

/** In the order they are tried. */
export const handlers: readonly Handler[] = [
	{
		name: 'directory: the newest list of relays, else the last one heard',
		matches: ({ address, opensPage }, scope) => address === `${scope}directory.json` && !opensPage,
		answer: async (asked, request, { self, scope, caches }) => {
			// Kept apart from the shell's caches: it outlives an update.
			const cache = await caches.open(`fireweed-directory ${scope}`);
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
		answer: (_asked, request, { loader }) => loader.page(request)
	},
	{
		name: 'shell: a file of a release',
		matches: ({ address, opensPage }, scope) =>
			!opensPage && address.startsWith(scope) && !NEVER_OURS.test(address.slice(scope.length)),
		answer: (asked, request, { loader }) => loader.file(request, asked.address)
	}
];

/** What pages compare us with: the loader's script and the signed documents as the server has them, and never as we would have them. */
const NEVER_OURS = /^(?:service-worker\.js$|release\/)/;

/** The row that answers, or undefined when the request is not ours. */
export function handlerFor(asked: Asked, scope: string): Handler | undefined {
	if (asked.method !== 'GET') return undefined;
	return handlers.find((handler) => handler.matches(asked, scope));
}

/** Wires the worker. `root` is the encoded first keys of the line. */
export function serveOffline(self: OfflineScope, root: Uint8Array): void {
	const { scope } = self.registration;
	const caches = closableCaches(self.caches);
	const loader = openLoader({
		scope,
		root,
		now: Date.now,
		caches,
		fetch: (url, init) => self.fetch(url, init),
		digest: (bytes) => self.crypto.subtle.digest('SHA-256', bytes),
		unpack: 'DecompressionStream' in globalThis ? gunzip : undefined,
		crypto: { verify: async (key, text, signature) => verifySignature(key, text, signature) },
		tell: everyHundredth((have, want) => void tellPages({ fireweed: 'progress', have, want }))
	});
	const here: Here = { scope, loader, caches, self };

	async function tellPages(message: object): Promise<void> {
		for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage(message);
	}

	self.addEventListener('install', (event) => {
		event.waitUntil(
			loader.install().catch(async (error: unknown) => {
				// A page sees only that it failed; why, it hears from us.
				await tellPages({ fireweed: 'refused', code: error instanceof Refusal ? error.code : 'internal' });
				throw error;
			})
		);
	});

	self.addEventListener('activate', (event) => {
		event.waitUntil(loader.tidy().then(() => self.clients.claim()));
	});

	self.addEventListener('fetch', (event) => {
		const asked = askedBy(event.request);
		const handler = handlerFor(asked, scope);
		if (handler) event.respondWith(handler.answer(asked, event.request, here));
	});

	self.addEventListener('message', (event) => {
		const question = questionIn(event.data);
		if (question === undefined) return;
		const answer = answerTo(question, here);
		event.waitUntil(answer.then((value) => event.ports[0]?.postMessage(value ?? null)));
	});
}

/** What a page may ask. */
type Question =
	| { readonly ask: (typeof PLAIN)[number] }
	| { readonly ask: 'check'; readonly word: ReleaseWord | undefined }
	| { readonly ask: 'switch' | 'started'; readonly cid: string };

/** A page may be of another version, or of another folder of the same origin: anything else is not answered. */
function questionIn(data: unknown): Question | undefined {
	const { fireweed: asked, cid, word } = Object(data) as { fireweed?: unknown; cid?: unknown; word?: unknown };
	const plain = PLAIN.find((each) => each === asked);
	if (plain) return { ask: plain };
	if (asked === 'check') return { ask: asked, word: wordIn(word) };
	return (asked === 'switch' || asked === 'started') && typeof cid === 'string' ? { ask: asked, cid } : undefined;
}

const PLAIN = ['activate', 'complete', 'about', 'end'] as const;

function wordIn(value: unknown): ReleaseWord | undefined {
	const { manifest, keySet } = Object(value) as { manifest?: unknown; keySet?: unknown };
	if (!(manifest instanceof Uint8Array)) return undefined;
	return { manifest, keySet: keySet instanceof Uint8Array ? keySet : undefined };
}

/** Not every piece is worth a word: each hundredth of the way, and the end. */
function everyHundredth(tell: OnFill): OnFill {
	let last = -1;
	return (have, want) => {
		const step = want === 0 ? 100 : Math.floor((have / want) * 100);
		if (step === last) return;
		last = step;
		tell(have, want);
	};
}

function answerTo(question: Question, { loader, caches, self }: Here): Promise<unknown> {
	switch (question.ask) {
		case 'activate':
			return self.skipWaiting();
		case 'complete':
			return loader.complete();
		case 'end':
			// Everything is about to be deleted (survival/wipe.ts).
			return caches.close().then(() => true);
		case 'about':
			return loader.about();
		case 'check':
			return loader.check(question.word);
		case 'switch':
			return loader.switchTo(question.cid);
		case 'started':
			return loader.started(question.cid);
	}
}

function gunzip(packed: ArrayBuffer): Response {
	return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')));
}

function askedBy(request: Request): Asked {
	const url = new URL(request.url);
	return { method: request.method, opensPage: request.mode === 'navigate', address: url.origin + url.pathname };
}
