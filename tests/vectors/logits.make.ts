/** Writes tests/vectors/logits.json from an implementation of docs/spec/logits.md that shares no code with src/lib/protocol/logits.ts. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const hash = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const u32 = (value: number) => {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
};
const f32 = (value: number) => {
	const bytes = Buffer.alloc(4);
	bytes.writeFloatBE(value);
	return bytes;
};

/** Openings made by rule: falling logits in quarters, two of them equal, ids that jump. */
function opening(position: number) {
	const topIds = Array.from({ length: 20 }, (_, rank) => (position * 131 + rank * 97) % 2048);
	const topLogits = Array.from({ length: 20 }, (_, rank) => 9.25 - rank * 0.75 - position / 8);
	topLogits[7] = topLogits[6] as number;
	if ((topIds[7] as number) < (topIds[6] as number))
		[topIds[6], topIds[7]] = [topIds[7] as number, topIds[6] as number];
	return { position, topIds, topLogits };
}
function leaf({ position, topIds, topLogits }: ReturnType<typeof opening>) {
	const columns = topIds.flatMap((id, rank) => [u32(id), f32(topLogits[rank] as number)]);
	return hash(Buffer.from('fireweed/logits/1'), u32(position), ...columns);
}
const node = (left: Buffer, right: Buffer) => hash(Buffer.from('fireweed/logits-node/1'), left, right);

/** Bottom up with the odd one carried, which gives RFC 6962's shape by another road. */
function root(leaves: Buffer[]): Buffer {
	let level = leaves;
	while (level.length > 1) {
		const next: Buffer[] = [];
		for (let i = 0; i < level.length; i += 2) {
			const [left, right] = [level[i] as Buffer, level[i + 1]];
			next.push(right === undefined ? left : node(left, right));
		}
		level = next;
	}
	return level[0] as Buffer;
}

const openings = Array.from({ length: 32 }, (_, i) => opening(i + 64));
const leaves = openings.map(leaf);
const vectors = {
	openings: openings.slice(0, 3),
	leaves: leaves.map((each) => each.toString('hex')),
	roots: [1, 2, 3, 5, 8, 21, 31, 32].map((count) => ({ count, root: root(leaves.slice(0, count)).toString('hex') }))
};
writeFileSync(new URL('logits.json', import.meta.url), `${JSON.stringify(vectors, undefined, '\t')}\n`);
