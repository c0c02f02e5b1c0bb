import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import type { Turn } from '#lib/ports/engine.ts';
import { openPrompt } from '#workers/cpu/prompt.ts';
import { openText } from '#workers/cpu/text.ts';

const file = (name: string) =>
	JSON.parse(readFileSync(new URL(`../../models/pocket/${name}`, import.meta.url), 'utf8'));
const tokenizer = file('tokenizer.json');
const config = file('tokenizer_config.json') as { chat_template: string };
const vectors = file('vectors.json') as { vectors: { messages: Turn[]; prompt_ids: number[] }[] };
const text = openText(tokenizer, 2048);
const prompts = openPrompt(config.chat_template, text);

const SPECIAL = ['<|endoftext|>', '<|user|>', '<|assistant|>', '<|end|>'];
const MARKS = ['\uE0000\uE001', '\uE0001\uE001', '\uE000', '\uE001', '{{ messages }}', '{% raw %}', '<|', '|>', 'end'];
/** Everything a person could paste, the means of the trade included. */
const anything = fc.array(
	fc.oneof(
		fc.constantFrom(...SPECIAL, ...MARKS, ' ', '\n', '\u0000', '\uFEFF', '\uD83E', '\uDD8A', 'e\u0301'),
		fc.string({ unit: 'binary', maxLength: 8 }),
		fc.string({ unit: 'grapheme', maxLength: 8 })
	),
	{ maxLength: 12 }
);
const content = anything.map((parts) => parts.join(''));
const read = (ids: readonly number[]) => {
	const reader = text.reader();
	return ids.map((id) => reader.push(id));
};
const codeIn = (work: () => unknown) => {
	try {
		work();
	} catch (error) {
		return codeOf(error);
	}
	return undefined;
};

describe('text', () => {
	it('comes back as it went in, and is never a special token', () => {
		fc.assert(
			fc.property(content, (typed) => {
				const ids = text.encodeContent(typed);
				expect(ids.every((id) => Number.isInteger(id) && id > 3 && id < 2048)).toBe(true);
				// A lone surrogate has no bytes in UTF-8; U+FFFD stands for it, as in every web form.
				expect(read(ids).join('')).toBe(typed.toWellFormed());
			}),
			{ numRuns: 2000 }
		);
	});

	it('knows the special tokens in markup alone', () => {
		expect(text.encodeMarkup(SPECIAL.join(''))).toEqual([0, 1, 2, 3]);
		for (const special of SPECIAL) expect(text.encodeContent(special).length).toBeGreaterThan(1);
	});

	it('is read without half characters, wherever they are cut', () => {
		for (const word of ['🦊', 'é', '日本', '👩‍👩‍👧', '\uFEFF', 'ｘ']) {
			const pieces = read(text.encodeContent(word));
			for (const piece of pieces) expect(piece.isWellFormed() && !piece.includes('\uFFFD')).toBe(true);
			expect(pieces.join('')).toBe(word);
		}
		// The bytes of a fox, one token each: nothing, nothing, nothing, a fox.
		const byteTokens = [0xf0, 0x9f, 0xa6, 0x8a].map((byte) => tokenOfByte(byte));
		expect(read(byteTokens)).toEqual(['', '', '', '🦊']);
		// A special token in the middle says nothing and disturbs nothing.
		expect(
			read([
				byteTokens[0] as number,
				byteTokens[1] as number,
				2,
				byteTokens[2] as number,
				byteTokens[3] as number
			]).join('')
		).toBe('🦊');
		// Bytes that can never become a character are shown as one replacement, as soon as that is certain.
		expect(read([byteTokens[0] as number, ...text.encodeContent('a')]).join('')).toBe('\uFFFDa');
	});

	it('splits at a seam without loss: the reader is fed what was shown before', () => {
		fc.assert(
			fc.property(content, fc.nat(), (typed, seam) => {
				const ids = text.encodeContent(typed);
				const whole = read(ids);
				const cut = ids.length === 0 ? 0 : seam % ids.length;
				const reader = text.reader();
				ids.slice(0, cut).forEach((id) => reader.push(id));
				expect(ids.slice(cut).map((id) => reader.push(id))).toEqual(whole.slice(cut));
			})
		);
	});

	it('bounds the length of what can fit', () => {
		fc.assert(
			fc.property(content, (typed) => {
				expect(typed.length).toBeLessThanOrEqual(text.mostCharacters(text.encodeContent(typed).length));
			})
		);
	});

	it('refuses tokenizers of another kind', () => {
		for (const json of [
			null,
			{},
			[],
			'x',
			{ ...tokenizer, model: { ...tokenizer.model, type: 'Unigram' } },
			{ ...tokenizer, decoder: null }
		]) {
			expect(codeIn(() => openText(json, 2048))).toBe('model-unsupported');
		}
		expect(codeIn(() => openText(tokenizer, 2047))).toBe('model-unsupported');
	});

	/** The token that spells one byte: found by encoding characters of that byte is roundabout, so by GPT-2's alphabet. */
	function tokenOfByte(byte: number): number {
		const id = Array.from({ length: 256 }, (_, i) => 4 + i).find((token) => {
			const spelled = Object.entries(tokenizer.model.vocab as Record<string, number>).find(
				([, each]) => each === token
			)?.[0];
			const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
			const hidden = Array.from({ length: 256 }, (_, b) => b).filter((b) => !printable(b));
			const sign = printable(byte) ? String.fromCodePoint(byte) : String.fromCodePoint(0x100 + hidden.indexOf(byte));
			return spelled === sign;
		});
		return id as number;
	}
});

