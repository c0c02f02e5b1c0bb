/**
 * Streaming text for people who hear it: whole sentences, each once, never single tokens.
 */

/** A sentence longer than this is read out in part, so that a text without full stops is not silent until its end. */
const LONGEST_UNSPOKEN = 400;

/** Made with the first answer: 30 ms here and four times that on a slow phone, whose first screen would wait for it. */
const made: { segmenter?: Intl.Segmenter } = {};
const segmenter = (): Intl.Segmenter => (made.segmenter ??= new Intl.Segmenter(undefined, { granularity: 'sentence' }));

/** What can be read out of `text` from `from` on: complete sentences, and everything when the text is `complete`. */
export function sentencesFrom(
	text: string,
	from: number,
	complete: boolean
): { readonly sentences: readonly string[]; readonly upTo: number } {
	const rest = text.slice(from);
	const sentences: string[] = [];
	let upTo = from;
	const segments = [...segmenter().segment(rest)];
	segments.forEach(({ segment }, at) => {
		const last = at === segments.length - 1;
		// The last one may still grow, unless a line ended it.
		if (last && !complete && !segment.endsWith('\n') && segment.length < LONGEST_UNSPOKEN) return;
		upTo += segment.length;
		const spoken = spokenForm(segment);
		if (spoken !== '') sentences.push(spoken);
	});
	return { sentences, upTo };
}

/** Without the marks of markdown, which a screen reader would spell out. */
export const spokenForm = (text: string): string =>
	text
		.replaceAll(/```\w*/g, ' ')
		.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
		.replaceAll(/^[\s>]*([#>*+-]+|\d+[.)])\s+/gm, '')
		.replaceAll(/[*_`~|]+/g, ' ')
		.replaceAll(/\s+/g, ' ')
		.trim();
