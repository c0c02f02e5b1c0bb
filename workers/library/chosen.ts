/** A repository among files that a person chose or dropped: a folder, or some files of one. */
import { Refusal } from '#lib/protocol/errors.ts';
import { cleanName } from '#lib/engine/library/names.ts';
import type { Place } from './place.ts';

/** More files than this are a folder chosen by mistake. */
const MOST_FILES = 4096;

export interface Chosen {
	readonly place: Place;
	/** By the folder's name, else by that of the weights. */
	readonly name: string;
	file(path: string): File | undefined;
}

/** Refusals: `oversized` for a great many files, `model-unsupported` without config.json among them. */
export function chosenPlace(files: readonly File[]): Chosen {
	if (files.length > MOST_FILES) throw new Refusal('oversized', 'files');
	const paths = new Map(files.map((file) => [file.webkitRelativePath || file.name, file]));
	const configs = [...paths.keys()].filter((path) => /(^|\/)config\.json$/.test(path));
	// The one that lies highest: others belong to parts of the model or to what lies beside it.
	const config = configs.sort((a, b) => a.split('/').length - b.split('/').length || (a < b ? -1 : 1))[0];
	if (config === undefined) throw new Refusal('model-unsupported', 'no config.json among the files');
	const folder = config.slice(0, -'config.json'.length);
	const within = new Map(
		[...paths].filter(([path]) => path.startsWith(folder)).map(([path, file]) => [path.slice(folder.length), file])
	);
	const weights = [...within.keys()].filter((path) => /\.onnx$/i.test(path));
	const file = (path: string) => within.get(path);
	const text = async (path: string, limit: number) => file(path)?.slice(0, limit).text();
	const named =
		folder.split('/').at(-2) ??
		weights[0]
			?.split('/')
			.at(-1)
			?.replace(/\.onnx$/i, '');
	return {
		name: cleanName(named),
		file,
		place: {
			async text(path, limit) {
				if ((file(path)?.size ?? 0) > limit) throw new Refusal('oversized', path);
				return text(path, limit);
			},
			opening: text,
			async see(path) {
				const found = file(path);
				return found === undefined ? undefined : { bytes: found.size, validator: undefined };
			},
			async read(path, at, length) {
				const bytes = await file(path)
					?.slice(at, at + length)
					.arrayBuffer();
				return new Uint8Array(bytes ?? new ArrayBuffer(0));
			},
			address: () => undefined,
			near: true,
			weights
		}
	};
}
