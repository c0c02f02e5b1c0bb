/**
 * A folder as a UnixFS DAG: its CID, its blocks, and a CAR file of them. Same files, same bytes, on any machine.
 *
 * The order in which the importer hands out blocks follows its concurrency, so blocks are written depth first from the root, each once.
 */
import { CarWriter } from '@ipld/car';
import { decode, type PBNode } from '@ipld/dag-pb';
import { importer } from 'ipfs-unixfs-importer';
import { CID } from 'multiformats/cid';
import type { Folder } from './folder.ts';

/** How files become blocks is a choice (IPIP-499 names the profiles); another profile gives another CID for the same files. */
export const PROFILE = 'unixfs-v1-2025';

/** Multicodec of dag-pb, the only kind of block that has links here. */
const DAG_PB = 0x70;

/** One folder's tree. */
export interface Dag {
	readonly root: CID;
	/** Every block by its CID. */
	readonly blocks: ReadonlyMap<string, Uint8Array>;
}

/** Imports a folder. Rejects when it is empty. */
export async function dagOf(files: Folder): Promise<Dag> {
	const blocks = new Map<string, Uint8Array>();
	const store = {
		put: async (cid: CID, block: Uint8Array) => {
			blocks.set(cid.toString(), block);
			return cid;
		}
	};
	const source = [...files].map(([name, content]) => ({ path: `app/${name}`, content }));
	let root: CID | undefined;
	for await (const entry of importer(source, store as never, { profile: PROFILE })) {
		if (entry.path === 'app') root = CID.parse(entry.cid.toString());
	}
	if (root === undefined) throw new Error('The folder is empty.');
	return { root, blocks };
}

/** Blocks of these trees, depth first from each root in turn, each once. */
export function* depthFirst(roots: readonly CID[], blocks: ReadonlyMap<string, Uint8Array>) {
	const seen = new Set<string>();
	const left = [...roots].reverse();
	for (let cid = left.pop(); cid !== undefined; cid = left.pop()) {
		const name = cid.toString();
		if (seen.has(name)) continue;
		seen.add(name);
		const bytes = blocks.get(name);
		if (bytes === undefined) throw new Error(`A block is missing: ${name}`);
		yield { cid, bytes };
		if (cid.code === DAG_PB) {
			const node: PBNode = decode(bytes);
			left.push(...node.Links.map((link) => CID.parse(link.Hash.toString())).reverse());
		}
	}
}

/** A CARv1 of these trees. The first root is the one a gateway shows. */
export async function carOf(dags: readonly Dag[]): Promise<Uint8Array> {
	const roots = dags.map(({ root }) => root);
	const blocks = new Map(dags.flatMap((dag) => [...dag.blocks]));
	const { writer, out } = CarWriter.create(roots as never);
	const chunks: Uint8Array[] = [];
	const collected = (async () => {
		for await (const chunk of out) chunks.push(chunk);
	})();
	for (const block of depthFirst(roots, blocks)) await writer.put(block as never);
	await writer.close();
	await collected;
	return new Uint8Array(Buffer.concat(chunks));
}
