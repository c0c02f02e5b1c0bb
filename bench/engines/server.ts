/**
 * The one server of the contest, on loopback: the built page and all models, from memory. Every answer carries a policy that lets the page
 * and its workers ask nobody else, and has every attempt reported here.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.mjs': 'text/javascript',
	'.wasm': 'application/wasm',
	'.json': 'application/json'
};

const REPORTS = '/asked-elsewhere';
const POLICY = [
	"default-src 'self' blob: data:",
	// Both peers make scripts of their own parts at run time.
	"script-src 'self' blob: 'wasm-unsafe-eval'",
	`report-uri ${REPORTS}`
].join('; ');

export interface ContestServer {
	readonly url: string;
	/** Paths answered since the last call, with how many times each. */
	answered(): ReadonlyMap<string, number>;
	/** Addresses that were asked for and not allowed, or not there, since the last call. */
	strays(): string[];
	close(): Promise<void>;
}

/** Serves `files`, path from the root → bytes. */
export async function serveContest(files: ReadonlyMap<string, Uint8Array>): Promise<ContestServer> {
	const answered = new Map<string, number>();
	const strays: string[] = [];
	const server = createServer((request, response) => {
		const { pathname } = new URL(request.url ?? '/', 'http://local');
		if (pathname === REPORTS) {
			void blocked(request).then((address) => strays.push(address));
			response.writeHead(204).end();
			return;
		}
		const file = files.get(pathname);
		const headers = { 'content-security-policy': POLICY, 'cache-control': 'max-age=31536000' };
		if (file === undefined) {
			strays.push(`${pathname} (not there)`);
			response.writeHead(404, headers).end();
			return;
		}
		if (request.method === 'GET') answered.set(pathname, (answered.get(pathname) ?? 0) + 1);
		response.writeHead(200, {
			...headers,
			'content-type': TYPES[path.extname(pathname)] ?? 'application/octet-stream',
			'content-length': file.length
		});
		response.end(request.method === 'HEAD' ? undefined : file);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
		answered: () => {
			const taken = new Map(answered);
			answered.clear();
			return taken;
		},
		strays: () => strays.splice(0),
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}

async function blocked(request: IncomingMessage): Promise<string> {
	const pieces: Buffer[] = [];
	for await (const piece of request) pieces.push(piece as Buffer);
	const text = Buffer.concat(pieces).toString();
	try {
		const { 'csp-report': report } = JSON.parse(text) as { 'csp-report': Record<string, string> };
		return `${report['blocked-uri']} (${report['violated-directive']})`;
	} catch {
		return text.slice(0, 200);
	}
}
