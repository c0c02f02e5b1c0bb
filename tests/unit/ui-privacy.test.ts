/** Who sees what, on the screen and in docs/privacy.md: the same. */
import { expect, test } from 'vitest';
import type { Key } from '#lib/ui/language/language.svelte.ts';
import { ASKING, LENDING, type Party, type Seen } from '#lib/ui/privacy/parties.ts';
import { privacyTable } from '../fixtures/privacy.ts';

/** Columns of the page that a word on the screen stands for. */
const COLUMNS: Readonly<Record<Seen, readonly string[]>> = {
	prompt: ['your prompt', 'the answer'],
	account: ['your account'],
	name: ["this tab's name"],
	address: ['your network address']
};

/** The rows there, by the words on the screen. */
const ROWS: Partial<Record<Key, string>> = {
	'privacy.the-computer-that-answers': 'The computer that answers (executor)',
	'privacy.a-computer-that-is-asked': 'A computer that is asked directly and not chosen',
	'privacy.a-computer-of-somebody': 'A computer of somebody you know, to whom you show your account',
	'privacy.a-relay': 'Relay',
	'privacy.where-the-app-comes-from': 'Gateway or web server',
	'privacy.somebody-watching': 'Somebody watching your network',
	'privacy.everybody': 'Everybody on the mesh',
	'privacy.the-one-who-asks': 'The one who asks'
};

test.each([
	['When you ask the mesh', ASKING],
	['When you contribute', LENDING]
] as const)('%s: as docs/privacy.md has it', (heading, parties: readonly Party[]) => {
	const table = privacyTable(heading);
	for (const { who, sees } of parties) {
		const row = table.get(ROWS[who] ?? '');
		const got = Object.entries(row?.gets ?? {}).filter(([, gets]) => gets);
		expect(row, who).toBeDefined();
		expect(got.map(([column]) => column).sort(), who).toEqual(sees.flatMap((seen) => COLUMNS[seen]).sort());
	}
	// Who is left out sees nothing.
	for (const [row, { gets }] of table)
		if (!parties.some(({ who }) => ROWS[who] === row)) expect(Object.values(gets), row).not.toContain(true);
});
