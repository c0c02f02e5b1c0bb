/** Tokenizers of other models: every text comes back, nothing typed becomes a special token, and what cannot be served is refused by name. */
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Turn } from '#lib/ports/engine.ts';
import { openPrompt } from '#workers/cpu/prompt.ts';
import { openTemplate } from '#workers/cpu/template.ts';
import { openText, type Text } from '#workers/cpu/text.ts';
import { bytesTokenizer, wordsTokenizer } from '../fixtures/tokenizers.ts';

const KINDS = {
	bytes: bytesTokenizer(),
	'llama-2': wordsTokenizer('llama-2'),
	mistral: wordsTokenizer('mistral'),
	gemma: wordsTokenizer('gemma')
};
const SPECIAL = ['<|begin|>', '<|start|>', '<|end|>', '<unk>', '<s>', '</s>', '<think>', '<0x0A>', '<0xFF>'];
const content = fc
	.array(
		fc.oneof(
			fc.constantFrom(...SPECIAL, 'hello', ' world', ' ', '  ', '\n\n', '🦊', 'é', '日本', '\uD83E', '\uE0000\uE001'),
			fc.string({ unit: 'binary', maxLength: 6 }),
			fc.string({ unit: 'grapheme', maxLength: 6 })
		),
		{ maxLength: 10 }
	)
	// A lower block is how these tokenizers write a space, so they cannot write the block itself.
	.map((parts) => parts.join('').replaceAll('▁', '_'));

const read = (text: Text, ids: readonly number[]) => {
	const reader = text.reader();
	return ids.map((id) => reader.push(id));
};
const refusal = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		return `${codeOf(error)} ${(error as Error).message}`;
	}
	return 'not refused';
};

describe.each(Object.entries(KINDS))('%s', (kind, { json, tokens }) => {
	const text = openText(json, tokens);
	const special = new Set(
		(json.added_tokens as { id: number; special: boolean }[]).filter((each) => each.special).map(({ id }) => id)
	);
	const strips = kind === 'llama-2' || kind === 'mistral';

	it('gives back every text, and never makes it a special token', () => {
		fc.assert(
			fc.property(content, fc.boolean(), (typed, spaced) => {
				const ids = text.encodeContent(typed, spaced);
				expect(ids.every((id) => Number.isSafeInteger(id) && id < tokens && !special.has(id))).toBe(true);
				const whole = kind === 'bytes' ? typed.toWellFormed().normalize('NFC') : typed.toWellFormed();
				const before = spaced && typed !== '' && (kind !== 'bytes' || !typed.startsWith(' ')) ? ` ${whole}` : whole;
				expect(read(text, ids).join('')).toBe(strips && before.startsWith(' ') ? before.slice(1) : before);
			}),
			{ numRuns: 1000 }
		);
	});

	it('is read without half characters, also across a seam', () => {
		fc.assert(
			fc.property(content, fc.nat(), (typed, seam) => {
				const ids = text.encodeContent(typed);
				const whole = read(text, ids);
				if (!typed.includes('\uFFFD') && typed.isWellFormed()) {
					expect(whole.every((piece) => piece.isWellFormed() && !piece.includes('\uFFFD'))).toBe(true);
				}
				const cut = ids.length === 0 ? 0 : seam % ids.length;
				const reader = text.reader();
				ids.slice(0, cut).forEach((id) => reader.push(id));
				expect(ids.slice(cut).map((id) => reader.push(id))).toEqual(whole.slice(cut));
			}),
			{ numRuns: 300 }
		);
	});

	it('bounds the length of what can fit', () => {
		fc.assert(
			fc.property(content, (typed) => {
				expect(typed.length).toBeLessThanOrEqual(text.mostCharacters(text.encodeContent(typed).length));
			})
		);
	});

	it('encodes a whole prompt as the library would, where nothing typed stands at a seam', () => {
		const library = new Tokenizer(json, {});
		const names = kind === 'bytes' ? ['<|begin|>', '<|end|>'] : ['<s>', '</s>'];
		const [begin, end] = names as [string, string];
		const template = openTemplate({
			bos_token: begin,
			eos_token: { content: end },
			chat_template:
				"{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}{{ '<|assistant|>\n' }}"
		});
		const prompts = openPrompt(template, text);
		const turns: Turn[] = [
			{ role: 'user', content: 'hello world' },
			{ role: 'assistant', content: 'Hi!' },
			{ role: 'user', content: 'ja, bitte: hello?' }
		];
		const shown = turns.map((turn) => `<|${turn.role}|>\n${turn.content}${end}\n`).join('');
		const { ids } = library.encode(`${begin}${shown}<|assistant|>\n`, { add_special_tokens: false });
		expect(prompts.encode(turns)).toEqual(ids);
		// Right after a special token, a text gets the space before it that its kind of tokenizer puts there.
		const bare = openTemplate({
			bos_token: begin,
			chat_template: '{% for m in messages %}{{ bos_token + m.content }}{% endfor %}'
		});
		const plain = library.encode(`${begin}hello${begin}Hi${begin}hello`, { add_special_tokens: false }).ids;
		const said = ['hello', 'Hi', 'hello'].map((each, i): Turn => ({
			role: i === 1 ? 'assistant' : 'user',
			content: each
		}));
		expect(openPrompt(bare, text).encode(said)).toEqual(plain);
	});
});

