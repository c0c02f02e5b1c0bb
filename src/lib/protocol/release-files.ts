/**
 * The list of a release's files: path, SHA-256 and size of each. Unsigned; the release manifest names it by its hash.
 *
 * Canonical DAG-CBOR `{type: "ReleaseFiles", version: 1, files: [...]}`, sorted by path, each path once. A path says nothing a server or
 * a browser could read in two ways.
 */
import { decodeCanonical, encodeCanonical } from './encode.ts';
import { Refusal } from './errors.ts';
import { MAX_FILES, MAX_RELEASE_BYTES } from './release.ts';
import { bytes, fields, integer, list, optional, text, word, type Infer, type Shape } from './shape.ts';

/** Longest list in bytes; today's has about 6,000. */
export const MAX_FILE_LIST = 256 * 1024;
/** The signed documents live here, beside the files they speak of; no file of the app may. */
export const RELEASE_FOLDER = 'release/';
const MAX_PATH = 200;
/** Letters of any case, figures and `. _ - ~ @ +` between slashes: nothing that is escaped, and no step that is only dots. */
const PATH = /^(?!\.+(?:\/|$))[\w.~@+-]+(?:\/(?!\.+(?:\/|$))[\w.~@+-]+)*$/;

const filePath: Shape<string> = {
	check: (value, where) => {
		const path = text(MAX_PATH, 1).check(value, where);
		if (!PATH.test(path)) throw new Refusal('malformed', `${where}: not a plain path`);
		if (path.startsWith(RELEASE_FOLDER)) throw new Refusal('malformed', `${where}: lies among the signed documents`);
		return path;
	}
};

const file = fields({
	/** Relative to the app's folder. */
	path: filePath,
	sha256: bytes(32),
	bytes: integer(0, MAX_RELEASE_BYTES),
	/** Size of the gzip twin at `<path>.gz`, where there is one; what it unpacks to is what `sha256` names. */
	packed: optional(integer(1, MAX_RELEASE_BYTES))
});
export type ReleaseFile = Infer<typeof file>;

const shape = fields({
	type: word('ReleaseFiles'),
	version: integer(1, 1),
	files: list(file, MAX_FILES, 1)
});

/** Sorts and encodes. Refusal `malformed` for a path twice or one that cannot stand in a list. */
export function encodeFiles(files: readonly ReleaseFile[]): Uint8Array {
	const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
	const encoded = encodeCanonical({ type: 'ReleaseFiles', version: 1, files: sorted });
	decodeFiles(encoded);
	return encoded;
}

/** Refusals: `oversized`, `malformed`, `not-canonical`. */
export function decodeFiles(encoded: Uint8Array): readonly ReleaseFile[] {
	const { files } = shape.check(decodeCanonical(encoded, MAX_FILE_LIST), 'ReleaseFiles');
	if (files.some(({ path }, i) => i > 0 && path <= (files[i - 1]?.path ?? '')))
		throw new Refusal('malformed', 'ReleaseFiles: paths not in ascending order');
	return files;
}
