/**
 * A stranger's tokenizer.json, taken apart and judged: byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM) and BPE over words with bytes for what has
 * no token (Llama 2, Mistral, Gemma). What it comes to must be able to write every text and to give it back, or it is refused.
 */
import { Refusal } from '#lib/protocol/errors.ts';

export interface AddedToken {
	readonly id: number;
	readonly content: string;
	readonly special: boolean;
	/** Whether spaces before or after it belong to it. */
	readonly lstrip: boolean;
	readonly rstrip: boolean;
}

/** Where a text gets a space before its first word: nowhere, at the start of the whole prompt, or after every special token too. */
export type SpaceBefore = 'never' | 'first' | 'always';

export interface TokenizerFile {
	/** `bytes`: tokens are spelled in GPT-2's alphabet of bytes; `words`: in letters, with `▁` for a space and `<0x0A>` for a byte. */
	readonly spelling: 'bytes' | 'words';
	readonly vocabulary: ReadonlyMap<string, number>;
	readonly added: readonly AddedToken[];
	readonly spaceBefore: SpaceBefore;
	/** Spaces that the decoder takes away at the start of an answer. */
	readonly stripStart: number;
	/** How many times longer a text can be than what is left of it after normalising. */
	readonly shrinks: number;
	/** The file as the library takes it, without special tokens, without spaces of its own at the start, without a post-processor. */
	readonly plain: object;
}

type Json = Readonly<Record<string, unknown>>;
/** Unicode's own forms make one character of up to three; four is on the safe side. */
const SHRINKS = 4;
const UNICODE_FORMS: readonly unknown[] = ['NFC', 'NFD', 'NFKC', 'NFKD'];
const SPACE = '▁';

/** Refusal `model-unsupported`, with what cannot be done, or when its highest token is not `tokens - 1`. */
export function parseTokenizer(json: unknown, tokens: number): TokenizerFile {
	const file = object(json, 'the tokenizer');
	const model = object(file.model, 'the tokenizer’s model');
	if (model.type !== undefined && model.type !== 'BPE') throw unsupported(`a tokenizer of kind ${String(model.type)}`);
	if (filled(model.continuing_subword_prefix) || filled(model.end_of_word_suffix))
		throw unsupported('marks inside words');
	if (!Array.isArray(model.merges)) throw unsupported('a tokenizer without merges');
	const added = addedTokens(file.added_tokens);
	const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
	const vocabulary = vocabularyOf(model.vocab);
	const highest = Math.max(
		...[vocabulary.values(), added.map(({ id }) => id)].map((ids) => ids.reduce((a, b) => Math.max(a, b), -1))
	);
	if (highest + 1 !== tokens) throw unsupported(`a tokenizer of ${highest + 1} tokens, not ${tokens}`);
	const ordinary = [...vocabulary].filter(([, id]) => !special.has(id));
	const normalizer = normalizerOf(file.normalizer);
	const pre = preTokenizerOf(file.pre_tokenizer);
	const decoder = decoderOf(file.decoder);
	const everyByte = Array.from({ length: 256 }, (_, byte) => byte);
	const names = new Set(ordinary.map(([token]) => token));
	const spelled = decoder.spelling === 'bytes' ? [...byteAlphabet().keys()] : everyByte.map(byteToken);
	const writesAll = spelled.every((token) => names.has(token));
	if (!writesAll || (decoder.spelling === 'words' && model.byte_fallback !== true)) {
		throw unsupported('a tokenizer that cannot write every text');
	}
	if (decoder.spelling === 'bytes' && !pre.bytes)
		throw unsupported('a byte-level decoder without byte-level splitting');
	return {
		spelling: decoder.spelling,
		vocabulary,
		added,
		spaceBefore: normalizer.space === 'never' ? pre.space : normalizer.space,
		stripStart: decoder.stripStart,
		shrinks: normalizer.shrinks,
		plain: {
			...file,
			added_tokens: (file.added_tokens as unknown[]).filter((_, i) => added[i]?.special === false),
			normalizer: normalizer.plain,
			pre_tokenizer: pre.plain,
			post_processor: null,
			model: { ...model, type: 'BPE', dropout: null, unk_token: null, vocab: Object.fromEntries(ordinary) }
		}
	};
}

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up, in order. */
export function byteAlphabet(): Map<string, number> {
	const alphabet = new Map<string, number>();
	let next = 0x100;
	for (let byte = 0; byte < 256; byte++) {
		const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
		alphabet.set(String.fromCodePoint(printable ? byte : next++), byte);
	}
	return alphabet;
}

