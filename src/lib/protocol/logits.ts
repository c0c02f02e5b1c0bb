/**
 * The commitment to what the model computed: a leaf for the 20 largest logits of each position, a Merkle root over the leaves between two
 * commitment points (protocol.md 7). An executor signs the root while it answers; an auditor later asks for single positions and gets
 * the opening (the step itself) with its path. docs/spec/logits.md has the bytes.
 *
 * leaf = SHA-256('fireweed/logits/1' ‖ u32 position ‖ 20 × (u32 id ‖ f32 logit)), big-endian
 * node = SHA-256('fireweed/logits-node/1' ‖ left ‖ right)
 *
 * Tree shape of RFC 6962: the left side of n leaves holds the largest power of two below n. The tags differ before either ends, so no
 * leaf can be passed off as a node.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { Refusal } from './errors.ts';
import { MAX_CANDIDATES } from './sampler.ts';

/** Positions under one root: the distance of commitment points (protocol.md 7). */
export const MAX_LEAVES = 32;
/** Longest path in a tree of MAX_LEAVES. */
export const MAX_PROOF = 5;
export const HASH_BYTES = 32;

const LEAF = new TextEncoder().encode('fireweed/logits/1');
const NODE = new TextEncoder().encode('fireweed/logits-node/1');

/** What is committed of one position: a `Step` is one. Falling logits, equal ones by lower id first. */
export interface LogitsOpening {
	readonly position: number;
	readonly topIds: Uint32Array;
	readonly topLogits: Float32Array;
}

/** The claim that `leaf` stands at `index` of `count` leaves under `root`. */
export interface InclusionClaim {
	readonly leaf: Uint8Array;
	readonly index: number;
	readonly count: number;
	readonly proof: readonly Uint8Array[];
	readonly root: Uint8Array;
}

/**
 * The leaf of one position. Refusal `malformed` unless there are exactly 20 different ids, in order, with finite logits: one content, one leaf.
 */
export function logitsLeaf({ position, topIds, topLogits }: LogitsOpening): Uint8Array {
	if (!Number.isInteger(position) || position < 0 || position > 0xffffffff) throw new Refusal('malformed', 'position');
	if (topIds.length !== MAX_CANDIDATES || topLogits.length !== MAX_CANDIDATES)
		throw new Refusal('malformed', 'not 20 logits');
	const bytes = new Uint8Array(LEAF.length + 4 + MAX_CANDIDATES * 8);
	const view = new DataView(bytes.buffer);
	bytes.set(LEAF);
	view.setUint32(LEAF.length, position);
	for (let rank = 0; rank < MAX_CANDIDATES; rank++) {
		const id = topIds[rank] as number;
		const logit = topLogits[rank] as number;
		if (!Number.isFinite(logit) || !follows(topIds, topLogits, rank)) throw new Refusal('malformed', 'order of logits');
		const at = LEAF.length + 4 + rank * 8;
		view.setUint32(at, id);
		view.setFloat32(at + 4, logit);
	}
	if (new Set(topIds).size !== MAX_CANDIDATES) throw new Refusal('malformed', 'an id twice');
	return sha256(bytes);
}

function follows(ids: Uint32Array, logits: Float32Array, rank: number): boolean {
	if (rank === 0) return true;
	const before = logits[rank - 1] as number;
	const here = logits[rank] as number;
	return here < before || (here === before && (ids[rank] as number) > (ids[rank - 1] as number));
}

/** The root over 1 … 32 leaves. Refusal `malformed` for another number or leaves that are not hashes. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
	checkLeaves(leaves);
	return rootOf(leaves);
}

/** The hashes beside the way from leaf `index` up to the root, lowest first. Refusal `malformed` when there is no such leaf. */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
	checkLeaves(leaves);
	if (!Number.isInteger(index) || index < 0 || index >= leaves.length) throw new Refusal('malformed', 'no such leaf');
	return pathOf(leaves, index);
}

/** Whether the claim holds. Never throws: whatever is out of bounds is false. */
export function verifyInclusion({ leaf, index, count, proof, root }: InclusionClaim): boolean {
	const bounded =
		Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count && count <= MAX_LEAVES;
	if (!bounded || proof.length > MAX_PROOF || ![leaf, root, ...proof].every(isHash)) return false;
	// RFC 9162, 2.1.3.2: `last` walks up beside `at`, and tells where the tree is ragged.
	let at = index;
	let last = count - 1;
	let hash = leaf;
	for (const beside of proof) {
		if (last === 0) return false;
		if (at % 2 === 1 || at === last) {
			hash = nodeOf(beside, hash);
			while (at % 2 === 0 && at !== 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			hash = nodeOf(hash, beside);
		}
		at >>= 1;
		last >>= 1;
	}
	return last === 0 && hash.every((byte, i) => byte === root[i]);
}

function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
	if (leaves.length === 1) return leaves[0] as Uint8Array;
	const cut = leftSize(leaves.length);
	return nodeOf(rootOf(leaves.slice(0, cut)), rootOf(leaves.slice(cut)));
}

function pathOf(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
	if (leaves.length === 1) return [];
	const cut = leftSize(leaves.length);
	const [left, right] = [leaves.slice(0, cut), leaves.slice(cut)];
	return index < cut ? [...pathOf(left, index), rootOf(right)] : [...pathOf(right, index - cut), rootOf(left)];
}

function leftSize(count: number): number {
	let size = 1;
	while (size * 2 < count) size *= 2;
	return size;
}

function nodeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(NODE.length + 2 * HASH_BYTES);
	bytes.set(NODE);
	bytes.set(left, NODE.length);
	bytes.set(right, NODE.length + HASH_BYTES);
	return sha256(bytes);
}

function isHash(bytes: Uint8Array): boolean {
	return bytes.length === HASH_BYTES;
}

function checkLeaves(leaves: readonly Uint8Array[]): void {
	if (leaves.length < 1 || leaves.length > MAX_LEAVES || !leaves.every(isHash))
		throw new Refusal('malformed', 'leaves');
}
