/**
 * Markdown as a tree of a few harmless kinds. Answers are hostile input: whatever is not named here becomes text, so no image is
 * fetched, no tag is made, and a link is only an address until a person has seen it and said yes.
 */
import type { Token, Tokens } from 'marked';
import { markdown } from './markdown-reader.svelte.ts';
import { t } from '../language/language.svelte.ts';

/** A piece of running text. */
export type Inline =
	| { readonly kind: 'text'; readonly text: string }
	| { readonly kind: 'code'; readonly text: string }
	| { readonly kind: 'break' }
	/** TeX; `display` asks for a line of its own. */
	| { readonly kind: 'math'; readonly text: string; readonly display: boolean }
	| { readonly kind: 'strong'; readonly parts: readonly Inline[] }
	| { readonly kind: 'em'; readonly parts: readonly Inline[] }
	| { readonly kind: 'del'; readonly parts: readonly Inline[] }
	/** `address` is http, https or mailto, as the browser would write it. */
	| { readonly kind: 'link'; readonly address: string; readonly parts: readonly Inline[] };

/** A block of an answer. */
export type Block =
	| { readonly kind: 'paragraph'; readonly parts: readonly Inline[] }
	| { readonly kind: 'heading'; readonly level: number; readonly parts: readonly Inline[] }
	| { readonly kind: 'code'; readonly language: string; readonly text: string }
	| { readonly kind: 'math'; readonly text: string }
	| { readonly kind: 'quote'; readonly blocks: readonly Block[] }
	| { readonly kind: 'list'; readonly start: number | undefined; readonly items: readonly ListItem[] }
	| { readonly kind: 'table'; readonly head: readonly Cell[]; readonly rows: readonly (readonly Cell[])[] }
	| { readonly kind: 'rule' };

export interface ListItem {
	/** Of a task list; undefined elsewhere. */
	readonly done: boolean | undefined;
	readonly blocks: readonly Block[];
}

export interface Cell {
	readonly align: 'start' | 'center' | 'end';
	readonly parts: readonly Inline[];
}

/** A block longer than this is shown as it is: parsing it anew for every word would stop the page. */
const LONGEST_PARSED = 20_000;
/** Deeper than this no honest answer goes; the rest is shown as text. */
const DEEPEST = 12;

/** Characters that turn the direction of what follows: harmless in a paragraph of its own, a trap in code and addresses. */
const TURNERS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text in which direction marks are seen instead of obeyed. */
export const withTurnersShown = (text: string): string =>
	text.replaceAll(TURNERS, (mark) => `⟨U+${mark.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}⟩`);

/** The address as the browser would write it, if it is of a kind that may be opened at all. */
export function openable(address: string): string | undefined {
	if (!/^(https?:|mailto:)/i.test(address)) return undefined;
	const url = URL.parse(address);
	if (!url || !['http:', 'https:', 'mailto:'].includes(url.protocol)) return undefined;
	// A name before the host ("https://bank.example@evil.example") is there to mislead.
	if (url.username !== '' || url.password !== '') return undefined;
	return url.href;
}

/** The blocks of `text`. */
export const parse = (text: string): readonly Block[] => blocksOf(tokensOf(text), 0);

/**
 * Parses a text that grows. Blocks that can change no more are kept; only the end is read again, so that a long answer costs as
 * much per word as a short one.
 */
export class GrowingMarkdown {
	#done: readonly Block[] = [];
	#read = '';

