/**
 * Makes models/pocket/self_test.json, the self-test that ships with the app, from models/pocket/reference_logits.json.
 * `node tests/vectors/pocket-reference.make.ts` writes it; then put its hash and length into src/lib/engine/pocket.ts.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { REFERENCE_PREFILLED, REFERENCE_STEPS, type Reference } from '#workers/cpu/reference.ts';

/** Logits kept of each position: enough to tell a wrong engine, a fifth of the bytes. */
const KEPT = 4;

interface FullReference {
	readonly sequences: readonly {
		readonly name: string;
		readonly token_ids: readonly number[];
		readonly models: Readonly<Record<'q4' | 'fp32', readonly { readonly ids: number[]; readonly logits: number[] }[]>>;
	}[];
}

const models = new URL('../../models/pocket/', import.meta.url);
export const REFERENCE_FILE = new URL('../../models/pocket/self_test.json', import.meta.url);

/** The first positions of the story, for one of the two weight files, as the bytes of a reference file. */
export function makeReference(weights: 'q4' | 'fp32'): Uint8Array<ArrayBuffer> {
	const full = JSON.parse(readFileSync(new URL('reference_logits.json', models), 'utf8')) as FullReference;
	const story = full.sequences.find(({ name }) => name === 'fox story');
	if (story === undefined) throw new Error('no such sequence');
	const length = REFERENCE_PREFILLED + REFERENCE_STEPS;
	const reference: Reference = {
		tokens: story.token_ids.slice(0, length),
		top: story.models[weights]
			.slice(0, length)
			.map(({ ids, logits }) => ids.slice(0, KEPT).map((id, i) => [id, logits[i] as number] as const))
	};
	return new TextEncoder().encode(`${JSON.stringify(reference)}\n`);
}

if (import.meta.main) {
	const bytes = makeReference('q4');
	writeFileSync(REFERENCE_FILE, bytes);
	process.stdout.write(`${createHash('sha256').update(bytes).digest('hex')} ${bytes.length}\n`);
}
