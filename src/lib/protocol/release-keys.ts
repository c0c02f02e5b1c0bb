/**
 * ReleaseKeysV1: whose word counts for one line of releases. Two roles with keys of their own, m of n each: `release` signs releases and
 * the next keys, `directory` signs lists of doors. Nobody holds a key of both, so a stolen one never does the other's work.
 */
import { MAX_ROLE_KEYS } from './co-signed.ts';
import { toHex } from './encode.ts';
import { kind, type BodyOf } from './envelope.ts';
import { Refusal } from './errors.ts';
import { bytes, extensions, fields, integer, list, stamp, text, type Infer, type Shape } from './shape.ts';

/** The line every checkout builds for: its only key can be made by anyone, and every screen says so. */
export const DEVELOPMENT_LINE = 'fireweed-development';

/** Most versions of the keys of a line: all of them are checked one after the other whenever a release is. */
export const MAX_KEYS_VERSION = 64;

/** Longest a line's name and a key's name may be, in UTF-16 units. */
export const MAX_NAME = 40;

const role = fields({
	/** How many of the keys must sign. */
	threshold: integer(1, MAX_ROLE_KEYS),
	/** `name` is what a person reads: whom the holders say this is. */
	keys: list(fields({ name: text(MAX_NAME, 1), key: bytes(32) }), MAX_ROLE_KEYS, 1)
});

const plain = fields({
	line: text(MAX_NAME, 1),
	/** Grows by one with every change. */
	version: integer(1, MAX_KEYS_VERSION),
	release: role,
	directory: role,
	issuedAt: stamp,
	extensions
});

/** Beside the fields: a threshold that can be reached, and every key and name once in both roles together. */
const sound: Shape<Infer<typeof plain>> = {
	...plain,
	check: (value, path) => {
		const body = plain.check(value, path);
		for (const each of ['release', 'directory'] as const) {
			if (body[each].threshold > body[each].keys.length)
				throw new Refusal('malformed', `${path}.${each}: more keys needed than there are`);
		}
		const all = [...body.release.keys, ...body.directory.keys];
		if (new Set(all.map(({ key }) => toHex(key))).size < all.length)
			throw new Refusal('malformed', `${path}: a key stands twice`);
		if (new Set(all.map(({ name }) => name)).size < all.length)
			throw new Refusal('malformed', `${path}: a name stands twice`);
		return body;
	}
};

export const releaseKeys = kind('ReleaseKeys', 1, sound, 4096);
export type ReleaseKeys = BodyOf<typeof releaseKeys>;
export type RoleName = 'release' | 'directory';
