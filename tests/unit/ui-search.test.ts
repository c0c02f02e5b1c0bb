/** Search through conversations: what fits, the words around it, and that an older search never overwrites a newer one. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Message } from '#lib/ports/store.ts';
import { fits, fold, grouped, hitOf, wordsOf } from '#lib/ui/search/find.ts';
import { Search } from '#lib/ui/search/search.svelte.ts';
import { fakeApp } from '../doubles/app.ts';

const message = (id: string, text: string, conversation = 'c', createdAt = 0): Message => ({
	id,
	conversation,
	role: 'user',
	text,
	createdAt,
	order: 0
});
const conversation = (id: string, title: string, updatedAt = 0) => ({ id, title, createdAt: 0, updatedAt });

describe('what fits', () => {
	test('all words, in any case, with or without accents, in any script', () => {
		const found = (text: string, query: string) => fits(fold(text), wordsOf(query));
		expect(found('Épilobe en épi', 'EPI epilobe')).toBe(true);
		expect(found('Épilobe', 'epilobe fire')).toBe(false);
		expect(found('Иван-чай', 'иван')).toBe(true);
		expect(found('柳兰是一种植物', '植物')).toBe(true);
		expect(found('ﬁreweed', 'fire')).toBe(true);
		expect(found('Σωκράτης', 'ΣΩΚΡΑΤΗΣ'), 'the sigma at an end').toBe(true);
		expect(found('anything', '  ')).toBe(true);
		expect(wordsOf('  ')).toEqual([]);
	});

	test('the words around a match are those of the message', () => {
		expect(hitOf(message('a', 'It grows back, and first.\nAfter a fire, Fíreweed comes.'), ['fireweed'])).toEqual({
			message: 'a',
			before: '…ack, and first. After a fire, ',
			match: 'Fíreweed',
			after: ' comes.'
		});
	});

	test('whatever the text, the match is where it is and folds to what was sought', () => {
		fc.assert(
			fc.property(
				fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
				fc.nat(),
				fc.nat(8),
				(text, at, length) => {
					const word = fold(text)
						.slice(at % Math.max(1, fold(text).length))
						.slice(0, length + 1);
					if (word === '' || /\s/.test(word)) return;
					const hit = hitOf(message('a', text), [word]);
					expect(fold(hit.match)).toContain(word);
					expect(text.replaceAll(/\s+/g, ' ')).toContain(hit.match);
				}
			),
			{ numRuns: 400 }
		);
	});

	test('by conversation, newest first, three places of each and a count of the rest; a title alone counts', () => {
		const found = grouped(
			[conversation('a', 'Plants', 1), conversation('b', 'Ash', 2), conversation('c', 'Other', 3)],
			Array.from({ length: 5 }, (_, at) => message(`m${at}`, 'ash', 'a', at)),
			['ash']
		);
		expect(
			found.map(({ conversation, hits, more }) => [conversation.id, hits.map((hit) => hit.message), more])
		).toEqual([
			['b', [], 0],
			['a', ['m4', 'm3', 'm2'], 2]
		]);
	});
});

describe('searching', () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	test('waits for typing to rest, drops what an older search finds, sees what is said meanwhile', async () => {
		const { app, store } = fakeApp();
		const list = [conversation('c', 'Plants')];
		await store.messages.put(message('a', 'Fireweed grows back'));
		const search = new Search(Promise.resolve(app), () => list);
		void search.look('fire');
		void search.look('nothing');
		void search.look('grows');
		await vi.advanceTimersByTimeAsync(500);
		expect(search.found?.[0]?.hits.map(({ match }) => match)).toEqual(['grows']);
		await store.messages.put(message('b', 'and grows again'));
		void search.look('grows a');
		await vi.advanceTimersByTimeAsync(500);
		expect(search.found?.[0]?.hits).toHaveLength(2);
		void search.look('');
		await vi.advanceTimersByTimeAsync(500);
		expect(search.found).toBeUndefined();
	});
});
