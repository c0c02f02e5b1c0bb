/** Files by content address from gateways nobody has to trust: several blocks at a time, each checked before it is handed on, in order. */
import { CID } from 'multiformats/cid';
import { Refusal } from '#lib/protocol/errors.ts';
import { Blocks, type BlocksInit } from './blocks.ts';
import { readNode, type Part } from './unixfs.ts';

/** Blocks under way: 4 MiB at most, enough to fill a line. */
const WINDOW = 4;
/** Depth of a tree: 16,384 links a level reach any size in three. */
const MAX_DEPTH = 8;

export interface ReadOptions {
	readonly signal: AbortSignal;
	/** First byte and the one behind the last; the whole file when absent. */
	readonly range?: readonly [from: number, to: number];
	/** Bytes handed on so far, and bytes of the range. */
	readonly onProgress?: (have: number, want: number) => void;
}

export class Fetcher {
	readonly #blocks: Blocks;

	constructor(init: BlocksInit) {
		this.#blocks = new Blocks(init);
	}

	/** Gateways that lied so far. */
	get liars(): number {
		return this.#blocks.liars.size;
	}

	/** The content address at a path below a root. Refusals of Blocks; `malformed` when nothing is there. */
	async find(root: string, path: string, signal: AbortSignal): Promise<CID> {
		let cid = parsed(root);
		for (const step of path.split('/').filter((name) => name !== '')) {
			const node = readNode(cid, await this.#blocks.get(cid, signal));
			const next = node.kind === 'folder' ? node.entries.get(step) : undefined;
			if (next === undefined) throw new Refusal('malformed', `no ${step}`);
			cid = next;
		}
		return cid;
	}

	/** Every file below a root, by path. */
	async *files(root: string, signal: AbortSignal): AsyncGenerator<{ readonly path: string; readonly cid: CID }> {
		const left: { path: string; cid: CID; depth: number }[] = [{ path: '', cid: parsed(root), depth: 0 }];
		for (let next = left.pop(); next !== undefined; next = left.pop()) {
			const { path, cid, depth } = next;
			if (depth > MAX_DEPTH) throw new Refusal('malformed', 'too deep');
			const node = readNode(cid, await this.#blocks.get(cid, signal));
			if (node.kind !== 'folder') yield { path, cid };
			else
				for (const [name, to] of [...node.entries].reverse()) {
					if (name === '' || name === '.' || name === '..' || name.includes('/'))
						throw new Refusal('malformed', 'a name of a file');
					left.push({ path: path === '' ? name : `${path}/${name}`, cid: to, depth: depth + 1 });
				}
		}
	}

	/** The bytes of a file, in order. Refusals of Blocks; `malformed` for a folder, or a tree whose sizes are not what it says. */
	async *read(file: CID, options: ReadOptions): AsyncGenerator<Uint8Array> {
		const { signal, range, onProgress } = options;
		const root = readNode(file, await this.#blocks.get(file, signal));
		if (root.kind === 'folder') throw new Refusal('malformed', 'a folder');
		const size = root.kind === 'leaf' ? root.bytes.length : root.size;
		const from = Math.min(Math.max(0, range?.[0] ?? 0), size);
		const to = Math.min(Math.max(from, range?.[1] ?? size), size);
		let have = 0;
		for await (const { bytes, at } of this.#leaves({ cid: file, size }, 0, from, to, signal, 0)) {
			const wanted = bytes.subarray(Math.max(0, from - at), Math.max(0, to - at));
			have += wanted.length;
			onProgress?.(have, to - from);
			if (wanted.length > 0) yield wanted;
		}
		if (have !== to - from) throw new Refusal('malformed', 'the file is shorter than it says');
	}

	async *#leaves(
		part: Part,
		at: number,
		from: number,
		to: number,
		signal: AbortSignal,
		depth: number
	): AsyncGenerator<{ readonly bytes: Uint8Array; readonly at: number }> {
		if (depth > MAX_DEPTH) throw new Refusal('malformed', 'too deep');
		const node = readNode(part.cid, await (this.#ahead.get(part.cid.toString()) ?? this.#blocks.get(part.cid, signal)));
		if (node.kind === 'folder') throw new Refusal('malformed', 'a folder in a file');
		if ((node.kind === 'leaf' ? node.bytes.length : node.size) !== part.size)
			throw new Refusal('malformed', 'the size of a part');
		if (node.kind === 'leaf') {
			yield { bytes: node.bytes, at };
			return;
		}
		let start = at;
		const wanted: { part: Part; at: number }[] = [];
		for (const child of node.parts) {
			if (start < to && start + child.size > from) wanted.push({ part: child, at: start });
			start += child.size;
		}
		// Asked for ahead of time, handed on in order; a failure is told when its turn comes.
		for (const [n, child] of wanted.entries()) {
			for (const { part: next } of wanted.slice(n, n + WINDOW))
				if (!this.#ahead.has(next.cid.toString())) this.#begin(next.cid, signal);
			yield* this.#leaves(child.part, child.at, from, to, signal, depth + 1);
			this.#ahead.delete(child.part.cid.toString());
		}
	}

	/** Blocks in hand before their turn. */
	readonly #ahead = new Map<string, Promise<Uint8Array>>();

	#begin(cid: CID, signal: AbortSignal): void {
		const begun = this.#blocks.get(cid, signal);
		this.#ahead.set(cid.toString(), begun);
		// What failed is asked for anew by whoever tries again.
		begun.catch(() => this.#ahead.delete(cid.toString()));
	}
}

function parsed(root: string): CID {
	try {
		return CID.parse(root);
	} catch {
		throw new Refusal('malformed', 'not a content address');
	}
}
