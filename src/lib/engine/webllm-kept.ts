/** What is kept of a WebLLM model, for the page: how much, and how to be rid of it. What lies there is verified when it is loaded, not here. */
import { webllmShelf } from '#workers/messages.ts';

export interface WebllmKept {
	readonly files: number;
	readonly bytes: number;
}

/** Files and bytes kept of a model; pieces of an unfinished download count as bytes, not as files. */
export async function webllmKept(caches: CacheStorage, id: string): Promise<WebllmKept> {
	if (!(await caches.has(webllmShelf(id)))) return { files: 0, bytes: 0 };
	const cache = await caches.open(webllmShelf(id));
	const keys = await cache.keys();
	const sizes = await Promise.all(
		keys.map(async (key) => Number((await cache.match(key))?.headers.get('content-length') ?? 0))
	);
	return {
		files: keys.filter(({ url }) => new URL(url).pathname.startsWith('/file/')).length,
		bytes: sizes.reduce((sum, bytes) => sum + bytes, 0)
	};
}

/**
 * Deletes what is kept of a model. What was written down at first use stays, so that deleting does not make its server trusted anew. Resolves to
 * whether there was anything.
 */
export function forgetWebllm(caches: CacheStorage, id: string): Promise<boolean> {
	return caches.delete(webllmShelf(id));
}
