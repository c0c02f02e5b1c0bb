/** Files of a WebLLM model under a shelf and a network that lie, without a browser; and the doors that leave the package nothing else. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import { Broken, download, readBounded } from '#workers/webllm/download.ts';
import { closeDoors, type Scope } from '#workers/webllm/doors.ts';
import { openFirstUse, openShelf, PIECE_BYTES, type Ledger } from '#workers/webllm/shelf.ts';
import { openFiles, type Wanted } from '#workers/webllm/shards.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
function data(length: number): Uint8Array<ArrayBuffer> {
	const bytes = new Uint8Array(length);
	for (let i = 0; i < length; i++) bytes[i] = (i * 31) % 251;
	return bytes;
}
const codeIn = async (work: Promise<unknown>) => work.then(() => 'ok', codeOf);

/** Cache Storage in memory; `full` refuses every write. */
function storage(full = { now: false }) {
	const caches = new Map<string, Map<string, Uint8Array<ArrayBuffer>>>();
	const key = (request: RequestInfo | URL) => (request instanceof Request ? request.url : String(request));
	const open = async (name: string) => {
		const held = caches.get(name) ?? new Map<string, Uint8Array<ArrayBuffer>>();
		caches.set(name, held);
		return {
			match: async (request: RequestInfo) => {
				const found = held.get(key(request));
				return found && new Response(found);
			},
			put: async (request: RequestInfo, response: Response) => {
				if (full.now) throw new DOMException('full', 'QuotaExceededError');
				held.set(key(request), new Uint8Array(await response.arrayBuffer()));
			},
			delete: async (request: RequestInfo) => held.delete(key(request))
		} as unknown as Cache;
	};
	return { caches, open };
}

type Server = (address: string, range: string | undefined) => Response | Promise<Response>;
const serving = (server: Server) =>
	(async (address: string, init: RequestInit) => {
		const headers = init.headers as Record<string, string>;
		return server(address, headers['range']);
	}) as unknown as typeof fetch;

async function stage(server: Server, file = data(5000), change: { recorded?: boolean } = {}) {
	const full = { now: false };
	const { caches, open } = storage(full);
	const shelf = await openShelf({ open }, 'model');
	const list = new Map([['x', { sha256: sha256(file), bytes: file.length }]]);
	const recorded: Ledger = { get: (name) => list.get(name), note: () => Promise.reject(new Error('never')) };
	const ledger = change.recorded === false ? await openFirstUse({ open }, 'm') : recorded;
	const files = openFiles({
		shelf,
		ledger,
		recorded: change.recorded !== false,
		fetch: serving(server),
		stallMs: 50,
		onBytes: () => {}
	});
	const wanted: Wanted = {
		name: 'x',
		addresses: ['https://a/x', 'https://b/x'],
		bytes: file.length,
		most: file.length
	};
	return { files, wanted, held: () => caches.get('model') as Map<string, Uint8Array>, shelf, full, open };
}

