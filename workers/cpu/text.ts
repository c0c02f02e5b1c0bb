/**
 * Text to token ids and back, for byte-level BPE tokenizers (GPT-2's kind) in Hugging Face's tokenizer.json.
 *
 * Two encoders of one vocabulary: `encodeMarkup` knows the special tokens and reads only our own template; `encodeContent` has never
 * heard of them, so nothing a person types can become one. The library's own switch does not exist: it always splits at added tokens.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { Refusal } from '#lib/protocol/errors.ts';

export interface Text {
	/** For template text only. */
	encodeMarkup(text: string): number[];
	/** For words of people and models: never a special token. Lone surrogates become U+FFFD, as everywhere in UTF-8. */
	encodeContent(text: string): number[];
	/** A new reader of a stream of tokens. */
	reader(): TokenReader;
	/** Characters (UTF-16) of content beyond which no encoding can fit into `tokens` tokens. */
	mostCharacters(tokens: number): number;
}

export interface TokenReader {
	/** The text that this token completes: never half a character, nothing for special tokens. */
	push(token: number): string;
}

interface TokenizerJson {
	readonly added_tokens: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
	readonly model: { readonly type: string; readonly vocab: Readonly<Record<string, number>> };
	readonly pre_tokenizer: unknown;
	readonly decoder: { readonly type: string } | null;
}

/** Refusal `engine-load-failed` when the file is not of this kind or does not have `vocabularySize` tokens. */
export function openText(json: unknown, config: object, vocabularySize: number): Text {
	if (!isByteLevel(json)) throw new Refusal('engine-load-failed', 'not a byte-level tokenizer');
	const special = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id));
	const vocab = Object.entries(json.model.vocab);
	if (vocab.length !== vocabularySize) throw new Refusal('engine-load-failed', 'vocabulary of another size');
	const ordinary = Object.fromEntries(vocab.filter(([, id]) => !special.has(id)));
	const markup = new Tokenizer(json, config);
	const content = new Tokenizer(
		{
			...json,
			added_tokens: json.added_tokens.filter((token) => !token.special),
			model: { ...json.model, vocab: ordinary }
		},
		config
	);
	const spelled = spellings(vocab, special);
	const longest = spelled.reduce((most, bytes) => Math.max(most, bytes?.length ?? 0), 1);
	return {
		encodeMarkup: (text) => markup.encode(text, { add_special_tokens: false }).ids,
		encodeContent: (text) => content.encode(text, { add_special_tokens: false }).ids,
		reader() {
			// ignoreBOM: a byte order mark that the model writes is a character like any other.
			const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
			return {
				push(token) {
					const bytes = spelled[token];
					return bytes === undefined ? '' : decoder.decode(bytes, { stream: true });
				}
			};
		},
		// Every UTF-16 unit takes a byte at least, every token spells `longest` bytes at most.
		mostCharacters: (tokens) => tokens * longest
	};
}

function isByteLevel(json: unknown): json is TokenizerJson {
	const file = json as Partial<TokenizerJson> | null;
	return (
		typeof file === 'object' &&
		file !== null &&
		Array.isArray(file.added_tokens) &&
		file.model?.type === 'BPE' &&
		file.decoder?.type === 'ByteLevel'
	);
}

/** The bytes that each token stands for; undefined for special tokens, which stand for none. */
function spellings(
	vocab: readonly [string, number][],
	special: ReadonlySet<number>
): (Uint8Array<ArrayBuffer> | undefined)[] {
	const byteOf = byteAlphabet();
	const table: (Uint8Array<ArrayBuffer> | undefined)[] = [];
	for (const [token, id] of vocab) {
		if (special.has(id)) continue;
		table[id] = Uint8Array.from(token, (character) => {
			const byte = byteOf.get(character);
			if (byte === undefined) throw new Refusal('engine-load-failed', 'a token that is not spelled in bytes');
			return byte;
		});
	}
	return table;
}

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up, in order. */
function byteAlphabet(): Map<string, number> {
	const alphabet = new Map<string, number>();
	let next = 0x100;
	for (let byte = 0; byte < 256; byte++) {
		const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
		alphabet.set(String.fromCodePoint(printable ? byte : next++), byte);
	}
	return alphabet;
}
