/** The files of a model, by name: what a load brings, whatever it is brought from. */
import { Refusal } from '#lib/protocol/errors.ts';
import { KEPT_NAMES, type FileName, type RecordedFile, type RecordedModel } from '../messages.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** What a load brings: the library's wasm, the record's files, and external files in the order of the record. */
export type ModelBytes = { readonly [name in FileName]?: Bytes } & {
	readonly runtime: Bytes;
	readonly external: readonly Bytes[];
};

/** One file to bring. `name` is what messages call it and, for kept models, what it is called in their folder. */
export interface Wanted {
	readonly name: string;
	readonly file: RecordedFile;
	readonly part: { readonly name: FileName } | { readonly external: number };
}

/** Every file of a model, the large ones first. */
export function wanted({ files, external }: RecordedModel): readonly Wanted[] {
	const named = Object.keys(KEPT_NAMES) as FileName[];
	return [
		...external.map((file, i) => ({ name: `external-${i}`, file, part: { external: i } })),
		...named.flatMap((name) => {
			const file = files[name];
			return file === undefined ? [] : [{ name: KEPT_NAMES[name], file, part: { name } }];
		})
	];
}

/** What came, put in its places. */
export function gathered(runtime: Bytes, came: readonly (readonly [Wanted, Bytes])[]): ModelBytes {
	const named: { [name in FileName]?: Bytes } = {};
	const external: Bytes[] = [];
	for (const [{ part }, bytes] of came) {
		if ('name' in part) named[part.name] = bytes;
		else external[part.external] = bytes;
	}
	return { ...named, runtime, external };
}

/** The bytes of one file. Refusal `engine-load-failed` when the load did not bring it. */
export function given(bytes: ModelBytes, { name, part }: Wanted): Bytes {
	const found = 'name' in part ? bytes[part.name] : bytes.external[part.external];
	if (found === undefined) throw new Refusal('engine-load-failed', `${name} is missing`);
	return found;
}
