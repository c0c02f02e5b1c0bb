/**
 * Shape checks for records read back from disk or received from another tab, which may run another version of the app. Fields
 * beyond the known ones are let through: a later version may have added them.
 */
export type Check = (value: unknown) => boolean;

/** One check for every field, so that a field added to a type cannot be forgotten here. */
export type Shape<T> = { readonly [K in keyof Required<T>]: Check };

export function hasShape<T>(value: unknown, shape: Shape<T>): value is T {
	if (typeof value !== 'object' || value === null) return false;
	const fields: Record<string, unknown> = { ...value };
	return Object.entries<Check>(shape).every(([name, check]) => check(fields[name]));
}

export const text: Check = (value) => typeof value === 'string';
export const flag: Check = (value) => typeof value === 'boolean';
export const bytes: Check = (value) => value instanceof Uint8Array;
/** Finite, never negative: times, sizes, prices, rates. */
export const amount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
export const count: Check = (value) => Number.isSafeInteger(value) && amount(value);

/** Absent, or of the given kind. */
export function maybe(check: Check): Check {
	return (value) => value === undefined || check(value);
}

export function oneOf(...words: readonly string[]): Check {
	return (value) => typeof value === 'string' && words.includes(value);
}

export function listOf(check: Check): Check {
	return (value) => Array.isArray(value) && value.every(check);
}