describe('prompts', () => {
	it('equal the model’s own', () => {
		for (const { messages, prompt_ids } of vectors.vectors) expect(prompts.encode(messages)).toEqual(prompt_ids);
	});

	it('hold exactly the markup of the template, whatever is typed', () => {
		fc.assert(
			fc.property(fc.array(content, { minLength: 1, maxLength: 5 }), (contents) => {
				const turns = contents.map((typed, i) => ({
					role: (contents.length - i) % 2 === 1 ? ('user' as const) : ('assistant' as const),
					content: typed
				}));
				const ids = prompts.encode(turns);
				const special = ids.filter((id) => id < 4);
				expect(special).toEqual([...turns.flatMap(({ role }) => [role === 'user' ? 1 : 2, 3]), 2]);
				// And every content stands there whole, in its place.
				const expected = turns.flatMap(({ role, content: typed }) => [
					role === 'user' ? 1 : 2,
					...text.encodeContent(typed),
					3
				]);
				expect(ids).toEqual([...expected, 2]);
			}),
			{ numRuns: 500 }
		);
	});

	it('keep to their room and leave out as few rounds as possible', () => {
		const round = fc.tuple(content, content).map(([asked, answered]): Turn[] => [
			{ role: 'user', content: asked },
			{ role: 'assistant', content: answered }
		]);
		fc.assert(
			fc.property(
				fc.array(round, { maxLength: 6 }),
				content,
				fc.integer({ min: 4, max: 120 }),
				(rounds, last, room) => {
					const turns: Turn[] = [...rounds.flat(), { role: 'user', content: last }];
					const alone = prompts.encode(turns.slice(-1));
					if (alone.length > room) {
						expect(codeIn(() => prompts.fit(turns, room))).toBe('prompt-too-long');
						return;
					}
					const { ids, droppedTurns } = prompts.fit(turns, room);
					expect(droppedTurns % 2).toBe(0);
					expect(ids).toEqual(prompts.encode(turns.slice(droppedTurns)));
					expect(ids.length).toBeLessThanOrEqual(room);
					if (droppedTurns > 0) expect(prompts.encode(turns.slice(droppedTurns - 2)).length).toBeGreaterThan(room);
				}
			)
		);
	});

	it('leave a system turn out where the template does, without its taking room', () => {
		const turns: Turn[] = [
			{ role: 'system', content: 'be brief '.repeat(200) },
			{ role: 'user', content: 'Hello' }
		];
		expect(prompts.fit(turns, 20)).toEqual({ ids: prompts.encode(turns.slice(1)), droppedTurns: 0 });
	});

	it('keep a system turn where the template shows it, and drop rounds behind it', () => {
		const shown = openPrompt(
			"{% for m in messages %}{{ '<|' + ('user' if m['role'] == 'system' else m['role']) + '|>' + m['content'] + '<|end|>' }}{% endfor %}<|assistant|>",
			text
		);
		const turns: Turn[] = [
			{ role: 'system', content: 'be brief' },
			{ role: 'user', content: 'one two three four five six seven' },
			{ role: 'assistant', content: 'eight nine ten' },
			{ role: 'user', content: 'Hello' }
		];
		const kept = [turns[0] as Turn, turns[3] as Turn];
		const room = shown.encode(kept).length;
		expect(shown.fit(turns, room)).toEqual({ ids: shown.encode(kept), droppedTurns: 2 });
		expect(codeIn(() => shown.fit(turns, room - 1))).toBe('prompt-too-long');
	});

	it('refuse templates that do not parse, hold the marks, or refuse the turns', () => {
		expect(codeIn(() => openPrompt('{% for %}', text))).toBe('model-unsupported');
		expect(codeIn(() => openPrompt('\uE0000\uE001', text))).toBe('model-unsupported');
		expect(codeIn(() => openPrompt("{{ raise_exception('no') }}", text))).toBe('model-unsupported');
		const strict = openPrompt(
			"{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}{{ m['content'] }}{% endfor %}",
			text
		);
		const asked: Turn = { role: 'user', content: 'Hello' };
		expect(strict.encode([asked])).toEqual(text.encodeContent('Hello'));
		expect(codeIn(() => strict.encode([asked, asked]))).toBe('malformed');
	});

	it('are made of half a megabyte of nonsense, or turned away, in a moment', () => {
		const started = performance.now();
		expect(codeIn(() => prompts.fit([{ role: 'user', content: '!?'.repeat(250_000) }], 1000))).toBe('prompt-too-long');
		const longest = '!?'.repeat(text.mostCharacters(1000) / 2);
		expect(codeIn(() => prompts.fit([{ role: 'user', content: longest }], 1000))).toBe('prompt-too-long');
		const many = Array.from({ length: 4000 }, (_, i): Turn => ({
			role: i % 2 === 0 ? 'user' : 'assistant',
			content: 'word '.repeat(20)
		}));
		expect(prompts.fit([...many, { role: 'user', content: 'Hello' }], 600).droppedTurns).toBeGreaterThan(3900);
		expect(performance.now() - started).toBeLessThan(3000);
	});
});
