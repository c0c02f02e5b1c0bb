/**
 * Serves a folder on this machine's loopback address, as a plain static server would, compressed and with honest caching.
 * It adds one thing: `/directory.json` names the relay that runs beside it, signed with the key for trying things out.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { developmentDirectory } from './release/development.ts';

/** The only address served on. What the app may do on loopback (contribute keys, ask a local relay) must not be offered to a network. */
const LOOPBACK = '127.0.0.1';

/**
 * For the 14 MB engine, once: Brotli 5 takes a second and leaves 2.86 MB, 9 takes 3.4 s and leaves 2.67 MB, 11 takes 50 s and leaves 2.30 MB.
 * The better one is for who keeps what was made; gzip 6 takes about a second.
 */
const BROTLI_QUALITY = 5;
const BROTLI_QUALITY_KEPT = 9;
const GZIP_LEVEL = 6;

/** Below this a compressed copy saves less than its headers cost. */
const COMPRESS_FROM_BYTES = 1024;

const TYPES: Record<string, string> = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.mjs': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.json': 'application/json; charset=utf-8',
	'.webmanifest': 'application/manifest+json; charset=utf-8',
	'.svg': 'image/svg+xml',
	'.png': 'image/png',
	'.wasm': 'application/wasm',
	'.onnx': 'application/octet-stream',
	'.txt': 'text/plain; charset=utf-8',
	'.md': 'text/plain; charset=utf-8'
};
const COMPRESSIBLE = new Set([
	'.html',
	'.js',
	'.mjs',
	'.css',
	'.json',
	'.webmanifest',
	'.svg',
	'.wasm',
	'.onnx',
	'.txt',
	'.md'
]);

type Encoding = 'br' | 'gzip' | 'identity';

/** How to serve. */
export interface ServeInit {
	/** The folder whose files are served; nothing outside it is. */
	readonly root: string;
	/** 0 takes any free port. */
	readonly port: number;
	/** Where compressed copies are kept between runs; without it they are made anew each time. */
	readonly cache?: string;
	/** Addresses of relays that are up now. When there are any they are what `/directory.json` says. */
	readonly relays?: () => readonly string[];
}

/** A server that is up. */
export interface Serving {
	readonly port: number;
	/** `http://127.0.0.1:<port>/` */
	readonly url: string;
	close(): Promise<void>;
}