describe('details', () => {
	it('added tokens that are not special are ordinary text, spelled as they are written', () => {
		const { json, tokens } = KINDS.bytes;
		const text = openText(json, tokens);
		expect(text.encodeContent('<think>')).toEqual([tokens - 1]);
		expect(read(text, [tokens - 1])).toEqual(['<think>']);
		// A hole in the vocabulary says nothing.
		expect(read(text, [tokens - 6])).toEqual(['']);
	});

	it('bytes one by one make one character, and bytes that cannot become one a replacement', () => {
		const { json, tokens } = KINDS.gemma;
		const text = openText(json, tokens);
		const byte = (value: number) => 3 + value;
		expect(read(text, [0xf0, 0x9f, 0xa6, 0x8a].map(byte))).toEqual(['', '', '', '🦊']);
		expect(read(text, [byte(0xf0), ...text.encodeContent('a')]).join('')).toBe('\uFFFDa');
	});

	it('spaces around a special token can belong to it', () => {
		const change = (more: object) =>
			(KINDS['llama-2'].json.added_tokens as { content: string }[]).map((each) => ({
				...each,
				...(each.content === '</s>' ? more : {})
			}));
		const stripped = wordsTokenizer('llama-2', { added_tokens: change({ lstrip: true, rstrip: true }) });
		const text = openText(stripped.json, stripped.tokens);
		const library = new Tokenizer(stripped.json, {});
		const markup = 'user </s> \n user';
		expect(text.encodeMarkup(markup)).toEqual(library.encode(markup, { add_special_tokens: false }).ids);
	});

	const words = wordsTokenizer('gemma');
	const model = words.json.model as { vocab: Record<string, number> };
	const bytes = bytesTokenizer();
	it.each<[string, object]>([
		['kind WordPiece', { model: { ...model, type: 'WordPiece' } }],
		['kind Unigram', { model: { ...model, type: 'Unigram', vocab: [['a', -1]] } }],
		['marks inside words', { model: { ...model, end_of_word_suffix: '</w>' } }],
		['cannot write every text', { model: { ...model, byte_fallback: false } }],
		['cannot write every text', { model: { ...model, vocab: { ...model.vocab, '<0x41>': undefined } } }],
		['changes what was typed \\(Lowercase\\)', { normalizer: { type: 'Lowercase' } }],
		['changes what was typed \\(Sequence', { normalizer: { type: 'Sequence' } }],
		['splits by WhitespaceSplit', { pre_tokenizer: { type: 'WhitespaceSplit' } }],
		[
			'splits by Split',
			{ pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Removed', invert: false } }
		],
		['decoder of kind WordPiece', { decoder: { type: 'WordPiece' } }],
		['the decoder is missing', { decoder: null }],
		['whole words only', { added_tokens: [{ id: 1, content: 'x', single_word: true }] }],
		['without a list of added tokens', { added_tokens: undefined }],
		['whose ids are not one each', { model: { ...model, vocab: { ...model.vocab, extra: 7 } } }],
		['the library cannot read', { pre_tokenizer: { type: 'Split', pattern: { Regex: '(?<' }, behavior: 'Isolated' } }]
	])('what cannot be served is refused by name: %s', (why, change) => {
		const json = JSON.parse(JSON.stringify({ ...words.json, ...change })) as unknown;
		expect(refusal(() => openText(json, words.tokens))).toMatch(new RegExp(`^model-unsupported.*${why}`));
	});

	it('anything that is no tokenizer at all is refused', () => {
		for (const json of [null, 7, 'x', [], {}, { model: 3 }, { ...bytes.json, decoder: words.json.decoder }]) {
			expect(refusal(() => openText(json, 3))).toMatch(/^model-unsupported/);
		}
		fc.assert(
			fc.property(fc.json(), (json) => {
				expect(refusal(() => openText(JSON.parse(json), 3))).toMatch(/^model-unsupported/);
			})
		);
		expect(refusal(() => openText(bytes.json, bytes.tokens - 1))).toMatch(/of \d+ tokens, not \d+/);
	});
});

describe('templates', () => {
	const { json, tokens } = KINDS.bytes;
	const text = openText(json, tokens);
	const FRAME =
		"{% for m in messages %}{{ '<|start|>' + m['role'] + '\n' + m['content'] + '<|end|>\n' }}{% endfor %}<|start|>assistant\n";
	const turns: Turn[] = [{ role: 'user', content: '  hello  ' }];

	it('come as a text, in a list, or in a file of their own, which goes first', () => {
		const expected = openPrompt(FRAME, text).encode(turns);
		const listed = {
			chat_template: [
				{ name: 'tool_use', template: 'x' },
				{ name: 'default', template: FRAME }
			]
		};
		expect(openPrompt(openTemplate(listed), text).encode(turns)).toEqual(expected);
		expect(openPrompt(openTemplate({ chat_template: 'x' }, FRAME), text).encode(turns)).toEqual(expected);
	});

	it('that trim contents have them trimmed', () => {
		const trimming = openTemplate({ chat_template: FRAME.replace("m['content']", "m['content'] | trim") });
		const [trimmed] = [openPrompt(trimming, text).encode([{ role: 'user', content: 'hello' }])];
		expect(openPrompt(trimming, text).encode(turns)).toEqual(trimmed);
		expect(openPrompt(FRAME, text).encode(turns)).not.toEqual(trimmed);
	});

	it('are never told what time it is', () => {
		const dated = openTemplate({ chat_template: `{{ 'Today is ' + strftime_now('%d %b %Y, %A %-d %q') }}${FRAME}` });
		expect(dated.pieces(['user'])?.[0]).toMatch(/^Today is 26 Jul 2024, Friday 26 %q/);
	});

	it('are named by all that decides how they render', () => {
		const facts = (config: object) => openTemplate({ chat_template: FRAME, ...config }).facts;
		expect(new Set([facts({}), facts({ bos_token: 'a' }), facts({ eos_token: 'a' })]).size).toBe(3);
		expect(facts({ bos_token: { content: 'a' } })).toBe(facts({ bos_token: 'a' }));
	});

	it('take a system turn only where they show it', () => {
		const refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}";
		expect(openTemplate({ chat_template: refusing + FRAME }).showsSystem).toBe(false);
		expect(openTemplate({ chat_template: FRAME }).showsSystem).toBe(true);
	});

	it.each([
		['no chat template', {}],
		['no chat template', { chat_template: [{ name: 'tool_use', template: 'x' }] }],
		['does not parse', { chat_template: '{% for %}' }],
		['private mark', { chat_template: '\uE000' }],
		['does not show every turn once', { chat_template: 'x' }],
		['does not show every turn once', { chat_template: FRAME + FRAME }],
		['does not show every turn once', { chat_template: FRAME.replace("m['content']", "m['content'][1:]") }],
		['does not show every turn once', { chat_template: '{% for i in range(100000000) %}x{% endfor %}' + FRAME }],
		['at one end', { chat_template: FRAME.replace("m['content']", "m['content'].lstrip()") }],
		['too long', { chat_template: 'x'.repeat(1_000_001) }]
	])('that cannot be served are refused by name: %s', (why, config) => {
		expect(refusal(() => openTemplate(config))).toMatch(new RegExp(`^model-unsupported.*${why}`));
	});
});
