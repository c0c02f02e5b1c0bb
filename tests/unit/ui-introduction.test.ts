/** Who is introduced: somebody who never was here, and whoever asks for it. */
import { describe, expect, test } from 'vitest';
import { Introduction, isNew } from '#lib/ui/introduction/introduction.svelte.ts';
import { Remembered } from '#lib/ui/remembered.ts';

const kept = new Map<string, string>();
const remembered = () =>
	Remembered.ofBrowser({
		getItem: (key) => kept.get(key) ?? null,
		setItem: (key, value) => void kept.set(key, value),
		removeItem: (key) => void kept.delete(key)
	} as Storage);
/** A page of this browser. */
function page(): Introduction {
	const introduction = new Introduction();
	introduction.start(remembered());
	return introduction;
}

describe('the introduction', () => {
	test.each([
		[{ seen: false, wanted: false, conversations: 0 }, true],
		[{ seen: false, wanted: false, conversations: 1 }, false],
		[{ seen: true, wanted: false, conversations: 0 }, false],
		[{ seen: true, wanted: true, conversations: 7 }, true],
		[{ seen: false, wanted: true, conversations: 1 }, true]
	] as const)('%o: %s', (visits, shown) => expect(isNew(visits)).toBe(shown));

	test('is not shown before it is known whether it was seen', () => {
		expect(new Introduction().shown(0)).toBe(false);
	});

	test('put away it stays away, comes back when asked for, and can be put away again', () => {
		const first = page();
		expect(first.shown(0)).toBe(true);
		first.close();
		expect([first.shown(0), page().shown(0)]).toEqual([false, false]);
		const later = page();
		later.reopen();
		expect([later.shown(3), page().shown(3)]).toEqual([true, false]);
		later.close();
		expect(later.shown(3)).toBe(false);
	});

	test('where everything was deleted one is new again', () => {
		kept.clear();
		expect(page().shown(0)).toBe(true);
	});

	test('a browser that keeps nothing shows it once a visit', () => {
		const visit = new Introduction();
		visit.start(new Remembered());
		expect(visit.shown(0)).toBe(true);
		visit.close();
		expect(visit.shown(0)).toBe(false);
	});
});
