/** The pocket model laid out as model hosts lay theirs out, so that it can stand for a foreign one. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cutOut } from './models-external.ts';

const POCKET = path.join(import.meta.dirname, '../../models/pocket');

/** Bytes of a file of the pocket model. */
export function pocketFile(name: string): Buffer {
	return readFileSync(path.join(POCKET, name));
}

/** Names in a repository with the 4-bit weights alone. */
export const SMALL_NAMES = [
	'config.json',
	'generation_config.json',
	'tokenizer.json',
	'tokenizer_config.json',
	'README.md',
	'onnx/model_q4.onnx'
] as const;

/** Paths → bytes: `/acme/small` (4 bit), `/acme/both` (fp32 and 4 bit), `/acme/cut` (4 bit, its data beside it under a name of its own). */
export function repositories(): ReadonlyMap<string, Buffer> {
	const shared: readonly (readonly [string, Buffer])[] = [
		...['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'].map(
			(name) => [name, pocketFile(name)] as const
		),
		['README.md', Buffer.from('---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n')]
	];
	const q4 = ['onnx/model_q4.onnx', pocketFile('model_q4.onnx')] as const;
	const fp32 = ['onnx/model.onnx', pocketFile('model_fp32.onnx')] as const;
	const at = (base: string, files: readonly (readonly [string, Buffer])[]) =>
		files.map(([name, bytes]) => [`${base}${name}`, bytes] as const);
	const { graph, data } = cutOut(q4[1], 'weights.bin');
	return new Map([
		...at('/acme/small/resolve/main/', [...shared, q4]),
		...at('/acme/both/resolve/main/', [...shared, q4, fp32]),
		...at('/acme/cut/resolve/main/', [...shared, ['onnx/model.onnx', graph], ['onnx/weights.bin', data]])
	]);
}
