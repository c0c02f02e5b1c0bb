/** The files of a draft: kept over a reload until the message that has them is kept. */
import { expect, test } from 'vitest';
import { Draft, readFiles } from '#lib/ui/chat/drafts.svelte.ts';
import { Remembered } from '#lib/ui/remembered.ts';

const notes = (name: string) => new File([`notes of ${name}`], name);
const names = ({ files }: Draft) => files.map(({ name }) => name);

test('files are there again after a reload, in their own conversation only', async () => {
	const remembered = new Remembered();
	const draft = new Draft(undefined, remembered);
	await draft.add([notes('a.txt'), notes('b.txt')]);
	draft.remove(0);
	expect(names(new Draft(undefined, remembered))).toEqual(['b.txt']);
	expect(names(new Draft('other', remembered))).toEqual([]);
});

test('those that left are off the screen at once and forgotten when they are kept', async () => {
	const remembered = new Remembered();
	const draft = new Draft('c', remembered);
	await draft.add([notes('a.txt')]);
	const forget = draft.leave();
	expect(names(draft)).toEqual([]);
	expect(names(new Draft('c', remembered)), 'a reload before that').toEqual(['a.txt']);
	forget();
	expect(names(new Draft('c', remembered))).toEqual([]);
});

test('what was attached meanwhile is not forgotten with them', async () => {
	const remembered = new Remembered();
	const draft = new Draft('c', remembered);
	await draft.add([notes('a.txt')]);
	const forget = draft.leave();
	await draft.add([notes('b.txt')]);
	forget();
	expect(names(new Draft('c', remembered))).toEqual(['b.txt']);
});

test('what was kept by something else is no file', () => {
	for (const text of [undefined, '', '{', '7', 'null', '[null,1,{"name":1,"text":"x"}]'])
		expect(readFiles(text)).toEqual([]);
});
