/** What is kept of a WebLLM model, for the page: how much, and how to be rid of it. What lies there is verified when it is loaded, not here. */
import { webllmShelf } from '#workers/messages.ts';

export interface WebllmKept {
	readonly files: number;
	readonly bytes: number;
	/** Of all its files, as its list of tensors says; undefined while that list is not here. */
	readonly total: number | undefined;
	/** Every file that the list names is here. */
	readonly whole: boolean;
}

/** A list of tensors longer than this is none; the longest of the package's models has a tenth of it. */
const MOST_LIST_BYTES = 16 * 2 ** 20;
/** Files beside the shards: configuration, list of tensors, tokenizer, library. */
const OTHER_FILES = 4;

/** What is kept of every model of which anything is, by its id. Empty where nothing can be kept. Never rejects. */
export async function keptWebllmModels(caches: CacheStorage | undefined): Promise<ReadonlyMap<string, WebllmKept>> {
	const beginning = webllmShelf('');
	const names = await caches?.keys().catch(() => [] as string[]);
	const ids = (names ?? []).filter((name) => name.startsWith(beginning)).map((name) => name.slice(beginning.length));
	const found = await Promise.all(
		ids.map(async (id) => {
			const kept = await webllmKept(caches as CacheStorage, id).catch(() => undefined);
			return kept === undefined ? [] : [[id, kept] as const];
		})
	);
	return new Map(found.flat());
}

/** Files and bytes kept of a model; pieces of an unfinished download count as bytes, not as files. */
export async function webllmKept(caches: CacheStorage, id: string): Promise<WebllmKept> {
	if (!(await caches.has(webllmShelf(id)))) return { files: 0, bytes: 0, total: undefined, whole: false };
	const cache = await caches.open(webllmShelf(id));
	const keys = await cache.keys();
	const sizes = await Promise.all(
		keys.map(async (key) => Number((await cache.match(key))?.headers.get('content-length') ?? 0))
	);
	const files = keys.filter(({ url }) => new URL(url).pathname.startsWith('/file/')).length;
	const bytes = sizes.reduce((sum, size) => sum + size, 0);
	const list = keys.findIndex(({ url }) => url.endsWith('/file/tensor-cache.json'));
	const shards = (sizes[list] ?? MOST_LIST_BYTES) < MOST_LIST_BYTES ? await shardsIn(cache, keys[list]) : undefined;
	if (shards === undefined) return { files, bytes, total: undefined, whole: false };
	// The small files are a fraction of a percent; what is whole is as large as it is.
	const whole = files >= shards.count + OTHER_FILES;
	return { files, bytes, total: whole ? bytes : Math.max(bytes, shards.bytes), whole };
}

/** Shards that the kept list names. It is a stranger's: anything but a list of sizes is no list. */
async function shardsIn(cache: Cache, key: Request | undefined): Promise<{ count: number; bytes: number } | undefined> {
	if (key === undefined) return undefined;
	try {
		const { records } = (await (await cache.match(key))?.json()) as { readonly records?: unknown };
		if (!Array.isArray(records)) return undefined;
		const sizes = records.map((record: { readonly nbytes?: unknown } | null) => Number(record?.nbytes));
		if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) return undefined;
		return { count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
	} catch {
		return undefined;
	}
}

/**
 * Deletes what is kept of a model. What was written down at first use stays, so that deleting does not make its server trusted anew. Resolves to
 * whether there was anything.
 */
export function forgetWebllm(caches: CacheStorage, id: string): Promise<boolean> {
	return caches.delete(webllmShelf(id));
}
