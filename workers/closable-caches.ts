/**
 * The worker's caches, until everything is deleted. A cache that is opened is made where it was not, so a worker that is still filling, or that answers
 * one more request, would bring back what was just deleted: after `close` nothing opens the real ones any more.
 */
type Caches = Pick<CacheStorage, 'open' | 'keys' | 'delete'>;

export interface ClosableCaches extends Caches {
	/** Resolves when no cache is being opened any more; from then on all are empty and keep nothing. */
	close(): Promise<void>;
}

/** Over the real caches of the origin. */
export function closableCaches(real: Caches): ClosableCaches {
	const opening = new Set<Promise<unknown>>();
	let closed = false;
	return {
		open(name) {
			if (closed) return Promise.resolve(NOTHING);
			const opened = real.open(name);
			opening.add(opened);
			const done = () => opening.delete(opened);
			opened.then(done, done);
			return opened;
		},
		keys: () => (closed ? Promise.resolve([]) : real.keys()),
		delete: (name) => (closed ? Promise.resolve(false) : real.delete(name)),
		async close() {
			closed = true;
			await Promise.allSettled(opening);
		}
	};
}

/** Holds nothing and keeps nothing. */
const NOTHING: Cache = {
	match: () => Promise.resolve(undefined),
	matchAll: () => Promise.resolve([]),
	add: () => Promise.resolve(),
	addAll: () => Promise.resolve(),
	put: () => Promise.resolve(),
	delete: () => Promise.resolve(false),
	keys: () => Promise.resolve([])
};
