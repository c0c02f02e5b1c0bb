/** Conversations as files: what goes out comes back, and a hostile file can claim, cover or break nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Answer, Conversation, Message } from '#lib/ports/store.ts';
import { isRecord } from '#lib/store/schema.ts';
import { emptyAnswer } from '#lib/ui/chat/answering.ts';
import { pathThrough, treeOf } from '#lib/ui/chat/branches.ts';
import { bundleOf, readBundle, type Reading, type Whole } from '#lib/ui/transfer/bundle.ts';
import { markdownOf, readMarkdown } from '#lib/ui/transfer/markdown-file.ts';

const reading = (): Reading => {
	let ids = 0;
	return { id: () => `new${++ids}`, now: 5_000, fixed: (_, text) => text === 'fixed words' };
};
const listed = (found: ReturnType<typeof readBundle>): readonly Whole[] =>
	typeof found === 'string' ? expect.fail(found) : found;

const line = fc.oneof(
	fc.string({ maxLength: 12 }),
	fc.constantFrom(
		'<!-- fireweed:message {} -->',
		'\\<!-- fireweed:file',
		'## You',
		'```',
		'````',
		'# x',
		'-->',
		'| a |',
		''
	)
);
const text = fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n').replaceAll('\r', ''));
const attachments = fc.array(fc.record({ name: fc.stringMatching(/^[a-z.]{1,8}$/), text }), { maxLength: 3 });
const answer = fc.record({
	by: fc.constantFrom('device' as const, 'mesh' as const),
	status: fc.constantFrom('done' as const, 'stopped' as const, 'lost' as const, 'failed' as const),
	model: fc.option(fc.stringMatching(/^\w{1,8}$/), { nil: undefined }),
	price: fc.option(fc.nat(), { nil: undefined })
});

/** A conversation with branches, as the app makes them. */
const wholes = fc
	.record({
		title: fc.stringMatching(/^\w[\w ]{0,20}\w$/),
		said: fc.array(fc.record({ text, attachments, answer, on: fc.nat() }), { minLength: 1, maxLength: 8 })
	})
	.map(({ title, said }): Whole => {
		const messages: Message[] = [];
		for (const [at, { text, attachments, answer, on }] of said.entries()) {
			const parent = at === 0 ? undefined : messages[on % messages.length];
			const role = parent?.role === 'user' ? 'assistant' : 'user';
			messages.push({
				id: `m${at}`,
				conversation: 'c',
				role,
				text: role === 'user' && text === '' && attachments.length === 0 ? '?' : text,
				createdAt: 1_000 + at,
				order: (parent?.order ?? -1) + 1,
				...(parent && { parent: parent.id }),
				...(role === 'user' && attachments.length > 0 && { attachments }),
				...(role === 'assistant' && { answer: { ...emptyAnswer(answer.by), ...answer } satisfies Answer })
			});
		}
		const conversation: Conversation = {
			id: 'c',
			title,
			createdAt: 1_000,
			updatedAt: 2_000,
			leaf: messages.at(-1)?.id
		};
		return { conversation, messages };
	});

/** Names of messages by their place, so that two conversations with other ids can be compared. */
const byPlace = ({ conversation, messages }: Whole) => {
	const sorted = [...messages].sort((a, b) => a.order - b.order || a.createdAt - b.createdAt);
	const at = (id: string | undefined) => sorted.findIndex((message) => message.id === id);
	return {
		...conversation,
		id: '',
		importedAt: undefined,
		leaf: at(conversation.leaf),
		messages: sorted.map((message) => ({ ...message, id: '', conversation: '', parent: at(message.parent) }))
	};
};