/** How a byte without a token of its own is written among words. */
export function byteToken(byte: number): string {
	return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function addedTokens(value: unknown): AddedToken[] {
	if (!Array.isArray(value)) throw unsupported('a tokenizer without a list of added tokens');
	return value.map((each) => {
		const { id, content, special, lstrip, rstrip, single_word } = object(each, 'an added token');
		if (!Number.isSafeInteger(id) || (id as number) < 0 || typeof content !== 'string' || content === '') {
			throw unsupported('an added token without id or text');
		}
		if (single_word === true) throw unsupported('added tokens that are whole words only');
		return { id: id as number, content, special: special === true, lstrip: lstrip === true, rstrip: rstrip === true };
	});
}

function vocabularyOf(value: unknown): Map<string, number> {
	const entries = Object.entries(object(value, 'the vocabulary'));
	const ids = new Set(entries.map(([, id]) => id));
	const sound = entries.every(([, id]) => Number.isSafeInteger(id) && (id as number) >= 0);
	if (!sound || ids.size !== entries.length) throw unsupported('a vocabulary whose ids are not one each');
	return new Map(entries as [string, number][]);
}

/** Only what changes letters into their Unicode forms, and spaces into `▁`: anything else would not give back what was typed. */
function normalizerOf(value: unknown): {
	readonly plain: object | null;
	readonly space: SpaceBefore;
	readonly shrinks: number;
} {
	if (value == null) return { plain: null, space: 'never', shrinks: 1 };
	const normalizer = object(value, 'the normalizer');
	const { type } = normalizer;
	if (UNICODE_FORMS.includes(type)) return { plain: normalizer, space: 'never', shrinks: SHRINKS };
	if (type === 'Prepend' && normalizer.prepend === SPACE) return { plain: null, space: 'always', shrinks: 1 };
	if (type === 'Replace' && patternOf(normalizer) === ' ' && normalizer.content === SPACE) {
		return { plain: normalizer, space: 'never', shrinks: 1 };
	}
	if (type === 'Sequence' && Array.isArray(normalizer.normalizers)) {
		const parts = normalizer.normalizers.map(normalizerOf);
		return {
			plain: { type, normalizers: parts.flatMap(({ plain }) => (plain === null ? [] : [plain])) },
			space: parts.find(({ space }) => space !== 'never')?.space ?? 'never',
			shrinks: parts.reduce((product, { shrinks }) => product * shrinks, 1)
		};
	}
	throw unsupported(`a tokenizer that changes what was typed (${String(type)})`);
}

/** The pre-tokenizer without the space it puts before the first word, and where it does so. */
function preTokenizerOf(value: unknown): {
	readonly plain: object | null;
	readonly space: SpaceBefore;
	readonly bytes: boolean;
} {
	if (value == null) return { plain: null, space: 'never', bytes: false };
	const pre = object(value, 'the pre-tokenizer');
	switch (pre.type) {
		case 'Sequence': {
			if (!Array.isArray(pre.pretokenizers)) break;
			const parts = pre.pretokenizers.map(preTokenizerOf);
			return {
				plain: { ...pre, pretokenizers: parts.map(({ plain }) => plain) },
				space: parts.find(({ space }) => space !== 'never')?.space ?? 'never',
				bytes: parts.some(({ bytes }) => bytes)
			};
		}
		case 'ByteLevel': {
			const space = pre.add_prefix_space === true ? 'always' : 'never';
			return { plain: { ...pre, add_prefix_space: false }, space, bytes: true };
		}
		case 'Metaspace': {
			const old = pre.add_prefix_space === false ? 'never' : 'always';
			const space = (pre.prepend_scheme ?? old) as SpaceBefore;
			if ((pre.replacement ?? SPACE) !== SPACE || !['never', 'first', 'always'].includes(space)) break;
			return { plain: { ...pre, str_rep: SPACE, prepend_scheme: 'never' }, space, bytes: false };
		}
		case 'Split':
			// One that removes what it splits at would lose it.
			if (String(pre.behavior).toLowerCase() === 'removed' && pre.invert !== true) break;
			return { plain: pre, space: 'never', bytes: false };
		case 'Digits':
		case 'Punctuation':
			return { plain: pre, space: 'never', bytes: false };
	}
	throw unsupported(`a tokenizer that splits by ${String(pre.type)}`);
}

function decoderOf(value: unknown): Pick<TokenizerFile, 'spelling' | 'stripStart'> {
	const decoder = object(value, 'the decoder');
	const parts = decoder.type === 'Sequence' && Array.isArray(decoder.decoders) ? decoder.decoders : [decoder];
	let spelling: TokenizerFile['spelling'] | undefined;
	let stripStart = 0;
	for (const each of parts) {
		const part = object(each, 'the decoder');
		if (part.type === 'ByteLevel') spelling = 'bytes';
		else if (part.type === 'Metaspace') {
			spelling = 'words';
			stripStart = part.prepend_scheme === 'never' || part.add_prefix_space === false ? 0 : 1;
		} else if (part.type === 'Replace' && patternOf(part) === SPACE && part.content === ' ') spelling = 'words';
		else if (part.type === 'Strip' && part.content === ' ' && (part.stop ?? 0) === 0)
			stripStart = Number(part.start ?? 0);
		else if (part.type !== 'ByteFallback' && part.type !== 'Fuse')
			throw unsupported(`a decoder of kind ${String(part.type)}`);
	}
	if (spelling === undefined || !Number.isSafeInteger(stripStart)) throw unsupported('a decoder of an unknown kind');
	return { spelling, stripStart };
}

function patternOf({ pattern }: Json): unknown {
	return typeof pattern === 'object' && pattern !== null ? (pattern as Json).String : pattern;
}

function filled(value: unknown): boolean {
	return value != null && value !== '';
}

function object(value: unknown, what: string): Json {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unsupported(`${what} is missing`);
	return value as Json;
}

function unsupported(why: string): Refusal {
	return new Refusal('model-unsupported', why);
}