/** Starts serving; resolves once it listens. Rejects with the system's error (`code` EADDRINUSE when the port is taken). */
export async function serve(init: ServeInit): Promise<Serving> {
	const files = fileReader(path.resolve(init.root), init.cache);
	const server = createServer((request, response) => {
		answer(request, response, init, files).catch((error: unknown) => {
			if (!response.headersSent) plain(response, 500, 'The file could not be read.');
			else response.destroy(error instanceof Error ? error : undefined);
		});
	});
	await listen(server, init.port);
	const { port } = server.address() as AddressInfo;
	return {
		port,
		url: `http://${LOOPBACK}:${port}/`,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}

async function answer(
	request: IncomingMessage,
	response: ServerResponse,
	init: ServeInit,
	files: FileReader
): Promise<void> {
	response.setHeader('x-content-type-options', 'nosniff');
	response.setHeader('referrer-policy', 'no-referrer');
	if (!isLoopbackHost(request.headers.host)) {
		// A page elsewhere may point its own name at 127.0.0.1 and then read us as if we were its own server.
		return plain(response, 421, 'This server answers only to this machine.');
	}
	if (request.method !== 'GET' && request.method !== 'HEAD') {
		response.setHeader('allow', 'GET, HEAD');
		return plain(response, 405, 'Only GET and HEAD are answered.');
	}
	const name = fileNamed(request.url ?? '/');
	if (name === undefined) return plain(response, 400, 'This is not a path.');
	const relays = init.relays?.() ?? [];
	if (name === 'directory.json' && relays.length > 0) {
		response.writeHead(200, { 'content-type': TYPES['.json'], 'cache-control': 'no-cache' });
		response.end(request.method === 'HEAD' ? undefined : await developmentDirectory(relays));
		return;
	}
	const file = await files(name, encodingFor(request.headers['accept-encoding'], name));
	if (!file) return plain(response, 404, 'There is no such file.');
	response.setHeader('etag', file.etag);
	response.setHeader('vary', 'accept-encoding');
	// Names under _app/immutable carry a hash of their content; every other name must be asked about again.
	const immutable = name.startsWith('_app/immutable/');
	response.setHeader('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
	if (request.headers['if-none-match'] === file.etag) {
		response.writeHead(304).end();
		return;
	}
	response.setHeader('content-type', TYPES[path.extname(name)] ?? 'application/octet-stream');
	response.setHeader('content-length', file.size);
	if (file.encoding !== 'identity') response.setHeader('content-encoding', file.encoding);
	if (request.method === 'HEAD') {
		response.end();
	} else if ('bytes' in file) {
		response.end(file.bytes);
	} else {
		createReadStream(file.path)
			.on('error', (error) => response.destroy(error))
			.pipe(response);
	}
}

/** Whether a Host header names this machine by its loopback address or a `.localhost` name. */
export function isLoopbackHost(host: string | undefined): boolean {
	return /^(127\.0\.0\.1|\[::1\]|([a-z0-9-]+\.)*localhost)(:\d{1,5})?$/i.test(host ?? '');
}

/** The file a request path names, relative to the root; undefined for what is not a plain path inside it. */
export function fileNamed(requestPath: string): string | undefined {
	let decoded: string;
	try {
		decoded = decodeURIComponent(requestPath.replace(/[?#].*$/s, ''));
	} catch {
		return undefined;
	}
	if (!decoded.startsWith('/') || /[\0\\]/.test(decoded)) return undefined;
	const steps = decoded.slice(1).split('/');
	if (steps.at(-1) === '') steps[steps.length - 1] = 'index.html';
	// No step may be empty, point upwards or be hidden.
	return steps.some((step) => step === '' || step.startsWith('.')) ? undefined : steps.join('/');
}

/** The best encoding the browser takes for this file. */
export function encodingFor(accepted: string | string[] | undefined, name: string): Encoding {
	if (!COMPRESSIBLE.has(path.extname(name))) return 'identity';
	const offered = new Set(
		String(accepted ?? '')
			.split(',')
			.filter((part) => !/;\s*q=0(\.0*)?\s*$/.test(part))
			.map((part) => part.split(';')[0]?.trim().toLowerCase())
	);
	return offered.has('br') ? 'br' : offered.has('gzip') ? 'gzip' : 'identity';
}

type ServedFile = { readonly etag: string; readonly size: number; readonly encoding: Encoding } & (
	{ readonly path: string } | { readonly bytes: Buffer }
);
type FileReader = (name: string, encoding: Encoding) => Promise<ServedFile | undefined>;

/** Reads files under `root`, each encoding made once: remembered while it runs and kept in `cache` under the hash of its content. */
function fileReader(root: string, cache: string | undefined): FileReader {
	const made = new Map<string, Promise<ServedFile>>();

	async function make(file: string, size: number, encoding: Encoding): Promise<ServedFile> {
		const content = await readFile(file);
		const hash = createHash('sha256').update(content).digest('hex').slice(0, 32);
		if (encoding === 'identity' || size < COMPRESS_FROM_BYTES) {
			return { etag: `"${hash}"`, size: content.length, encoding: 'identity', path: file };
		}
		const etag = `"${hash}-${encoding}"`;
		const kept = cache && path.join(cache, `${hash}.${encoding}`);
		const found = kept && (await readFile(kept).catch(() => undefined));
		const bytes = found || (await compress(content, encoding, kept ? BROTLI_QUALITY_KEPT : BROTLI_QUALITY));
		if (kept && !found) await keep(kept, bytes);
		return { etag, size: bytes.length, encoding, bytes };
	}

	return async (name, encoding) => {
		const file = path.join(root, name);
		const found = await stat(file).catch(() => undefined);
		if (!found?.isFile()) return undefined;
		const key = `${encoding} ${file} ${found.mtimeMs} ${found.size}`;
		let served = made.get(key);
		if (!served) {
			served = make(file, found.size, encoding);
			made.set(key, served);
			served.catch(() => made.delete(key));
		}
		return served;
	};
}

function compress(content: Buffer, encoding: 'br' | 'gzip', quality: number): Promise<Buffer> {
	if (encoding === 'gzip') return promisify(gzip)(content, { level: GZIP_LEVEL });
	return promisify(brotliCompress)(content, {
		params: {
			[constants.BROTLI_PARAM_QUALITY]: quality,
			[constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
			[constants.BROTLI_PARAM_SIZE_HINT]: content.length
		}
	});
}

/** Written beside and moved into place, so that a killed process leaves no half a file under a good name. */
async function keep(file: string, bytes: Buffer): Promise<void> {
	try {
		await mkdir(path.dirname(file), { recursive: true });
		const beside = `${file}.${process.pid}`;
		await writeFile(beside, bytes);
		await rename(beside, file);
	} catch {
		// A full or read-only disk costs time on the next start, nothing else.
	}
}

function plain(response: ServerResponse, status: number, words: string): void {
	response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
	response.end(`${words}\n`);
}

function listen(server: Server, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, LOOPBACK, () => {
			server.off('error', reject);
			resolve();
		});
	});
}
