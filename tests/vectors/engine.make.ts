/** Records tests/vectors/engine.json with the engine in Node: 200 warm tokens of the pocket model and the roots over their top logits. */
import { existsSync, writeFileSync } from 'node:fs';
import { ortNode } from '../doubles/ort-node.ts';

const file = new URL('engine.json', import.meta.url);
const empty = { tokens: [], roots: [] };
// The suite imports the file that is made here.
if (!existsSync(file)) writeFileSync(file, JSON.stringify({ q4: empty, fp32: empty }));
const { record } = await import('../compliance/engine-pocket.ts');

async function recorded(weights: 'q4' | 'fp32') {
	const engine = ortNode({ weights });
	await engine.load(() => {}, new AbortController().signal);
	const place = { fresh: async () => engine, ready: async () => engine, model: true };
	return record(place).finally(() => engine.unload());
}
const vectors = { q4: await recorded('q4'), fp32: await recorded('fp32') };
writeFileSync(file, `${JSON.stringify(vectors)}\n`);
