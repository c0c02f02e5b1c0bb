/** Branches of a conversation, what a model is given of them, and the stretch of a long one that stands in the page. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Turn } from '#lib/ports/engine.ts';
import type { Message } from '#lib/ports/store.ts';
import { MAX_PROMPT_BYTES, MAX_TURNS } from '#lib/protocol/limits.ts';
import { aboutTokens, cleanName, contentOf, textOf } from '#lib/ui/chat/attachments.ts';
import { Branches, pathThrough, treeOf, versionsOf } from '#lib/ui/chat/branches.ts';
import { BOUNDS, tidy } from '#lib/ui/chat/manner.ts';
import { withinLimits } from '#lib/ui/chat/turns.ts';
import { LEAST, stretchAt } from '#lib/ui/chat/window.ts';

const message = (id: string, order: number, parent?: string, createdAt = order): Message => ({
	id,
	conversation: 'c',
	role: order % 2 === 0 ? 'user' : 'assistant',
	text: id,
	createdAt,
	order,
	...(parent !== undefined && { parent })
});
const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);

/** Whatever another version or a file may hold: wrong parents, loops, gaps, the same order twice. */
const anyMessages = fc
	.uniqueArray(
		fc.record({ id: fc.stringMatching(/^[a-f]$/), order: fc.nat(6), parent: fc.stringMatching(/^[a-g]$/) }),
		{
			selector: ({ id }) => id,
			maxLength: 6
		}
	)
	.map((list) => list.map(({ id, order, parent }) => message(id, order, parent)));

describe('branches', () => {
	test('records of before there were branches make one line', () => {
		const old = [message('a', 0), message('b', 1), message('c', 2), message('d', 3)];
		expect(ids(pathThrough(treeOf(old.toReversed()), undefined))).toEqual(['a', 'b', 'c', 'd']);
		expect(versionsOf(treeOf(old), old).size).toBe(0);
	});

	test('an edited question and an answer asked for again stand beside what was there', () => {
		const all = [
			message('q', 0),
			message('a', 1, 'q'),
			message('q2', 2, 'a', 10),
			message('a2', 3, 'q2', 11),
			message('q2 edited', 2, 'a', 20),
			message('a3', 3, 'q2 edited', 21),
			message('a3 again', 3, 'q2 edited', 22),
			message('first edited', 0, undefined, 30)
		];
		const tree = treeOf(all);
		expect(ids(pathThrough(tree, undefined))).toEqual(['first edited']);
		expect(ids(pathThrough(tree, 'a2'))).toEqual(['q', 'a', 'q2', 'a2']);
		expect(ids(pathThrough(tree, 'q2 edited')), 'down along the newest').toEqual(['q', 'a', 'q2 edited', 'a3 again']);
		expect(ids(pathThrough(tree, 'gone')), 'an unknown one').toEqual(['first edited']);
		const versions = versionsOf(tree, pathThrough(tree, 'a3'));
		expect([...versions]).toEqual([
			['q', { at: 1, of: 2, before: undefined, after: 'first edited' }],
			['q2 edited', { at: 2, of: 2, before: 'q2', after: undefined }],
			['a3', { at: 1, of: 2, before: undefined, after: 'a3 again' }]
		]);
	});

	test('whatever the records say: every message can be reached, once, and parents stand before', () => {
		fc.assert(
			fc.property(anyMessages, (all) => {
				const tree = treeOf(all);
				expect(
					[...tree.children.values()]
						.flat()
						.map(({ id }) => id)
						.sort()
				).toEqual(ids(all).sort());
				for (const { id } of all) {
					const path = pathThrough(tree, id);
					expect(ids(path)).toContain(id);
					for (const [at, one] of path.entries()) expect(one.order).toBeGreaterThan(path[at - 1]?.order ?? -1);
				}
			})
		);
	});

	test('ten thousand messages are a tree in the time of a frame or two', () => {
		const branches = new Branches();
		branches.put(
			...Array.from({ length: 10_000 }, (_, at) => message(`m${at}`, at, at === 0 ? undefined : `m${at - 1}`))
		);
		const began = performance.now();
		expect(branches.shown('m9999').path).toHaveLength(10_000);
		expect(performance.now() - began).toBeLessThan(300);
	});
});

