/** Names that strangers chose, made fit to be shown and to be used as names of files and addresses. */

/** What offers can carry (protocol/model). */
export const MOST_NAME = 64;
/** A licence is an SPDX identifier or a word; a sentence is none. */
const MOST_LICENCE = 64;
/** Longest name of an external data file; file systems end at 255 bytes. */
export const MOST_LOCATION = 200;

/** Controls, formats (bidirectional marks and isolates among them), surrogates, private use, unassigned, line and paragraph separators. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A name in one line that cannot turn the text around it; `fallback` when nothing is left of it. */
export function cleanName(given: unknown, fallback = 'Model'): string {
	return shown(given, MOST_NAME) ?? fallback;
}

/** A licence as its publisher states it, or undefined. */
export function cleanLicence(given: unknown): string | undefined {
	return shown(given, MOST_LICENCE);
}

function shown(given: unknown, most: number): string | undefined {
	if (typeof given !== 'string') return undefined;
	// Cut before it is cleaned, so that a name of a megabyte costs nothing; cut again because normalising can lengthen.
	const clean = given
		.slice(0, 4 * most)
		.normalize('NFC')
		.replaceAll(/\s/gu, ' ')
		.replaceAll(UNSEEN, '')
		.replaceAll(/ +/g, ' ')
		.trim()
		.slice(0, most)
		// The cut may have left half of a pair.
		.replace(/[\uD800-\uDBFF]$/, '')
		.trim();
	return clean === '' ? undefined : clean;
}

/**
 * Whether a name in a graph may be used for a file beside it: plain folders and names, nothing that leaves the folder, no address. What else
 * a graph names is a graph to refuse.
 */
export function isPlainLocation(location: string): boolean {
	if (location.length === 0 || location.length > MOST_LOCATION) return false;
	const steps = location.split('/');
	return steps.every((step) => /^[\w.+ -]+$/.test(step) && !/^\.+$/.test(step) && step.trim() === step);
}
