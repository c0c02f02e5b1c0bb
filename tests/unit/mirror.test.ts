/** A published folder fetched through real sockets from a gateway that lies and one that does not. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dagOf } from '../../scripts/release/dag.ts';
import { gatewayOf } from '#lib/survival/gateways/kept.ts';
import { mirror } from '../../scripts/mirror.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const one of undo.splice(0).reverse()) await one();
});

const files = new Map([
	['index.html', Buffer.from('<h1>')],
	['a/b.bin', Buffer.alloc(3_000_000, 7)]
]);

async function gateway(blocks: ReadonlyMap<string, Uint8Array>, lies: boolean): Promise<string> {
	const server: Server = createServer((request, response) => {
		const cid = /\/ipfs\/(\w+)\?format=raw$/.exec(request.url ?? '')?.[1] ?? '';
		const block = blocks.get(cid);
		if (block === undefined) return void response.writeHead(404).end();
		response
			.writeHead(200, { 'content-type': 'application/vnd.ipld.raw' })
			.end(lies ? Buffer.concat([block, Buffer.from('!')]) : block);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	undo.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
	return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

test('every file arrives as it was published, although the first gateway lies in every block', async () => {
	const { root, blocks } = await dagOf(files);
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-mirror-'));
	undo.push(
		() => rm(folder, { recursive: true, force: true }),
		() => rm(`${folder}.blocks`, { recursive: true, force: true })
	);
	const gateways = [gatewayOf(await gateway(blocks, true)), gatewayOf(await gateway(blocks, false))];
	expect(await mirror(root.toString(), folder, gateways, new AbortController().signal)).toEqual({ files: 2, liars: 1 });
	for (const [name, bytes] of files) expect((await readFile(path.join(folder, name))).equals(bytes)).toBe(true);
	expect(
		await dagOf(
			new Map(
				await Promise.all(
					[...files.keys()].map(async (name) => [name, await readFile(path.join(folder, name))] as const)
				)
			)
		).then((dag) => dag.root.toString())
	).toBe(root.toString());
});

test('a gateway is meant by path or by subdomain', () => {
	expect(gatewayOf('https://g.example')).toEqual({ kind: 'path', base: 'https://g.example' });
	expect(gatewayOf('https://*.g.example')).toEqual({ kind: 'subdomain', base: 'https://g.example' });
});
