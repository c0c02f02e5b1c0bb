/**
 * The same files from somewhere else: what the app's own address does not give, or gives wrongly, is asked for by content address from the
 * gateways a person named. None is named, none is asked.
 */
import { CID } from 'multiformats/cid';
import type { Shelf } from './blocks.ts';
import { Fetcher } from './fetcher.ts';
import { gatewayOf, keptGateways } from './kept.ts';

/** Blocks of folders remembered while the worker lives: an app has about ten. */
const MAX_FOLDERS = 64;
/** Leaves of this size are kept until their file is whole; smaller ones are quickly asked for again. The profile cuts files at this. */
const WORTH_KEEPING = 1024 * 1024;
const DAG_PB = 0x70;

/** What is needed of the worker's world. */
export interface ElsewhereComponents {
	/** Absolute, ends with a slash. */
	readonly scope: string;
	readonly caches: Pick<CacheStorage, 'open' | 'delete'>;
	readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
	/** ms without a byte after which a gateway is passed over. */
	readonly patienceMs?: number | undefined;
}

export interface Elsewhere {
	/**
	 * The file at `path` below a root (its content address, as text), or undefined when no gateway is named, none has it, all lie, or it is longer than
	 * `max`. Never a wrong byte. `onBytes`: bytes so far.
	 */
	file(
		root: string,
		path: string,
		max: number,
		onBytes?: (have: number) => void
	): Promise<Uint8Array<ArrayBuffer> | undefined>;
	/** Drops the parts of files that are whole by now. */
	tidy(): Promise<void>;
}

export function openElsewhere({ scope, caches, fetch, patienceMs }: ElsewhereComponents): Elsewhere {
	const cache = `fireweed-blocks ${scope}`;
	const keyOf = (cid: string) => `${scope}release/block/${cid}`;
	const folders = new Map<string, Uint8Array>();
	const shelf: Shelf = {
		async get(cid) {
			const folder = folders.get(cid);
			if (folder) return folder;
			const kept = await (await caches.open(cache)).match(keyOf(cid));
			return kept && new Uint8Array(await kept.arrayBuffer());
		},
		async put(cid, block) {
			if (CID.parse(cid).code === DAG_PB) {
				if (folders.size < MAX_FOLDERS) folders.set(cid, block);
			} else if (block.length >= WORTH_KEEPING) {
				await (await caches.open(cache)).put(keyOf(cid), new Response(block as Uint8Array<ArrayBuffer>));
			}
		}
	};
	let opened: { readonly list: string; readonly fetcher: Fetcher } | undefined;

	/** One fetcher as long as the list stays, so that a liar is remembered; undefined when there is none to ask. */
	async function fetcher(): Promise<Fetcher | undefined> {
		const addresses = await keptGateways(caches, scope);
		if (addresses.length === 0) return undefined;
		const list = addresses.join('\n');
		if (opened?.list !== list) {
			const gateways = addresses.map((address) => gatewayOf(address));
			opened = {
				list,
				fetcher: new Fetcher({ gateways, fetch, shelf, ...(patienceMs === undefined ? {} : { patienceMs }) })
			};
		}
		return opened.fetcher;
	}

	return {
		async file(root, path, max, onBytes) {
			const from = await fetcher();
			if (from === undefined) return undefined;
			const ended = new AbortController();
			try {
				const pieces: Uint8Array[] = [];
				let length = 0;
				const cid = await from.find(root, path, ended.signal);
				for await (const piece of from.read(cid, { signal: ended.signal })) {
					length += piece.length;
					if (length > max) return undefined;
					pieces.push(piece);
					onBytes?.(length);
				}
				return joined(pieces, length);
			} catch {
				// Unreachable, lied about, broken: to whoever asks it is the same, and liars are remembered in the fetcher.
				return undefined;
			} finally {
				ended.abort();
			}
		},
		async tidy() {
			await caches.delete(cache);
		}
	};
}

/** The content address that a page's own address names, by path or by subdomain; undefined when it names none. */
export function addressedFolder(scope: string): string | undefined {
	const { hostname, pathname } = new URL(scope);
	const named = /^([a-z0-9]+)\.ipfs\./.exec(hostname)?.[1] ?? /^\/ipfs\/([A-Za-z0-9]+)\/$/.exec(pathname)?.[1];
	try {
		return named === undefined ? undefined : CID.parse(named).toString();
	} catch {
		return undefined;
	}
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
	const whole = new Uint8Array(length);
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.length;
	}
	return whole;
}
