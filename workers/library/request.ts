/** Requests to servers that a person named: nothing of this person goes along, and one that falls silent is given up. */
import { Refusal } from '#lib/protocol/errors.ts';

/** The connection broke, or fell silent, or the server is overloaded: trying again may help. */
export class Broken extends Error {}

export interface World {
	readonly fetch: (address: string, init: RequestInit) => Promise<Response>;
	/** Rejects with Refusal `aborted`. */
	readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
	/** Milliseconds without a byte after which a connection counts as broken. */
	readonly stallMs: number;
	/** Lets the event loop turn once. */
	readonly breathe: () => Promise<void>;
}

/** What is asked for: a whole file, or its bytes from `from` to its end or to `to`, both inside. */
export interface Asking {
	readonly method: 'GET' | 'HEAD';
	readonly from?: number;
	readonly to?: number;
}

/** An answer under way. */
export interface Answer {
	readonly response: Response;
	/** The next bytes; undefined at the end. Rejects with Broken, or Refusal `aborted`. */
	next(): Promise<Uint8Array | undefined>;
	/** Ends it; more bytes will not come. Call always. */
	end(): void;
}

/** Statuses of a server that may recover. */
const MAY_RECOVER = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Asks. `from`, where given, asks for the bytes from there on, and by it for bytes that were not compressed, so that lengths are those of the
 * file. Never through the HTTP cache: it would keep a second copy of every model, and a damaged one would come again.
 * Rejects with Broken, or Refusal `aborted`.
 */
export async function ask(world: World, address: string, init: Asking, signal: AbortSignal): Promise<Answer> {
	if (signal.aborted) throw new Refusal('aborted');
	const silence = new AbortController();
	let timer: ReturnType<typeof setTimeout> | undefined;
	const watch = () => {
		clearTimeout(timer);
		timer = setTimeout(() => silence.abort(), world.stallMs);
	};
	const failure = () =>
		signal.aborted ? new Refusal('aborted') : new Broken(silence.signal.aborted ? 'silent' : 'not reachable');
	watch();
	const response = await world
		.fetch(address, {
			method: init.method,
			headers: init.from === undefined ? {} : { range: `bytes=${init.from}-${init.to ?? ''}` },
			mode: 'cors',
			credentials: 'omit',
			referrerPolicy: 'no-referrer',
			cache: 'no-store',
			redirect: 'follow',
			signal: AbortSignal.any([signal, silence.signal])
		})
		.catch(() => {
			clearTimeout(timer);
			throw failure();
		});
	const reader = response.body?.getReader();
	const end = () => {
		clearTimeout(timer);
		// Rejects when the connection is broken already.
		reader?.cancel().catch(() => undefined);
	};
	if (MAY_RECOVER.has(response.status)) {
		end();
		throw new Broken(`status ${response.status}`);
	}
	return {
		response,
		async next() {
			watch();
			try {
				const chunk = await reader?.read();
				return chunk?.done === false ? chunk.value : undefined;
			} catch {
				throw failure();
			} finally {
				clearTimeout(timer);
			}
		},
		end
	};
}

/** What tells two versions of a file apart, as far as a page may see it: cross-origin servers must expose an ETag, never a date. */
export function validatorOf({ headers }: Response): string | undefined {
	const told = headers.get('etag') ?? headers.get('last-modified');
	return told === null || told === '' || told.length > 512 || !told.isWellFormed() ? undefined : told;
}

/** Length of the whole file of an answer that begins at `from`; undefined where the server or the browser does not say. */
export function lengthOf({ headers, status }: Response, from: number): number | undefined {
	const whole = /^bytes \d+-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
	if (whole !== undefined) return Number(whole);
	// A length of compressed bytes says nothing of the file.
	if (headers.get('content-encoding') !== null) return undefined;
	const length = headers.get('content-length');
	if (length === null || !/^\d{1,15}$/.test(length)) return undefined;
	return status === 206 ? from + Number(length) : Number(length);
}
