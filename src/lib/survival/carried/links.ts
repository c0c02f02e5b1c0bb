/**
 * How the modules of a build find each other without a server. In a page opened from disk a browser loads no module beside it, so each
 * becomes a `blob:`; a blob has no folder, so what was relative is written out. Pure.
 */

/** Stands for the folder of the app; reserved by RFC 2606, so no request for it can ever leave. */
export const CARRIED_ORIGIN = 'https://carried.invalid/';

/** A relative specifier in an import or export, or in `import()`; in a bundle's code never anything else. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(\s*|\bimport\s*)(["'`])(\.{1,2}\/[^"'`\\]+)\2/g;

/** Paths that the module imports before it runs, and those it may import later. */
export function importsOf(
	code: string,
	path: string,
	exists: (path: string) => boolean
): { readonly first: readonly string[]; readonly later: readonly string[] } {
	const first = new Set<string>();
	const later = new Set<string>();
	for (const [, how = '', , specifier = ''] of code.matchAll(SPECIFIER)) {
		const target = resolved(specifier, path);
		if (exists(target)) (how.includes('(') ? later : first).add(target);
	}
	return { first: [...first], later: [...later] };
}

/**
 * The module's code with the addresses of others put in. `first`: address of a path that runs before it; `import()` goes through the
 * global function `loader`, so that what is needed later is made later.
 */
export function linked(
	code: string,
	path: string,
	first: (path: string) => string | undefined,
	loader: string
): string {
	return code
		.replace(SPECIFIER, (whole: string, how: string, quote: string, specifier: string) => {
			const target = resolved(specifier, path);
			if (how.includes('(')) return `${loader}(${JSON.stringify(target)}`;
			const address = first(target);
			return address === undefined ? whole : `${how}${quote}${address}${quote}`;
		})
		.replace(/\bimport\.meta\b/g, `({url:${JSON.stringify(CARRIED_ORIGIN + path)}})`);
}

/** Module paths so that each comes after all it imports first. Undefined when they go in a circle. */
export function inOrder(imports: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
	const done = new Set<string>();
	const open = new Set<string>();
	const visit = (path: string): boolean => {
		if (done.has(path)) return true;
		if (open.has(path)) return false;
		open.add(path);
		const whole = (imports.get(path) ?? []).every(visit);
		open.delete(path);
		done.add(path);
		return whole;
	};
	return [...imports.keys()].every(visit) ? [...done] : undefined;
}

function resolved(specifier: string, path: string): string {
	return new URL(specifier, CARRIED_ORIGIN + path).href.slice(CARRIED_ORIGIN.length);
}
