/**
 * A gateway that serves one name whose content changes (IPNS, DNSLink): the same address today and tomorrow, another folder behind it.
 * Only there can an app be updated in its place; a CID's folder never changes.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Files } from './signed-build.ts';

const NAME = 'fireweed-test';

const TYPES: Record<string, string> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.css': 'text/css',
	'.json': 'application/json',
	'.webmanifest': 'application/manifest+json',
	'.svg': 'image/svg+xml',
	'.png': 'image/png',
	'.wasm': 'application/wasm'
};

/** A gateway that is up. */
export interface NamedGateway {
	/** `http://127.0.0.1:<port>/ipns/fireweed-test/` */
	readonly pathUrl: string;
	/** `http://fireweed-test.ipns.localhost:<port>/` */
	readonly subdomainUrl: string;
	/** What the name leads to from now on. */
	serve(files: Files): void;
	/** How it answers for a file from now on. `lying`: other bytes; `dying`: half of them, then a broken connection. */
	behave(how: (name: string) => 'good' | 'lying' | 'dying'): void;
	close(): Promise<void>;
}

/** Serves `first` until told otherwise. */
export async function startNamedGateway(first: Files): Promise<NamedGateway> {
	let files = first;
	let how: (name: string) => 'good' | 'lying' | 'dying' = () => 'good';
	const server = createServer((request, response) => {
		const url = new URL(request.url ?? '/', 'http://gateway');
		const isSubdomain = request.headers.host?.startsWith(`${NAME}.ipns.localhost`) === true;
		const base = isSubdomain ? '/' : `/ipns/${NAME}/`;
		const asked = url.pathname.startsWith(base) ? decodeURIComponent(url.pathname.slice(base.length)) : undefined;
		const name = asked === '' ? 'index.html' : asked;
		const content = name === undefined ? undefined : files.get(name);
		if (name === undefined || !content) return void response.writeHead(404).end('no such file');
		const type = TYPES[path.extname(name)] ?? 'application/octet-stream';
		const headers = { 'content-type': type, 'cache-control': 'no-cache' };
		if (how(name) === 'dying') {
			response.writeHead(200, { ...headers, 'content-length': content.length });
			response.write(content.subarray(0, content.length >> 1));
			return void setImmediate(() => request.socket.destroy());
		}
		response.writeHead(200, headers).end(how(name) === 'lying' ? 'something else' : content);
	});
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	return {
		pathUrl: `http://127.0.0.1:${port}/ipns/${NAME}/`,
		subdomainUrl: `http://${NAME}.ipns.localhost:${port}/`,
		serve: (next) => (files = next),
		behave: (next) => (how = next),
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}
