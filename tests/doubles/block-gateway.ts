/**
 * An IPFS gateway that hands out raw blocks by content address, at both addresses gateways give them, and may be as bad as gateways are: it lies in
 * every block, dies in the middle of one, or falls silent.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dagOf } from '../../scripts/release/dag.ts';
import { payloadOf } from '../../scripts/release/folder.ts';
import type { Files } from './signed-build.ts';

/** What it does with a block it has. `dying`: half of a block, and from then on no answer at all. */
export type Manner = 'good' | 'lying' | 'dying';

/** A gateway that is up. */
export interface BlockGateway {
	/** As a person types it: by path, and by subdomain. */
	readonly byPath: string;
	readonly bySubdomain: string;
	/** Content addresses asked for, in order. */
	readonly asked: readonly string[];
	/** Blocks it answered well. */
	readonly given: () => number;
	behave(manner: Manner): void;
	close(): Promise<void>;
}

/** Blocks of these releases: of the folder as served and of the one its manifest names. */
export async function blocksOf(...releases: readonly Files[]): Promise<ReadonlyMap<string, Uint8Array>> {
	const dags = await Promise.all(releases.flatMap((files) => [dagOf(files), dagOf(payloadOf(files))]));
	return new Map(dags.flatMap(({ blocks }) => [...blocks]));
}

/** Serves these blocks; `dyingAfter` is how many a dying one gives well first. */
export async function startBlockGateway(
	blocks: ReadonlyMap<string, Uint8Array>,
	first: Manner = 'good',
	dyingAfter = 5
): Promise<BlockGateway> {
	let manner = first;
	let given = 0;
	const asked: string[] = [];
	const server = createServer((request, response) => {
		const url = new URL(request.url ?? '/', 'http://gateway');
		const cid =
			/^(\w+)\.ipfs\.localhost/.exec(request.headers.host ?? '')?.[1] ??
			/^\/ipfs\/(\w+)$/.exec(url.pathname)?.[1] ??
			'';
		const headers = { 'content-type': 'application/vnd.ipld.raw', 'access-control-allow-origin': '*' };
		asked.push(cid);
		const block = url.searchParams.get('format') === 'raw' ? blocks.get(cid) : undefined;
		if (block === undefined) return void response.writeHead(404, headers).end();
		if (manner === 'dying' && given >= dyingAfter) {
			response.writeHead(200, { ...headers, 'content-length': block.length });
			response.write(block.subarray(0, block.length >> 1));
			return void setImmediate(() => request.socket.destroy());
		}
		const sent = manner === 'lying' ? Buffer.concat([block, Buffer.from('!')]) : block;
		if (manner !== 'lying') given += 1;
		// Marked as real gateways mark it: a wrong block would stay in the browser's cache for a year.
		response.writeHead(200, { ...headers, 'cache-control': 'public, max-age=29030400, immutable' }).end(sent);
	});
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	return {
		byPath: `http://127.0.0.1:${port}`,
		bySubdomain: `http://*.localhost:${port}`,
		asked,
		given: () => given,
		behave: (next) => (manner = next),
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}