describe('what a model is given', () => {
	const turns = (many: number, content = 'x'): Turn[] =>
		Array.from({ length: many }, (_, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content }));

	test('instructions first, then as many of the newest rounds as a job takes', () => {
		expect(withinLimits(turns(3), 'Be brief.')).toEqual({
			turns: [{ role: 'system', content: 'Be brief.' }, ...turns(3)],
			dropped: 0
		});
		const many = withinLimits(turns(10_001), 'Be brief.');
		expect(many.turns.length).toBeLessThanOrEqual(MAX_TURNS);
		expect(many.turns.length).toBeGreaterThan(MAX_TURNS - 3);
		expect(many.turns[1]?.role).toBe('user');
		expect(many.dropped + many.turns.length - 1).toBe(10_001);
		const large = withinLimits(turns(101, 'ü'.repeat(10_000)), undefined);
		expect(large.turns.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)).toBeLessThanOrEqual(
			MAX_PROMPT_BYTES
		);
		expect(large.turns.length).toBeGreaterThan(10);
		const huge = turns(1, 'x'.repeat(MAX_PROMPT_BYTES + 1));
		expect(withinLimits(huge, undefined).turns, 'the last turn stays, to be refused by name').toEqual(huge);
	});

	test('files stand fenced and named before the words, and no file can end its own fence', () => {
		expect(contentOf({ text: 'Why?', attachments: [{ name: 'a.txt', text: 'one\n' }] })).toBe(
			'File a.txt:\n```\none\n```\n\nWhy?'
		);
		fc.assert(
			fc.property(fc.string({ unit: fc.constantFrom('`', 'a', '\n') }), (text) => {
				const content = contentOf({ text: 'Q', attachments: [{ name: 'f', text }] });
				const fence = /^(`+)$/m.exec(content)?.[1] ?? '';
				expect(content.split('\n').filter((line) => line === fence)).toHaveLength(2);
			})
		);
		expect(cleanName('evil\u202etxt.exe`\n')).toBe('eviltxt.exe');
	});

	test('text is taken, anything else is named', () => {
		const bytes = (...values: number[]) => Uint8Array.from(values);
		expect(textOf(new TextEncoder().encode('\ufeffgrün\r\nx'))).toEqual({ text: 'grün\nx' });
		expect(textOf(bytes(0xff, 0xfe, 0x61, 0))).toEqual({ text: 'a' });
		expect(textOf(bytes())).toEqual({ fault: 'empty' });
		expect(textOf(bytes(0x89, 0x50, 0x4e, 0x47))).toEqual({ fault: 'not-text' });
		expect(textOf(bytes(0x61, 0, 0x62))).toEqual({ fault: 'not-text' });
		expect(textOf(new Uint8Array(512 * 1024 + 1).fill(0x61))).toEqual({ fault: 'too-large' });
		expect(aboutTokens('word '.repeat(100))).toBe(125);
		expect(aboutTokens('火草')).toBe(2);
	});
});

test('a manner stays in its bounds, and an empty one is none', () => {
	expect(tidy({ system: '  ' })).toBeUndefined();
	expect(tidy({ system: ' Be brief. ' })).toEqual({ system: 'Be brief.' });
	expect(tidy({ sampling: { temperatureMilli: 9_000, topK: NaN, topPMilli: 0 }, maxTokens: 1e9 })).toEqual({
		sampling: { temperatureMilli: 2_000, topK: 20, topPMilli: 50 },
		maxTokens: BOUNDS.maxTokens.max
	});
});

describe('the stretch that stands in the page', () => {
	test('covers the window at every place, is small, and its room adds up', () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: 20, max: 3_000 }), { maxLength: 400 }),
				fc.double({ min: -100, max: 500_000, noNaN: true }),
				fc.integer({ min: 1, max: 2_000 }),
				(heights, top, height) => {
					const { first, last, above, below } = stretchAt(heights, top, height);
					const sum = (list: readonly number[]) => list.reduce((all, one) => all + one, 0);
					const shown = sum(heights.slice(first, last));
					expect(above).toBeCloseTo(sum(heights.slice(0, first)), 3);
					expect(above + shown + below).toBeCloseTo(sum(heights), 3);
					const at = Math.max(0, Math.min(top, sum(heights) - height));
					expect(above).toBeLessThanOrEqual(at);
					expect(above + shown).toBeGreaterThanOrEqual(Math.min(sum(heights), at + height) - 0.001);
					expect(last - first).toBeGreaterThanOrEqual(Math.min(LEAST, heights.length));
				}
			)
		);
		const many = Array.from({ length: 10_000 }, () => 200);
		expect(stretchAt(many, Infinity, 800)).toMatchObject({ last: 10_000, below: 0 });
		expect(stretchAt(many, 1_000_000, 800).last - stretchAt(many, 1_000_000, 800).first).toBeLessThan(60);
	});
});
