/** The faults that the full tests plant have their places in today's sources: they are planted for minutes, and by few. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FAULTS } from '../full/faults.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

test.each(FAULTS)('$name: stands once in $file', async ({ file, find, replace }) => {
	const source = await readFile(path.join(ROOT, file), 'utf8');
	expect(source.split(find)).toHaveLength(2);
	expect(replace).not.toBe(find);
});
