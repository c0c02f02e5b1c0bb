import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import {
	inclusionProof,
	logitsLeaf,
	MAX_LEAVES,
	merkleRoot,
	verifyInclusion,
	type LogitsOpening
} from '#lib/protocol/logits.ts';
import vectors from '../vectors/logits.json' with { type: 'json' };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const codeIn = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		return codeOf(error);
	}
	return undefined;
};
const opening = (change: Partial<LogitsOpening> = {}): LogitsOpening => ({
	position: 7,
	topIds: Uint32Array.from({ length: 20 }, (_, i) => i * 3),
	topLogits: Float32Array.from({ length: 20 }, (_, i) => 5 - i / 2),
	...change
});
const someLeaves = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: MAX_LEAVES });

describe('the leaf of a position', () => {
	it('equals the vectors', () => {
		vectors.openings.forEach(({ position, topIds, topLogits }, i) => {
			const leaf = logitsLeaf({ position, topIds: Uint32Array.from(topIds), topLogits: Float32Array.from(topLogits) });
			expect(hex(leaf)).toBe(vectors.leaves[i]);
		});
	});

	it('changes with the position, with any id and with the last bit of any logit', () => {
		const plain = hex(logitsLeaf(opening()));
		expect(hex(logitsLeaf(opening({ position: 8 })))).not.toBe(plain);
		fc.assert(
			fc.property(fc.nat(19), (rank) => {
				const topIds = Uint32Array.from(opening().topIds, (id, i) => (i === rank ? id + 1 : id));
				expect(hex(logitsLeaf(opening({ topIds })))).not.toBe(plain);
				const topLogits = Float32Array.from(opening().topLogits);
				const bits = new Uint32Array(topLogits.buffer);
				bits[rank] = (bits[rank] as number) ^ 1;
				expect(hex(logitsLeaf(opening({ topLogits })))).not.toBe(plain);
			})
		);
	});

	it('refuses what is not in the one order', () => {
		const { topIds, topLogits } = opening();
		const swapped = Float32Array.from(topLogits);
		[swapped[3], swapped[4]] = [swapped[4] as number, swapped[3] as number];
		const tied = topLogits.map((logit, i) => (i === 4 ? (topLogits[3] as number) : logit));
		const twice = topIds.map((id, i) => (i === 9 ? (topIds[0] as number) : id));
		const nan = topLogits.map((logit, i) => (i === 19 ? Number.NaN : logit));
		for (const change of [
			{ topLogits: swapped },
			{ topLogits: tied, topIds: topIds.map((id, i) => (i === 4 ? 1 : id)) },
			{ topIds: twice },
			{ topLogits: nan },
			{ topLogits: topLogits.slice(1), topIds: topIds.slice(1) },
			{ position: -1 },
			{ position: 0.5 },
			{ position: 2 ** 32 }
		]) {
			expect(codeIn(() => logitsLeaf(opening(change)))).toBe('malformed');
		}
		expect(codeIn(() => logitsLeaf(opening({ topLogits: tied })))).toBeUndefined();
	});
});

describe('the tree', () => {
	it('equals the vectors', () => {
		const leaves = vectors.leaves.map(bytes);
		for (const { count, root } of vectors.roots) expect(hex(merkleRoot(leaves.slice(0, count)))).toBe(root);
	});

	it('proves every leaf at its place and at no other', () => {
		fc.assert(
			fc.property(someLeaves, fc.nat(31), fc.nat(31), fc.nat(33), (leaves, i, j, otherCount) => {
				const count = leaves.length;
				const index = i % count;
				const leaf = leaves[index] as Uint8Array;
				const proof = inclusionProof(leaves, index);
				const root = merkleRoot(leaves);
				expect(verifyInclusion({ leaf, index, count, proof, root })).toBe(true);
				const other = j % count;
				if (hex(leaves[other] as Uint8Array) !== hex(leaf)) {
					expect(verifyInclusion({ leaf, index: other, count, proof, root })).toBe(false);
					expect(verifyInclusion({ leaf: leaves[other] as Uint8Array, index, count, proof, root })).toBe(false);
				}
				// A wrong count is caught when it changes the path's shape, and never throws.
				if (otherCount <= index) expect(verifyInclusion({ leaf, index, count: otherCount, proof, root })).toBe(false);
			})
		);
	});

	it('refuses a proof with a bit changed, a step too many or too few', () => {
		fc.assert(
			fc.property(someLeaves, fc.nat(), fc.nat(255), (leaves, pick, bit) => {
				const count = leaves.length;
				const index = pick % count;
				const claim = { leaf: leaves[index] as Uint8Array, index, count, root: merkleRoot(leaves) };
				const proof = inclusionProof(leaves, index);
				const extra = new Uint8Array(32);
				expect(verifyInclusion({ ...claim, proof: [...proof, extra] })).toBe(false);
				if (proof.length === 0) return;
				expect(verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false);
				const spoilt = proof.map((step) => step.slice());
				const step = spoilt[pick % spoilt.length] as Uint8Array;
				step[bit >> 3] = (step[bit >> 3] as number) ^ (1 << (bit & 7));
				expect(verifyInclusion({ ...claim, proof: spoilt })).toBe(false);
			})
		);
	});

	it('does not take a node for a leaf', () => {
		const leaves = vectors.leaves.slice(0, 4).map(bytes);
		const root = merkleRoot(leaves);
		const left = merkleRoot(leaves.slice(0, 2));
		const right = merkleRoot(leaves.slice(2));
		// As a tree of two it is consistent by shape: that no opening hashes to a node is what the tags are for.
		expect(verifyInclusion({ leaf: left, index: 0, count: 2, proof: [right], root })).toBe(true);
		expect(verifyInclusion({ leaf: left, index: 0, count: 4, proof: [right], root })).toBe(false);
	});

	it('refuses none, 33 and leaves of another length', () => {
		const leaf = new Uint8Array(32);
		for (const leaves of [[], new Array<Uint8Array>(33).fill(leaf), [new Uint8Array(31)]]) {
			expect(codeIn(() => merkleRoot(leaves))).toBe('malformed');
			expect(codeIn(() => inclusionProof(leaves, 0))).toBe('malformed');
		}
		for (const index of [-1, 1, 0.5]) expect(codeIn(() => inclusionProof([leaf], index))).toBe('malformed');
		const claim = { leaf, index: 0, count: 1, proof: [], root: leaf };
		expect(verifyInclusion(claim)).toBe(true);
		for (const change of [
			{ count: 33 },
			{ index: 1 },
			{ index: Number.NaN },
			{ root: new Uint8Array(31) },
			{ leaf: new Uint8Array(0) }
		]) {
			expect(verifyInclusion({ ...claim, ...change })).toBe(false);
		}
	});
});