describe('a file', () => {
	const good = data(5000);
	const bad = good.map((byte, i) => (i === 17 ? byte ^ 1 : byte));

	test('comes from the next mirror when one lies, and only the good one is kept', async () => {
		const asked: string[] = [];
		const { files, wanted, held } = await stage((address) => {
			asked.push(address);
			return new Response(address.startsWith('https://a') ? bad : good);
		});
		expect(await files.take(wanted)).toEqual(good);
		// The first once more: it may have been an accident.
		expect(asked).toEqual(['https://a/x', 'https://a/x', 'https://b/x']);
		expect([...held().values()]).toEqual([good]);
		expect(await files.take(wanted)).toEqual(good);
		expect(asked).toHaveLength(3);
	});

	test.each<[string, Server, string]>([
		['wrong everywhere', () => new Response(bad), 'weights-corrupt'],
		['short everywhere', () => new Response(good.subarray(1)), 'weights-corrupt'],
		['long everywhere', () => new Response(data(5001)), 'weights-corrupt'],
		['empty', () => new Response(new Uint8Array()), 'weights-corrupt'],
		['missing', () => new Response(null, { status: 404 }), 'engine-load-failed'],
		['unreachable', () => Promise.reject(new TypeError('no')), 'engine-load-failed'],
		['a range nobody asked for', () => new Response(good, { status: 206 }), 'weights-corrupt'],
		['silent', () => new Promise(() => {}), 'engine-load-failed']
	])('that is %s is refused, and nothing is kept', async (name, server, code) => {
		const answering: Server = name === 'silent' ? () => new Promise((_, reject) => setTimeout(reject, 20)) : server;
		const { files, wanted, held } = await stage(answering);
		expect(await codeIn(files.take(wanted))).toBe(code);
		expect(held().size).toBe(0);
	});

	test('that was changed where it is kept is dropped and fetched anew', async () => {
		const { files, wanted, held, shelf } = await stage(() => new Response(good));
		await shelf.keep('x', bad);
		expect(await files.take(wanted)).toEqual(good);
		expect([...held().values()]).toEqual([good]);
		await shelf.keep('x', data(9999));
		expect(await files.take(wanted)).toEqual(good);
	});

	test('that finds no room is storage-full', async () => {
		const { files, wanted, full } = await stage(() => new Response(good));
		full.now = true;
		expect(await codeIn(files.take(wanted))).toBe('storage-full');
	});

	test('that is in no list is never asked for', async () => {
		let asked = 0;
		const { files, wanted } = await stage(() => {
			asked++;
			return new Response(good);
		});
		expect(await codeIn(files.take({ ...wanted, name: 'y' }))).toBe('model-unsupported');
		expect(await codeIn(files.take({ ...wanted, bytes: 4999 }))).toBe('weights-corrupt');
		expect(asked).toBe(0);
	});

	test('of first use is noted, and held to that after it was deleted', async () => {
		const server = { now: good };
		const { files, wanted, shelf } = await stage(() => new Response(server.now), good, { recorded: false });
		expect(await files.take(wanted)).toEqual(good);
		await shelf.drop('x');
		server.now = bad;
		expect(await codeIn(files.take(wanted))).toBe('weights-corrupt');
		server.now = good;
		expect(await files.take(wanted)).toEqual(good);
	});

	test('in pieces goes on by range, and wrong pieces are forgotten', async () => {
		const whole = data(PIECE_BYTES + 1000);
		const ranges: (string | undefined)[] = [];
		const { files, wanted, shelf, held } = await stage((_, range) => {
			ranges.push(range);
			const start = Number(/\d+/.exec(range ?? '0')?.[0]);
			const headers = { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` };
			return new Response(whole.subarray(start), range === undefined ? {} : { status: 206, headers });
		}, whole);
		await shelf.keepPiece('x', 0, whole.slice(0, PIECE_BYTES));
		expect(sha256(await files.take(wanted))).toBe(sha256(whole));
		expect(ranges).toEqual([`bytes=${PIECE_BYTES}-`]);
		await shelf.drop('x');
		await shelf.keepPiece('x', 0, new Uint8Array(PIECE_BYTES));
		expect(sha256(await files.take(wanted))).toBe(sha256(whole));
		expect(ranges.slice(1)).toEqual([`bytes=${PIECE_BYTES}-`, undefined]);
		expect([...held().keys()].filter((key) => key.includes('piece'))).toEqual([]);
	});
});

test('a stream is read to its bound and no further, however it is cut', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
			fc.nat(200),
			fc.boolean(),
			async (parts, bound, exact) => {
				let pulled = 0;
				const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
					pull(controller) {
						const part = parts[pulled++];
						if (part === undefined) controller.close();
						else controller.enqueue(part as Uint8Array<ArrayBuffer>);
					}
				});
				const whole = Buffer.concat(parts);
				const read = readBounded(body, exact ? bound : undefined, bound, () => {});
				const fits = exact ? whole.length === bound : whole.length <= bound;
				if (fits) expect(Buffer.from(await read)).toEqual(whole);
				else await expect(read).rejects.toBeInstanceOf(Broken);
			}
		)
	);
});

test('a download gives up a silent server', async () => {
	const silent = ((_: string, { signal }: RequestInit) =>
		new Promise((_, reject) =>
			signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')))
		)) as unknown as typeof fetch;
	const attempt = {
		address: 'https://a/x',
		have: [],
		length: 10,
		most: 10,
		stallMs: 10,
		onBytes: () => {}
	} as const;
	await expect(download(silent, attempt)).rejects.toMatchObject({ kind: 'gone' });
});

describe('closed doors', () => {
	const bytes = data(8);
	const scope = {} as Scope;
	const doors = closeDoors(scope, new Set(['https://m/x']), async () => bytes);

	test('give the package what was taken, and nothing else', async () => {
		const cache = await scope.caches.open('webllm/model');
		expect((await cache.keys()).map(({ url }) => url)).toEqual(['https://m/x']);
		expect(
			new Uint8Array((await (await cache.match(new Request('https://m/x')))?.arrayBuffer()) as ArrayBuffer)
		).toEqual(bytes);
		expect(await cache.match('https://m/other')).toBeUndefined();
		expect(doors.failure).toBeUndefined();
		expect(await codeIn(cache.add('https://m/other'))).toBe('engine-load-failed');
		expect(await codeIn(scope.fetch('https://m/x'))).toBe('engine-load-failed');
		expect(doors.failure?.code).toBe('engine-load-failed');
	});
});
