/** The list at the top of Settings: every section of the page, in its order. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

test('names every section by the id of its heading, in the order of the page', () => {
	const page = read('src/routes/settings/+page.svelte');
	const files = new Map(
		[...page.matchAll(/import (\w+Section) from '#lib\/([^']+)'/g)].map(([, name = '', file = '']) => [name, file])
	);
	const headings = [...page.matchAll(/Section: (\w+Section) \}/g)].map(([, name = '']) => {
		const [, id] = /<h2 id="([\w-]+)"/.exec(read(`src/lib/${files.get(name)}`)) ?? [];
		return id ?? name;
	});
	const listed = [...page.matchAll(/\{ id: '([\w-]+)'/g)].map(([, id]) => id);
	expect(headings.length).toBeGreaterThan(10);
	expect(listed).toEqual(headings);
});
