/** One attempt to get one file from one address: bounded, resumable, and never waiting for ever on a silent server. */

/** Why an attempt failed: `gone` nothing came, `cut` some of it came, `bad` something else came. */
export class Broken extends Error {
	readonly kind: 'gone' | 'cut' | 'bad';
	constructor(kind: Broken['kind'], why: string) {
		super(why);
		this.kind = kind;
	}
}

export interface Attempt {
	readonly address: string;
	/** What is here already: the download goes on after it where the server allows. */
	readonly have: readonly Uint8Array<ArrayBuffer>[];
	/** Exact length, when it is known. */
	readonly length: number | undefined;
	/** No more is read. */
	readonly most: number;
	readonly stallMs: number;
	/** Bytes of the file that are here, again and again. */
	onBytes(bytes: number): void;
	/** Called with the buffer as it grows; what lies below `bytes` will not change. */
	onGrowth?(buffer: Uint8Array<ArrayBuffer>, bytes: number): void;
}

/** The bytes of the file, unverified. Rejects with Broken only. */
export async function download(fetch: typeof globalThis.fetch, attempt: Attempt): Promise<Uint8Array<ArrayBuffer>> {
	const stalled = new AbortController();
	const timer = { id: setTimeout(() => stalled.abort(), attempt.stallMs) };
	const alive = () => {
		clearTimeout(timer.id);
		timer.id = setTimeout(() => stalled.abort(), attempt.stallMs);
	};
	const start = attempt.have.reduce((sum, piece) => sum + piece.length, 0);
	try {
		const response = await fetch(attempt.address, {
			// The shelf keeps it; a second copy in the HTTP cache would take gigabytes, and a damaged one there would come again.
			cache: 'no-store',
			credentials: 'omit',
			referrerPolicy: 'no-referrer',
			signal: stalled.signal,
			headers: start === 0 ? {} : { range: `bytes=${start}-` }
		}).catch(() => undefined);
		if (response === undefined) throw new Broken('gone', 'not reachable');
		if (!response.ok || response.body === null) throw new Broken('gone', `status ${response.status}`);
		alive();
		const resumed = response.status === 206 && start > 0;
		// Also a 206 that nobody asked for. What its range says is not believed beyond this: the whole is hashed.
		if (response.status === 206 && !beginsAt(response, start)) throw new Broken('bad', 'another range');
		const chunks = resumed ? attempt.have : [];
		return await readBounded(
			response.body,
			attempt.length,
			attempt.most,
			(bytes, buffer) => {
				alive();
				attempt.onBytes(bytes);
				attempt.onGrowth?.(buffer, bytes);
			},
			chunks
		);
	} finally {
		clearTimeout(timer.id);
		// Whatever failed above, nothing more shall come.
		stalled.abort();
	}
}

function beginsAt(response: Response, start: number): boolean {
	const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
	// A server of another origin may hide the header; then only the hash decides.
	return range === null ? start > 0 : Number(range[1]) === start;
}

/**
 * Reads a stream to its end into one buffer, behind `before`. With a known `length` exactly that must come; without one, up to `most`.
 * Rejects with Broken: `cut` when the connection breaks, `bad` when it ends early as if that were all, or does not end.
 */
export async function readBounded(
	body: ReadableStream<Uint8Array<ArrayBuffer>>,
	length: number | undefined,
	most: number,
	onBytes: (bytes: number, buffer: Uint8Array<ArrayBuffer>) => void,
	before: readonly Uint8Array<ArrayBuffer>[] = []
): Promise<Uint8Array<ArrayBuffer>> {
	const limit = Math.min(length ?? most, most);
	let buffer = new Uint8Array(length ?? Math.min(limit, FIRST_BUFFER_BYTES));
	let at = 0;
	const put = (bytes: Uint8Array<ArrayBuffer>) => {
		if (at + bytes.length > buffer.length) {
			const grown = new Uint8Array(Math.min(limit, Math.max(at + bytes.length, buffer.length * 2)));
			grown.set(buffer.subarray(0, at));
			buffer = grown;
		}
		buffer.set(bytes, at);
		at += bytes.length;
	};
	before.forEach(put);
	const reader = body.getReader();
	for (;;) {
		const { done, value } = await reader.read().catch(() => {
			throw new Broken('cut', 'broke off');
		});
		if (done) break;
		if (at + value.length > limit) {
			await reader.cancel().catch(() => {});
			throw new Broken('bad', `longer than ${limit} bytes`);
		}
		put(value);
		onBytes(at, buffer);
	}
	if (length !== undefined && at !== length) throw new Broken('bad', `${at} bytes, not ${length}`);
	return buffer.length === at ? buffer : buffer.slice(0, at);
}

const FIRST_BUFFER_BYTES = 2 ** 20;