	/** The blocks of `text`; cheap when it begins with what was parsed before. */
	update(text: string): readonly Block[] {
		const clean = normal(text);
		if (!clean.startsWith(this.#read)) {
			this.#done = [];
			this.#read = '';
		}
		const tokens = tokensOf(clean.slice(this.#read.length));
		// The last block may go on, and the blank line before it still decides whether a list is one list.
		let last = tokens.findLastIndex((token) => token.type !== 'space');
		// What touches it may go with it: a line of "=" makes one heading of all lines above it, up to a blank one.
		while (last > 0 && !endsBlank(tokens[last - 1])) last--;
		const settled = tokens.slice(0, Math.max(0, last));
		const raw = settled.reduce((sum, token) => sum + token.raw.length, 0);
		// `raw` is what the lexer consumed; were it ever to differ from the source, parse whole rather than show it wrong.
		if (settled.length > 0 && clean.startsWith(settled.map((token) => token.raw).join(''), this.#read.length)) {
			this.#done = [...this.#done, ...blocksOf(settled, 0)];
			this.#read = clean.slice(0, this.#read.length + raw);
			return [...this.#done, ...blocksOf(tokens.slice(settled.length), 0)];
		}
		return [...this.#done, ...blocksOf(tokens, 0)];
	}
}

/** Whether a blank line ends this token; many take it into themselves. */
const endsBlank = (token: Token | undefined): boolean =>
	token?.type === 'space' || /\n[ \t]*\n$/.test(token?.raw ?? '');

/** Tabs and line ends as the lexer makes them, so that positions agree. */
const normal = (text: string): string => text.replaceAll(/\r\n?/g, '\n').replaceAll('\u0000', '\ufffd');

function tokensOf(text: string): readonly Token[] {
	const clean = normal(text);
	if (clean.length > LONGEST_PARSED && !/\n\s*\n/.test(clean)) return [plain(clean)];
	try {
		return markdown.lexed(clean) ?? [plain(clean)];
	} catch {
		return [plain(clean)];
	}
}

const plain = (text: string): Tokens.Text => ({ type: 'text', raw: text, text, escaped: false });

const blocksOf = (tokens: readonly Token[], depth: number): readonly Block[] =>
	tokens.flatMap((token) => blockOf(token as Tokens.Generic, depth));

function blockOf(token: Tokens.Generic, depth: number): readonly Block[] {
	if (depth > DEEPEST) return asText(token.raw);
	switch (token.type) {
		case 'space':
		case 'def':
			return [];
		case 'paragraph':
		case 'text':
			return [{ kind: 'paragraph', parts: inlines(token, depth) }];
		case 'math':
			return [{ kind: 'math', text: String(token.text) }];
		case 'heading':
			return [{ kind: 'heading', level: Number(token.depth), parts: inlines(token, depth) }];
		case 'code':
			return [{ kind: 'code', language: languageOf(token.lang), text: withTurnersShown(String(token.text)) }];
		case 'blockquote':
			return [{ kind: 'quote', blocks: blocksOf(token.tokens ?? [], depth + 1) }];
		case 'hr':
			return [{ kind: 'rule' }];
		case 'list': {
			const list = token as Tokens.List;
			return [
				{
					kind: 'list',
					start: list.ordered ? Number(list.start) || 1 : undefined,
					items: list.items.map((item) => ({
						done: item.task ? item.checked === true : undefined,
						blocks: blocksOf(
							item.tokens.filter((part) => part.type !== 'checkbox'),
							depth + 1
						)
					}))
				}
			];
		}
		case 'table': {
			const table = token as Tokens.Table;
			const cell = ({ tokens, text, align }: Tokens.TableCell): Cell => ({
				align: align === 'right' ? 'end' : align === 'center' ? 'center' : 'start',
				parts: inlines({ type: 'cell', raw: text, tokens }, depth)
			});
			return [{ kind: 'table', head: table.header.map(cell), rows: table.rows.map((row) => row.map(cell)) }];
		}
		// Raw HTML and whatever a later version of the lexer may invent: as it was written.
		default:
			return asText(token.raw);
	}
}

const asText = (raw: string): readonly Block[] => {
	const text = raw.replace(/\n+$/, '');
	return text === '' ? [] : [{ kind: 'paragraph', parts: [{ kind: 'text', text }] }];
};

/** What follows the fence, if it looks like the name of a language. */
const languageOf = (info: unknown): string => /^[\w+#.-]{1,24}/.exec(typeof info === 'string' ? info : '')?.[0] ?? '';

function inlines(token: Tokens.Generic, depth: number): readonly Inline[] {
	if (!token.tokens || depth > DEEPEST) return [{ kind: 'text', text: String(token.text ?? token.raw) }];
	return token.tokens.flatMap((part) => inlineOf(part as Tokens.Generic, depth + 1));
}

function inlineOf(token: Tokens.Generic, depth: number): readonly Inline[] {
	switch (token.type) {
		case 'text':
			return token.tokens ? inlines(token, depth) : [{ kind: 'text', text: String(token.text) }];
		case 'escape':
			return [{ kind: 'text', text: String(token.text) }];
		case 'codespan':
			return [{ kind: 'code', text: withTurnersShown(String(token.text)) }];
		case 'math':
			return [{ kind: 'math', text: String(token.text), display: token.display === true }];
		case 'br':
			return [{ kind: 'break' }];
		case 'strong':
		case 'em':
		case 'del':
			return [{ kind: token.type, parts: inlines(token, depth) }];
		case 'link': {
			const address = openable(String(token.href));
			const parts = inlines(token, depth);
			if (address === undefined) return [...parts, ...addressAsText(token, String(token.href))];
			return [{ kind: 'link', address, parts }];
		}
		// An image would tell its server who reads this, and when. Its words and its address stay.
		case 'image':
			return [
				{ kind: 'text', text: t('chat.image', { description: String(token.text) }) },
				...addressAsText(token, String(token.href))
			];
		default:
			return [{ kind: 'text', text: token.raw }];
	}
}

/** The address behind words, written out, unless the words are the address. */
const addressAsText = (token: Tokens.Generic, address: string): readonly Inline[] =>
	address === '' || token.text === address
		? []
		: [
				{ kind: 'text', text: ' (' },
				{ kind: 'code', text: withTurnersShown(address) },
				{ kind: 'text', text: ')' }
			];
