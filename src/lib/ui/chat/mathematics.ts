/**
 * Where mathematics begins and ends in Markdown: `$…$`, `$$…$$`, `\(…\)`, `\[…\]`. Prices are not mathematics: an opening dollar
 * stands before no space, a closing one after no space and before no digit (Pandoc's rule), and what begins like "5 and" is none either.
 */
import type { TokenizerExtension } from 'marked';

/** Longer formulas nobody reads; they stay text. */
export const LONGEST_FORMULA = 4_000;
const LONGEST_IN_TEXT = 1_000;

/** A blank line ends it, closed or not: so a text that grows never turns what was settled before into something else. */
const BLOCK = /^ {0,3}(\$\$|\\\[)([\s\S]*?)(?:(\$\$|\\\])[ \t]*(?:\n+|$)|(?=\n[ \t]*\n)|$)/;
const INLINE: readonly (readonly [RegExp, boolean])[] = [
	[/^\$\$((?:[^$\\\n]|\\[^\n]|\n(?![ \t]*\n))+?)\$\$/, true],
	[/^\\\[((?:[^\\\n]|\\[^\]\n]|\n(?![ \t]*\n))+?)\\\]/, true],
	[
		/^\$(?![\s$]|\d[\d.,]*\s+[A-Za-z]{2})((?:[^$\\\n`]|\\[^\n])*?[^\s$\\`]|(?:[^$\\\n`]|\\[^\n])*?\\[^\s])\$(?![\dA-Za-z])/,
		false
	],
	[/^\\\(((?:[^\\\n]|\\[^)\n])+?)\\\)/, false]
];

/** Formulas on lines of their own. */
export const mathBlock: TokenizerExtension = {
	name: 'mathBlock',
	level: 'block',
	// Only within the paragraph that it would end: looking through the rest of a long text for every paragraph would stop the page.
	start(text) {
		const end = text.indexOf('\n\n');
		return /(?:^|\n) {0,3}(?:\$\$|\\\[)/.exec(end < 0 ? text : text.slice(0, end))?.index;
	},
	tokenizer(text) {
		const found = BLOCK.exec(text);
		if (!found) return undefined;
		const [raw, open, formula = '', close] = found;
		const closed =
			close === (open === '$$' ? '$$' : '\\]') && formula.trim() !== '' && formula.length <= LONGEST_FORMULA;
		return { type: closed ? 'math' : 'mathBlock', raw, text: closed ? formula.trim() : raw.trimEnd(), display: true };
	}
};

/** Formulas in running text. */
export const mathInline: TokenizerExtension = {
	name: 'mathInline',
	level: 'inline',
	start: (text) => /\$|\\[[(]/.exec(text)?.index,
	tokenizer(text) {
		const head = text.slice(0, LONGEST_IN_TEXT);
		for (const [pattern, display] of INLINE) {
			const found = pattern.exec(head);
			if (found?.[1] !== undefined && found[1].trim() !== '')
				return { type: 'math', raw: found[0], text: found[1].trim(), display };
		}
		return undefined;
	}
};
