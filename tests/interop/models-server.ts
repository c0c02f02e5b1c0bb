/** A server of models on loopback that can lie in every way a server can. Another origin than the page's, as model hosts are. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to files whose path ends with `file`. `times` counts requests of the body; without it always. */
export type Lie = { readonly file: string; readonly times?: number } & (
	| { readonly kind: 'flip'; readonly at: number }
	/** One byte less or more, and the length says so. */
	| { readonly kind: 'short' }
	| { readonly kind: 'long' }
	/** More bytes than HEAD said, without a length. */
	| { readonly kind: 'longer-than-said' }
	| { readonly kind: 'changing-etag' }
	| { readonly kind: 'no-ranges' }
	| { readonly kind: 'status'; readonly status: number }
	/** Sends so many bytes and then nothing, until `release`. */
	| { readonly kind: 'hang'; readonly after: number }
	/** Sends so many bytes and closes the connection. */
	| { readonly kind: 'break'; readonly after: number }
	/** So many bytes at a time, with a turn of the clock between. */
	| { readonly kind: 'slow'; readonly piece: number }
	| { readonly kind: 'redirect' }
	| { readonly kind: 'page' }
	| { readonly kind: 'no-head' }
	| { readonly kind: 'no-length' }
	| { readonly kind: 'other'; readonly body: string }
);

/** One request as it came. */
export interface Asked {
	readonly method: string;
	readonly path: string;
	readonly range: string | undefined;
	readonly cookie: string | undefined;
	readonly referer: string | undefined;
}

export interface ModelServer {
	readonly origin: string;
	/** Replaces what is served: path → bytes. */
	put(files: ReadonlyMap<string, Buffer>): void;
	/** Replaces the lies; none is the truth. */
	tell(...lies: Lie[]): void;
	/** Lets hanging answers end in an error. */
	release(): void;
	/** Requests since the last call. */
	asked(): Asked[];
	/** Resolves when a body of `file` hangs. */
	hanging(file: string): Promise<void>;
	close(): Promise<void>;
}

export async function startModelServer(): Promise<ModelServer> {
	const state = {
		files: new Map<string, Buffer>() as ReadonlyMap<string, Buffer>,
		lies: [] as readonly Lie[],
		version: 0
	};
	const told = new Map<Lie, number>();
	const hanging = new Set<ServerResponse>();
	const hangs: { file: string; wake: () => void }[] = [];
	const asked: Asked[] = [];

	function lieFor(path: string, kinds: readonly Lie['kind'][], body: boolean): Lie | undefined {
		const lie = state.lies.find((each) => path.endsWith(each.file) && kinds.includes(each.kind));
		if (lie === undefined) return undefined;
		const times = (told.get(lie) ?? 0) + 1;
		if (body) told.set(lie, times);
		return times <= (lie.times ?? Number.POSITIVE_INFINITY) ? lie : undefined;
	}

	function answer(request: IncomingMessage, response: ServerResponse): void {
		const path = decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname);
		const { method = '', headers } = request;
		asked.push({ method, path, range: headers.range, cookie: headers.cookie, referer: headers.referer });
		response.setHeader('access-control-allow-origin', '*');
		response.setHeader('access-control-expose-headers', 'ETag, Content-Range');
		const real = path.replace(/^\/moved/, '');
		const file = state.files.get(real);
		const body = method === 'GET';
		const status = lieFor(path, ['status'], body);
		if (status?.kind === 'status') return void response.writeHead(status.status).end();
		if (file === undefined) return void response.writeHead(404).end();
		if (lieFor(path, ['page'], body)) {
			response.setHeader('content-type', 'text/html; charset=utf-8');
			return void response.end('<!doctype html><title>An app</title>');
		}
		if (path === real && lieFor(path, ['redirect'], body)) {
			// To another name of this machine: another origin again.
			const port = (server.address() as AddressInfo).port;
			return void response.writeHead(302, { location: `http://localhost:${port}/moved${path}` }).end();
		}
		if (!body && lieFor(path, ['no-head'], true)) return void response.writeHead(405).end();
		const lie = lieFor(path, ['flip', 'short', 'long', 'longer-than-said', 'other'], body);
		const whole = spoilt(file, lie, body);
		const etag = lieFor(path, ['changing-etag'], body) ? `"${state.version++}"` : `"${file.length}"`;
		response.setHeader('etag', etag);
		const range = lieFor(path, ['no-ranges'], body) ? null : /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
		const from = Number(range?.[1] ?? 0);
		const to = Math.min(range?.[2] ? Number(range[2]) + 1 : whole.length, whole.length);
		if (range && from >= whole.length)
			return void response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
		const piece = whole.subarray(from, to);
		const plain = !lieFor(path, ['no-length'], body) && lie?.kind !== 'longer-than-said';
		response.writeHead(range ? 206 : 200, {
			...(plain ? { 'content-length': piece.length } : {}),
			...(range && plain ? { 'content-range': `bytes ${from}-${to - 1}/${whole.length}` } : {})
		});
		if (!body) return void response.end();
		const break_ = lieFor(path, ['break'], body);
		if (break_?.kind === 'break') {
			response.write(piece.subarray(0, break_.after), () => response.destroy());
			return;
		}
		const hang = lieFor(path, ['hang'], body);
		if (hang?.kind === 'hang' && piece.length > hang.after) {
			response.write(piece.subarray(0, hang.after));
			hanging.add(response);
			response.on('close', () => hanging.delete(response));
			for (const each of hangs.splice(0)) if (path.endsWith(each.file)) each.wake();
			return;
		}
		const slow = lieFor(path, ['slow'], body);
		if (slow?.kind === 'slow') return drip(response, piece, slow.piece);
		response.end(piece);
	}

	const server = createServer(answer);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		put(files) {
			state.files = files;
		},
		tell(...lies) {
			state.lies = lies;
			told.clear();
		},
		release() {
			for (const response of hanging) response.destroy();
		},
		asked: () => asked.splice(0),
		hanging: (file) => new Promise((wake) => hangs.push({ file, wake })),
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}

function spoilt(whole: Buffer, lie: Lie | undefined, body: boolean): Buffer {
	if (lie?.kind === 'short') return whole.subarray(0, -1);
	if (lie?.kind === 'long' || (lie?.kind === 'longer-than-said' && body))
		return Buffer.concat([whole, Buffer.from([0])]);
	if (lie?.kind === 'other') return Buffer.from(lie.body);
	if (lie?.kind !== 'flip' || !body) return whole;
	const copy = Buffer.from(whole);
	copy[lie.at] = (copy[lie.at] as number) ^ 1;
	return copy;
}

function drip(response: ServerResponse, bytes: Buffer, size: number): void {
	const next = (at: number) => {
		if (response.destroyed) return;
		if (at >= bytes.length) return void response.end();
		response.write(bytes.subarray(at, at + size), () => setTimeout(() => next(at + size), 1));
	};
	next(0);
}
