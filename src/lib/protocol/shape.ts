/**
 * Shapes of signed bodies: one declaration gives the check at the door and the TypeScript type.
 *
 * Unknown fields are refused outside `extensions` (house habit 8): a field that one reader ignores and another obeys is an attack.
 * Every failure is a Refusal `malformed` that names the field.
 */
import { CID } from 'multiformats/cid';
import { Refusal } from './errors.ts';

/** Checks an untrusted value and returns it with its type. `path` names the field in refusals. */
export interface Shape<T> {
	readonly check: (value: unknown, path: string) => T;
	/** True when the field may be absent. */
	readonly optional?: true;
	/** Names of a map's fields, `?` behind those that may be absent: what the specification lists. */
	readonly names?: readonly string[];
}

/** The type a shape accepts. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type RequiredKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? never : K }[keyof F];
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F];
type Body<F extends Fields> = { readonly [K in RequiredKeys<F>]: Infer<F[K]> } & {
	readonly [K in OptionalKeys<F>]?: Infer<F[K]>;
};

function refuse(path: string, what: string): never {
	throw new Refusal('malformed', `${path}: ${what}`);
}

/** Exactly `length` bytes. */
export function bytes(length: number): Shape<Uint8Array> {
	return {
		check: (value, path) =>
			value instanceof Uint8Array && value.length === length ? value : refuse(path, `expected ${length} bytes`)
	};
}

/** At most `max` bytes. */
export function blob(max: number): Shape<Uint8Array> {
	return {
		check: (value, path) =>
			value instanceof Uint8Array && value.length <= max ? value : refuse(path, `expected at most ${max} bytes`)
	};
}

/** Text of `min` to `max` UTF-16 units without lone surrogates (which UTF-8 cannot carry). */
export function text(max: number, min = 0): Shape<string> {
	return {
		check: (value, path) =>
			typeof value === 'string' && value.length >= min && value.length <= max && value.isWellFormed()
				? value
				: refuse(path, `expected text of ${min} to ${max}`)
	};
}

/** An integer from min to max, both inside. */
export function integer(min: number, max: number): Shape<number> {
	return {
		check: (value, path) =>
			typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
				? value
				: refuse(path, `expected an integer from ${min} to ${max}`)
	};
}

/** Unix milliseconds, up to the year 5138. */
export const stamp: Shape<number> = integer(0, 100_000_000_000_000);

export const flag: Shape<boolean> = {
	check: (value, path) => (typeof value === 'boolean' ? value : refuse(path, 'expected true or false'))
};

/** One of a closed set of words. */
export function word<const W extends readonly string[]>(...words: W): Shape<W[number]> {
	return {
		check: (value, path) => {
			const found = words.find((candidate) => candidate === value);
			return found === undefined ? refuse(path, `expected one of ${words.join(', ')}`) : found;
		}
	};
}

/** A CIDv1 of DAG-CBOR under SHA-256, as `encode.cidOf` makes it. */
export const link: Shape<CID> = {
	check: (value, path) => {
		const cid = CID.asCID(value);
		return cid !== null &&
			cid.version === 1 &&
			cid.code === 0x71 &&
			cid.multihash.code === 0x12 &&
			cid.multihash.size === 32
			? cid
			: refuse(path, 'expected a link');
	}
};

export function list<T>(item: Shape<T>, max: number, min = 0): Shape<readonly T[]> {
	return {
		check: (value, path) => {
			if (!Array.isArray(value) || value.length < min || value.length > max)
				refuse(path, `expected ${min} to ${max} items`);
			return value.map((entry, i) => item.check(entry, `${path}[${i}]`));
		}
	};
}

/** Marks a field that may be absent (absent, never null). */
export function optional<T>(shape: Shape<T>): Shape<T> & { readonly optional: true } {
	return { check: shape.check, optional: true };
}

/** A map with exactly these fields. */
export function fields<F extends Fields>(shapes: F): Shape<Body<F>> {
	const names = Object.keys(shapes);
	return {
		names: names.map((name) => (shapes[name]?.optional === true ? `${name}?` : name)),
		check: (value, path) => {
			if (!isMap(value)) return refuse(path, 'expected a map');
			for (const name of Object.keys(value))
				if (!Object.hasOwn(shapes, name)) refuse(`${path}.${name}`, 'unknown field');
			const checked: Record<string, unknown> = {};
			for (const name of names) {
				const shape = shapes[name] as Shape<unknown>;
				if (Object.hasOwn(value, name)) checked[name] = shape.check(value[name], `${path}.${name}`);
				else if (shape.optional !== true) refuse(`${path}.${name}`, 'missing');
			}
			return checked as Body<F>;
		}
	};
}

/** The one place where later versions may add: at most 8 named byte strings of 256 bytes each, signed with the rest. */
export const extensions: Shape<Readonly<Record<string, Uint8Array>>> = {
	check: (value, path) => {
		if (!isMap(value)) return refuse(path, 'expected a map');
		const names = Object.keys(value);
		if (names.length > 8) refuse(path, 'too many extensions');
		const checked: Record<string, Uint8Array> = {};
		for (const name of names) checked[text(32, 1).check(name, path)] = blob(256).check(value[name], `${path}.${name}`);
		return checked;
	}
};

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
