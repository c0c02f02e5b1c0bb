/**
 * Text to token ids and back.
 *
 * `markup` knows the special tokens and reads only the template's text; `content` has never heard of them, so nothing a person types can
 * become one. The library's own switch does not exist: it always splits at added tokens. So special tokens are found here, and the library
 * only ever sees what lies between them.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { Refusal } from '#lib/protocol/errors.ts';
import { byteAlphabet, parseTokenizer, type AddedToken, type TokenizerFile } from './tokenizer.ts';

/** What stands before a piece of a prompt: nothing, a special token, or text. */
export type Before = 'nothing' | 'special' | 'text';

export interface Text {
	/** For template text only. */
	encodeMarkup(text: string, before?: Before): number[];
	/**
	 * For words of people and models: never a special token. Lone surrogates become U+FFFD, as everywhere in UTF-8. `spaced` puts a space
	 * before it, as some tokenizers have it before the first word.
	 */
	encodeContent(text: string, spaced?: boolean): number[];
	/** Whether content gets that space after what stands before it; `spaces` is whether it ever does. */
	spacedAfter(before: Before): boolean;
	readonly spaces: boolean;
	/** What stands before whatever follows a piece of markup. */
	after(markup: string, at: Before): Before;
	/** A new reader of a stream of tokens. */
	reader(): TokenReader;
	/** Characters (UTF-16) of content beyond which no encoding can fit into `tokens` tokens. */
	mostCharacters(tokens: number): number;
}

export interface TokenReader {
	/** The text that this token completes: never half a character, nothing for special tokens. */
	push(token: number): string;
}

/** Refusal `model-unsupported` when the tokenizer is of a kind that cannot be served, or does not have `tokens` tokens. */
export function openText(json: unknown, tokens: number): Text {
	const file = parseTokenizer(json, tokens);
	const library = plainTokenizer(file);
	const special = file.added.filter((token) => token.special);
	const specialIds = new Set(special.map(({ id }) => id));
	const spelled = spellings(file, specialIds);
	const longest = spelled.reduce((most, bytes) => Math.max(most, bytes?.length ?? 0), 1);
	const cut = splitter(special);
	const spaced = (before: Before) =>
		file.spaceBefore === 'always' ? before !== 'text' : file.spaceBefore === 'first' && before === 'nothing';

	function encode(text: string, withSpace: boolean): number[] {
		if (text === '') return [];
		const { ids } = library.encode(withSpace && needsSpace(file, text) ? ` ${text}` : text, {
			add_special_tokens: false
		});
		// Cannot be, by what parseTokenizer demands; a special token in a person's words would be worse than a refusal.
		if (!ids.every((id) => Number.isSafeInteger(id) && !specialIds.has(id)))
			throw new Refusal('malformed', 'text without tokens');
		return ids;
	}

	function after(markup: string, at: Before): Before {
		const last = cut(markup).at(-1);
		return last === undefined ? at : typeof last === 'string' ? 'text' : 'special';
	}

	return {
		encodeMarkup(text, at = 'nothing') {
			let before = at;
			return cut(text).flatMap((part) => {
				const ids = typeof part === 'string' ? encode(part, spaced(before)) : [part.id];
				before = typeof part === 'string' ? 'text' : 'special';
				return ids;
			});
		},
		encodeContent: (text, withSpace = false) => encode(text, withSpace),
		spacedAfter: spaced,
		spaces: file.spaceBefore !== 'never',
		after,
		reader: () => reader(spelled, file.stripStart),
		// Every UTF-16 unit takes a byte at least, every token spells `longest` bytes at most.
		mostCharacters: (count) => count * longest * file.shrinks
	};
}

function plainTokenizer({ plain }: TokenizerFile): Tokenizer {
	try {
		return new Tokenizer(plain, {});
	} catch {
		// Its errors quote the file; a regular expression that does not compile is the usual one.
		throw new Refusal('model-unsupported', 'the library cannot read the tokenizer');
	}
}

/** A byte-level tokenizer leaves a space alone that is there already; one over words adds its own to it. */
function needsSpace({ spelling }: TokenizerFile, text: string): boolean {
	return spelling === 'words' || !text.startsWith(' ');
}

/** Cuts at special tokens: the leftmost first, of several there the longest; spaces that belong to one go with it. */
function splitter(special: readonly AddedToken[]): (text: string) => readonly (string | AddedToken)[] {
	if (special.length === 0) return (text) => (text === '' ? [] : [text]);
	const byContent = new Map(special.map((token) => [token.content, token]));
	const escape = (content: string) => content.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
	const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
	const pattern = new RegExp(`(${longestFirst.map(escape).join('|')})`);
	return (text) => {
		const parts = text.split(pattern).map((part, i) => (i % 2 === 0 ? part : (byContent.get(part) as AddedToken)));
		return parts.flatMap((part, i): (string | AddedToken)[] => {
			if (typeof part !== 'string') return [part];
			const [left, right] = [parts[i - 1] as AddedToken | undefined, parts[i + 1] as AddedToken | undefined];
			const from = left?.rstrip === true ? part.trimStart() : part;
			const kept = right?.lstrip === true ? from.trimEnd() : from;
			return kept === '' ? [] : [kept];
		});
	};
}

function reader(spelled: readonly (Uint8Array<ArrayBuffer> | undefined)[], stripStart: number): TokenReader {
	// ignoreBOM: a byte order mark that the model writes is a character like any other.
	const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
	let toStrip = stripStart;
	return {
		push(token) {
			const bytes = spelled[token];
			if (bytes === undefined) return '';
			let text = decoder.decode(bytes, { stream: true });
			while (toStrip > 0 && text !== '') {
				toStrip = text.startsWith(' ') ? toStrip - 1 : 0;
				if (text.startsWith(' ')) text = text.slice(1);
			}
			return text;
		}
	};
}

/** The bytes that each token stands for; undefined for special tokens and holes, which stand for none. */
function spellings(
	{ spelling, vocabulary, added }: TokenizerFile,
	specialIds: ReadonlySet<number>
): (Uint8Array<ArrayBuffer> | undefined)[] {
	const byteOf = byteAlphabet();
	const utf8 = new TextEncoder();
	const table: (Uint8Array<ArrayBuffer> | undefined)[] = [];
	const inBytes = (token: string) =>
		Uint8Array.from(token, (character) => {
			const byte = byteOf.get(character);
			if (byte === undefined) throw new Refusal('model-unsupported', 'a token that is not spelled in bytes');
			return byte;
		});
	const inWords = (token: string) => {
		const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
		return byte === undefined ? utf8.encode(token.replaceAll('▁', ' ')) : Uint8Array.of(Number.parseInt(byte, 16));
	};
	const isAdded = new Set(added.map(({ id }) => id));
	for (const [token, id] of vocabulary) {
		if (!isAdded.has(id)) table[id] = spelling === 'bytes' ? inBytes(token) : inWords(token);
	}
	// Among tokens spelled in bytes, added ones still stand for themselves.
	for (const { id, content } of added) {
		if (!specialIds.has(id)) table[id] = spelling === 'bytes' ? utf8.encode(content) : inWords(content);
	}
	return table;
}