describe('JSON', () => {
	test('what goes out comes back, branches and all, under new names; and goes out the same again', () => {
		fc.assert(
			fc.property(fc.array(wholes, { minLength: 1, maxLength: 3 }), (out) => {
				const back = listed(readBundle(bundleOf(out, 1), reading()));
				expect(back.map(byPlace)).toEqual(out.map(byPlace));
				for (const { conversation, messages } of back) {
					expect(conversation.id).toMatch(/^new/);
					for (const message of messages) {
						expect(message.id).toMatch(/^new/);
						expect(isRecord('messages', message)).toBe(true);
					}
					expect(isRecord('conversations', conversation)).toBe(true);
				}
				const again = listed(readBundle(bundleOf(back, 1), reading()));
				expect(again.map(byPlace)).toEqual(back.map(byPlace));
			})
		);
	});

	test('any JSON is read or refused by name, and what is read are records', () => {
		const json = fc.oneof(
			fc.json(),
			fc
				.jsonValue()
				.map((value) => JSON.stringify({ format: 'fireweed-conversations', version: 1, conversations: [value] })),
			fc
				.array(fc.jsonValue())
				.map((messages) =>
					JSON.stringify({ format: 'fireweed-conversations', version: 1, conversations: [{ messages }] })
				),
			fc
				.array(
					fc.dictionary(
						fc.constantFrom('id', 'parent', 'role', 'text', 'answer', 'attachments', 'createdAt', '__proto__'),
						fc.oneof(fc.jsonValue(), fc.constantFrom('user', 'assistant', 'a', null))
					)
				)
				.map((messages) =>
					JSON.stringify({ format: 'fireweed-conversations', version: 1, conversations: [{ messages }] })
				)
		);
		fc.assert(
			fc.property(json, (input) => {
				const found = readBundle(input, reading());
				if (typeof found === 'string') return;
				for (const { conversation, messages } of found) {
					expect(isRecord('conversations', conversation)).toBe(true);
					for (const message of messages) expect(isRecord('messages', message)).toBe(true);
					const reached = new Set(messages.flatMap(({ id }) => pathThrough(treeOf(messages), id)));
					expect(reached.size).toBe(messages.length);
				}
			}),
			{ numRuns: 400 }
		);
		expect(readBundle('{', reading())).toBe('not-readable');
		expect(readBundle('[]', reading())).toBe('nothing-in-it');
		expect(readBundle('{"format":"fireweed-conversations","version":2}', reading())).toBe('newer-version');
	});

	test('a file claims nothing that is not so, and its names turn no direction', () => {
		const file = {
			format: 'fireweed-conversations',
			version: 1,
			conversations: [
				{
					title: 'Bank\u202etxt.exe\n\u200bx',
					messages: [
						{ id: 'a', parent: 'a', role: 'user', text: 'q' },
						{
							id: 'b',
							parent: 'z',
							role: 'assistant',
							text: 'trust me',
							answer: {
								by: 'fixed',
								status: 'running',
								tokens: [1, 2],
								region: 'L\u202eisbon',
								receipt: 'javascript:alert(1)'
							}
						},
						{ role: 'user', text: 'q', parent: 'b' },
						{ role: 'assistant', text: 'fixed words', answer: { by: 'fixed', status: 'done' } }
					]
				}
			]
		};
		const [whole] = listed(readBundle(JSON.stringify(file), reading()));
		expect(whole?.conversation).toMatchObject({ title: 'Bank txt.exe  x', importedAt: 5_000 });
		expect(whole?.messages[1]?.answer).toMatchObject({
			by: 'device',
			status: 'lost',
			tokens: [],
			region: 'L isbon',
			receipt: undefined
		});
		expect(whole?.messages[3]?.answer?.by).toBe('fixed');
		expect(whole?.messages.map(({ order }) => order)).toEqual([0, 1, 2, 3]);
	});

	test('a bare list of roles and contents is read too', () => {
		const list = [
			{ role: 'system', content: 'Be brief.' },
			{ role: 'user', content: 'Hello?' },
			{ role: 'assistant', content: 'Hi.' },
			{ role: 'tool', content: 'x' }
		];
		for (const file of [list, { messages: list }]) {
			const [whole] = listed(readBundle(JSON.stringify(file), reading()));
			expect(whole?.conversation).toMatchObject({ title: 'Hello?', manner: { system: 'Be brief.' } });
			expect(whole?.messages.map(({ role, text }) => [role, text])).toEqual([
				['user', 'Hello?'],
				['assistant', 'Hi.']
			]);
		}
	});
});

describe('Markdown', () => {
	test('what goes out comes back: words, files, times and who spoke, whatever the words look like', () => {
		fc.assert(
			fc.property(wholes, ({ conversation, messages }) => {
				const path = pathThrough(treeOf(messages), conversation.leaf);
				const found = readMarkdown(markdownOf(conversation, path), reading());
				if (typeof found === 'string') return expect.fail(found);
				const plain = ({ role, text, createdAt, attachments }: Message) => ({ role, text, createdAt, attachments });
				expect(found.messages.map(plain)).toEqual(path.map(plain));
				expect(found.conversation.title).toBe(conversation.title);
			}),
			{ numRuns: 300 }
		);
	});

	test('reads well', () => {
		const message = { conversation: 'c', createdAt: 0, text: 'What is it?' } as const;
		const shown = markdownOf({ id: 'c', title: 'A plant', createdAt: 0, updatedAt: 0 }, [
			{ ...message, id: 'a', role: 'user', order: 0, attachments: [{ name: 'a.txt', text: 'ash' }] },
			{
				...message,
				id: 'b',
				role: 'assistant',
				order: 1,
				text: 'A *plant*.',
				answer: { ...emptyAnswer('device'), model: 'Pocket' }
			}
		]);
		expect(shown.replaceAll(/<!--.*?-->\n/g, '')).toBe(
			'# A plant\n\n## You\n\n**a.txt**\n\n```\nash\n```\n\nWhat is it?\n\n## Answer\n\n*This device · Pocket*\n\nA *plant*.\n'
		);
	});

	test('exports of other programs are read by their headings', () => {
		const found = readMarkdown('# Title\n\n## User\n\nHello?\n\n**Assistant:**\n\nHi.\n\n### details\nmore', reading());
		if (typeof found === 'string') return expect.fail(found);
		expect(found.messages.map(({ role, text }) => [role, text])).toEqual([
			['user', 'Hello?'],
			['assistant', 'Hi.\n\n### details\nmore']
		]);
		expect(readMarkdown('just notes', reading())).toBe('nothing-in-it');
	});

	test('any text is read or refused', () => {
		const piece = fc.oneof(
			line,
			fc.constantFrom(
				'<!-- fireweed:message {"role":"user"} -->',
				'<!-- fireweed:file {"name":1} -->\nx\n\n```\n',
				'\n'
			)
		);
		fc.assert(
			fc.property(fc.array(piece), (parts) => {
				const found = readMarkdown(parts.join('\n'), reading());
				if (typeof found !== 'string')
					for (const message of found.messages) expect(isRecord('messages', message)).toBe(true);
			})
		);
	});
});
