/**
 * Closes the worker's doors to the network and to Cache Storage, and leaves one of ours: WebLLM then reads verified files and nothing else.
 *
 * Refused: to fill WebLLM's own caches before its reload(). On a shared origin another page can rewrite them between our check and its read,
 * and on any miss it would fetch by itself. Here the read that feeds it is the read that is hashed (Files.take).
 */
import { Refusal } from '#lib/protocol/errors.ts';

/** Names of the global scope that are replaced. */
export type Scope = Pick<typeof globalThis, 'caches' | 'fetch'>;

export interface Doors {
	/** The first refusal inside a read; the package may have wrapped or swallowed it. */
	readonly failure: Refusal | undefined;
}

/**
 * Replaces `caches` and `fetch` for good. `addresses` are all that may be read; `take` gives their verified bytes.
 * WebLLM 0.2.86 asks a cache for `match`, `add` and `keys`, and a response for `arrayBuffer` and `json`, no more.
 */
export function closeDoors(
	scope: Scope,
	addresses: ReadonlySet<string>,
	take: (address: string) => Promise<Uint8Array<ArrayBuffer>>
): Doors {
	const state: { failure: Refusal | undefined } = { failure: undefined };
	const failed = (error: unknown): never => {
		state.failure ??= error instanceof Refusal ? error : new Refusal('engine-load-failed', 'a file could not be read');
		throw state.failure;
	};
	const refuse = async () => failed(new Refusal('engine-load-failed', 'a request of its own'));
	const read = async (address: string) => {
		const bytes = await take(address).catch(failed);
		// A buffer of its own: the package takes it over.
		return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
	};
	// Lazy, because the package asks `match` twice for each file and reads the second answer only.
	const answer = (address: string) => ({
		ok: true,
		arrayBuffer: () => read(address),
		json: async (): Promise<unknown> => JSON.parse(new TextDecoder().decode(await read(address)))
	});
	const cache = {
		match: async (request: RequestInfo) => {
			const address = typeof request === 'string' ? request : request.url;
			return addresses.has(address) ? answer(address) : undefined;
		},
		keys: async () => [...addresses].map((url) => ({ url })),
		add: refuse,
		addAll: refuse,
		put: refuse,
		matchAll: refuse,
		delete: async () => false
	};
	const caches = {
		open: async () => cache,
		has: async () => true,
		match: cache.match,
		keys: async () => [],
		delete: async () => false
	};
	Object.defineProperty(scope, 'caches', { value: caches, configurable: true });
	Object.defineProperty(scope, 'fetch', { value: refuse, configurable: true, writable: true });
	return state;
}
