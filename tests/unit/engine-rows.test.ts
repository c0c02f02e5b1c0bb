/** docs/engines.md says which rows of the acceptance suite each engine ran; it must say what the suite does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { caseNames, ENGINES, EXCEPTIONS, reasonFor } from '../compliance/engine-rows.ts';

const doc = readFileSync(new URL('../../docs/engines.md', import.meta.url), 'utf8');
const cells = (line: string) =>
	line
		.split('|')
		.slice(1, -1)
		.map((cell) => cell.trim());

describe('the table of engines', () => {
	const table = doc.split('\n').filter((line) => line.startsWith('|'));

	it('has a row for every case and a column for every engine, each true', () => {
		expect(cells(table[0] ?? '')).toEqual(['case', ...ENGINES.map((engine) => `\`${engine}\``)]);
		const notes = [...doc.matchAll(/^(\d+)\. (.+)$/gm)].map(([, , text]) => text);
		const expected = caseNames.map((name) => [
			name,
			...ENGINES.map((engine) => {
				const reason = reasonFor(engine, name);
				return reason === undefined ? 'ran' : String(notes.indexOf(reason) + 1);
			})
		]);
		expect(table.slice(2).map(cells)).toEqual(expected);
	});

	it('excuses no case that does not exist', () => {
		for (const engine of ENGINES)
			for (const beginning of Object.keys(EXCEPTIONS[engine]))
				expect(
					caseNames.some((name) => name.startsWith(beginning)),
					`${engine}: ${beginning}`
				).toBe(true);
	});
});
