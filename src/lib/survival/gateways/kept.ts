/**
 * The gateways a person named, kept where both the page and the loader read: a loader that cannot even install yet has no other way to hear of
 * them. On a shared origin others can write here; what they win is that we ask them for blocks, each of which is checked.
 */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Gateway } from './blocks.ts';

/** More would be asked by nobody, and each is told what is fetched. */
export const MAX_GATEWAYS = 8;
/** Letters of one address. */
export const MAX_GATEWAY_ADDRESS = 200;
/** Bytes of the list as it is kept. */
const MAX_LIST = 8 * 1024;

type Caches = Pick<CacheStorage, 'open'>;

/**
 * The gateway a person means: `https://gateway.example`, or with `*.` before its host when blocks are asked for by subdomain. Refusal
 * `malformed` for anything else, also for plain http to another machine where `secure` says that the page itself came safely: a browser would not
 * fetch it.
 */
export function gatewayOf(text: string, secure = false): Gateway {
	const trimmed = text.trim();
	const bySubdomain = trimmed.includes('://*.');
	const base = bySubdomain ? trimmed.replace('://*.', '://') : trimmed;
	if (trimmed.length > MAX_GATEWAY_ADDRESS || !URL.canParse(base))
		throw new Refusal('malformed', 'address of a gateway');
	const url = new URL(base);
	const plain = url.protocol === 'http:' && (!secure || isLoopback(url.hostname));
	if (url.protocol !== 'https:' && !plain) throw new Refusal('malformed', 'address of a gateway');
	if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
		throw new Refusal('malformed', 'address of a gateway');
	return { kind: bySubdomain ? 'subdomain' : 'path', base: url.origin + url.pathname.replace(/\/+$/, '') };
}

/** The kept addresses of the app at `scope`, as they were typed; what is no gateway's address is left out. */
export async function keptGateways(caches: Caches, scope: string): Promise<readonly string[]> {
	try {
		const kept = await (await caches.open(cacheName(scope))).match(keyOf(scope));
		const text = (await kept?.text()) ?? '[]';
		const list: unknown = text.length > MAX_LIST ? [] : JSON.parse(text);
		return Array.isArray(list) ? list.filter(isAddress).slice(0, MAX_GATEWAYS) : [];
	} catch {
		return [];
	}
}

/** Keeps this list in place of the one before. Refusal `malformed` when one is no address, or when there are too many. */
export async function keepGateways(caches: Caches, scope: string, list: readonly string[]): Promise<void> {
	if (list.length > MAX_GATEWAYS) throw new Refusal('malformed', 'too many gateways');
	for (const address of list) gatewayOf(address);
	await (await caches.open(cacheName(scope))).put(keyOf(scope), new Response(JSON.stringify(list)));
}

function isAddress(value: unknown): value is string {
	try {
		return typeof value === 'string' && gatewayOf(value) !== undefined;
	} catch {
		return false;
	}
}

function isLoopback(hostname: string): boolean {
	return hostname === 'localhost' || hostname.endsWith('.localhost') || /^127\.|^\[::1\]$/.test(hostname);
}

const cacheName = (scope: string) => `fireweed-gateways ${scope}`;
const keyOf = (scope: string) => `${scope}release/gateways`;
