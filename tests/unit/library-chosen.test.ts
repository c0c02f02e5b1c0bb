/** Files of a person as a repository: whatever was chosen with them does not get in the way. */
import { describe, expect, test } from 'vitest';
import type { DeviceFacts } from '#lib/engine/library/fit.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chosenPlace } from '#workers/library/chosen.ts';
import { describe as describeModel } from '#workers/library/look.ts';
import { cutOut } from '../interop/models-external.ts';
import { pocketFile } from '../interop/models-repository.ts';

const facts: DeviceFacts = { secure: true, canKeep: true, memoryBytes: undefined, quota: undefined, used: 0 };

/** A file as a folder chooser hands it over (`path`), or a plain one. */
function file(path: string, content: Uint8Array<ArrayBuffer> | string): File {
	const made = new File([content], path.split('/').at(-1) ?? '');
	Object.defineProperty(made, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
	return made;
}

const pocket = (at: string) =>
	['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) =>
		file(at + name, new Uint8Array(pocketFile(name)))
	);
const WEIGHTS = pocketFile('model_q4.onnx');
const { graph, data } = cutOut(WEIGHTS, 'data/part.bin');

async function found(files: readonly File[]) {
	const chosen = chosenPlace(files);
	const look = await describeModel(chosen.place, { name: chosen.name, from: undefined, weights: undefined, facts });
	return {
		name: look?.record.name,
		weights: look?.weights,
		parts: look?.record.parts,
		precision: look?.record.precision
	};
}

describe('found', () => {
	test('in plain files', async () => {
		const files = [...pocket(''), file('tiny.onnx', new Uint8Array(WEIGHTS))];
		expect(await found(files)).toMatchObject({ name: 'tiny', weights: 'tiny.onnx', precision: 'q4' });
	});

	test('in a folder among others, with data beside the graph', async () => {
		const files = [
			file('Tiny/notes/config.json', '{}'),
			file('Tiny/.DS_Store', 'x'),
			...pocket('Tiny/'),
			file('Tiny/onnx/model.onnx', new Uint8Array(graph)),
			file('Tiny/onnx/data/part.bin', new Uint8Array(data))
		];
		const { parts, ...rest } = await found(files);
		expect(rest).toEqual({ name: 'Tiny', weights: 'onnx/model.onnx', precision: 'q4' });
		expect(parts?.at(-1)).toEqual({
			...{ role: 'external', location: 'data/part.bin', addresses: [], bytes: data.length, kept: false }
		});
	});
});

test.each<[string, readonly File[], string]>([
	['nothing', [], 'model-unsupported'],
	['weights alone', [file('model.onnx', new Uint8Array(WEIGHTS))], 'model-unsupported'],
	['no weights', pocket(''), 'model-unsupported'],
	['weights that are none', [...pocket(''), file('model.onnx', 'version https://git-lfs')], 'model-unsupported'],
	['a graph without its data', [...pocket(''), file('model.onnx', new Uint8Array(graph))], 'model-unsupported'],
	['an empty file', [...pocket(''), file('model.onnx', '')], 'model-unsupported'],
	['a great many files', Array.from({ length: 5000 }, (_, i) => file(`${i}`, '')), 'oversized']
])('%s is refused', async (_, files, code) => {
	expect(await found(files).then(() => 'accepted', codeOf)).toBe(code);
});
