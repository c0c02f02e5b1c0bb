/**
 * Reads the few forms of UnixFS that a release or a model has (IPFS UnixFS specification): raw leaves, files of links, plain folders.
 * Pure. The library that reads all of them takes 37 kB gzipped; sharded folders and symbolic links are refused here.
 */
import { decode } from '@ipld/dag-pb';
import { CID } from 'multiformats/cid';
import { Refusal } from '#lib/protocol/errors.ts';

/** Multicodecs. */
const RAW = 0x55;
const DAG_PB = 0x70;
/** Types of UnixFS `Data`. */
const FOLDER = 1;
const FILE = 2;
/** Links of one block: a megabyte of them at most. */
const MAX_LINKS = 16_384;

export interface Part {
	readonly cid: CID;
	/** Bytes of the file below it. */
	readonly size: number;
}

export type UnixNode =
	| { readonly kind: 'leaf'; readonly bytes: Uint8Array }
	| { readonly kind: 'file'; readonly size: number; readonly parts: readonly Part[] }
	| { readonly kind: 'folder'; readonly entries: ReadonlyMap<string, CID> };

/** The node in a block whose hash was checked. Refusal `malformed` for what is not one, or is of a form not used here. */
export function readNode(cid: CID, block: Uint8Array): UnixNode {
	if (cid.code === RAW) return { kind: 'leaf', bytes: block };
	if (cid.code !== DAG_PB) throw new Refusal('malformed', `codec ${cid.code}`);
	const { Data, Links } = decoded(block);
	if (Data === undefined || Links.length > MAX_LINKS) throw new Refusal('malformed', 'no UnixFS block');
	const { type, data, sizes } = readData(Data);
	const links = Links.map((link) => ({ name: link.Name ?? '', cid: CID.parse(link.Hash.toString()) }));
	if (type === FOLDER) {
		const entries = new Map(links.map(({ name, cid: to }) => [name, to]));
		if (entries.size !== links.length) throw new Refusal('malformed', 'a name twice');
		return { kind: 'folder', entries };
	}
	if (type !== FILE) throw new Refusal('malformed', `UnixFS type ${type}`);
	if (links.length === 0) return { kind: 'leaf', bytes: data };
	if (data.length > 0 || sizes.length !== links.length) throw new Refusal('malformed', 'sizes of a file');
	const parts = links.map(({ cid: to }, n) => ({ cid: to, size: sizes[n] ?? 0 }));
	return { kind: 'file', size: sizes.reduce((sum, size) => sum + size, 0), parts };
}

function decoded(block: Uint8Array): ReturnType<typeof decode> {
	try {
		return decode(block);
	} catch {
		throw new Refusal('malformed', 'not dag-pb');
	}
}

/** The protobuf message `Data`: type = 1, data = 2, filesize = 3, blocksizes = 4; others are passed over. */
function readData(bytes: Uint8Array): {
	readonly type: number;
	readonly data: Uint8Array;
	readonly sizes: readonly number[];
} {
	let at = 0;
	const varint = (): number => {
		let value = 0;
		for (let shift = 1; ; shift *= 128) {
			const byte = bytes[at++];
			if (byte === undefined || shift > 2 ** 49) throw new Refusal('malformed', 'UnixFS number');
			value += (byte & 127) * shift;
			if (byte < 128) break;
		}
		if (!Number.isSafeInteger(value)) throw new Refusal('malformed', 'UnixFS number');
		return value;
	};
	let type = -1;
	let data: Uint8Array = new Uint8Array();
	const sizes: number[] = [];
	while (at < bytes.length) {
		const tag = varint();
		const wire = tag % 8;
		if (wire === 0) {
			const value = varint();
			if (tag === 8) type = value;
			else if (tag === 32) sizes.push(value);
		} else if (wire === 2) {
			const length = varint();
			if (at + length > bytes.length) throw new Refusal('malformed', 'UnixFS data');
			if (tag === 18) data = bytes.subarray(at, at + length);
			at += length;
		} else throw new Refusal('malformed', 'UnixFS field');
	}
	return { type, data, sizes };
}
