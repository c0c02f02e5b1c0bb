/**
 * A small IPFS gateway for tests: one folder, under its real CID, at both addresses a gateway gives it.
 *
 * The path form shares one origin among all CIDs; the subdomain form gives each an origin of its own. The app must live in both.
 */
import { importer } from 'ipfs-unixfs-importer';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

/** How a folder becomes a CID is a choice (IPIP-499 names the profiles); another profile would give another CID for the same files. */
const PROFILE = 'unixfs-v1-2025';

const TYPES: Record<string, string> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.mjs': 'text/javascript',
	'.css': 'text/css',
	'.json': 'application/json',
	'.webmanifest': 'application/manifest+json',
	'.svg': 'image/svg+xml',
	'.png': 'image/png',
	'.wasm': 'application/wasm'
};

/** A gateway that is up. */
export interface Gateway {
	readonly cid: string;
	/** `http://127.0.0.1:<port>/ipfs/<cid>/` */
	readonly pathUrl: string;
	/** `http://<cid>.ipfs.localhost:<port>/` */
	readonly subdomainUrl: string;
	close(): Promise<void>;
}

/** Imports `root` and serves it on `port` (0: any). */
export async function startGateway(root: string, port = 0): Promise<Gateway> {
	const files = await filesUnder(root);
	const cid = await cidOf(files);
	const server = createServer((request, response) => answer(request, response, cid, files));
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
	const at = (server.address() as AddressInfo).port;
	return {
		cid,
		pathUrl: `http://127.0.0.1:${at}/ipfs/${cid}/`,
		subdomainUrl: `http://${cid}.ipfs.localhost:${at}/`,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}

/** The CID of a folder: same files, same CID, on any machine. */
export async function cidOf(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
	const source = [...files].map(([name, content]) => ({ path: `app/${name}`, content }));
	let root = '';
	// Blocks are not kept: only the name they add up to is wanted.
	const nowhere = { put: async <T>(cid: T) => cid };
	for await (const entry of importer(source, nowhere as never, { profile: PROFILE })) {
		if (entry.path === 'app') root = entry.cid.toString();
	}
	if (root === '') throw new Error('the folder is empty');
	return root;
}

/** Every file under `root` by its path inside it, in order. */
export async function filesUnder(root: string): Promise<Map<string, Uint8Array>> {
	const entries = await readdir(root, { recursive: true, withFileTypes: true });
	const names = entries
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
		.sort();
	return new Map(await Promise.all(names.map(async (name) => [name, await readFile(path.join(root, name))] as const)));
}

function answer(
	request: IncomingMessage,
	response: ServerResponse,
	cid: string,
	files: ReadonlyMap<string, Uint8Array>
): void {
	const url = new URL(request.url ?? '/', 'http://gateway');
	const isSubdomain = request.headers.host?.startsWith(`${cid}.ipfs.localhost`) === true;
	const base = isSubdomain ? '/' : `/ipfs/${cid}/`;
	// A real gateway sends the folder without its slash to the folder with it.
	if (`${url.pathname}/` === base) return void response.writeHead(301, { location: base }).end();
	const asked = url.pathname.startsWith(base) ? decodeURIComponent(url.pathname.slice(base.length)) : undefined;
	const name = asked === undefined || (asked !== '' && !asked.endsWith('/')) ? asked : `${asked}index.html`;
	const content = name === undefined ? undefined : files.get(name);
	if (name === undefined || !content) return void response.writeHead(404).end('no such file');
	response.writeHead(200, {
		'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream',
		// The name holds the hash of the content, so a gateway lets browsers keep everything for ever.
		'cache-control': 'public, max-age=29030400, immutable',
		etag: `"${cid}/${name}"`
	});
	response.end(content);
}
