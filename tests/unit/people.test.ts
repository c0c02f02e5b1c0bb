/** The list of people one knows, as the story holds it: whose row it is, who is shown, and what holds while it cannot be read. */
import { expect, test } from 'vitest';
import type { Person } from '#lib/market/people.ts';
import { People } from '#lib/node/people.ts';
import type { Setting, Store } from '#lib/ports/store.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';

const did = (n: number) => formatDid(new Uint8Array(32).fill(n));
const OWN = did(9);
const ADA: Person = { account: did(1), name: 'Ada', show: true };
const BO: Person = { account: did(2), name: 'Bo', show: false };

function tab(down = false) {
	const rows = new Map<string, Setting>();
	const settings = {
		get: async (key: string) => {
			if (down) throw new Refusal('storage-unavailable');
			return rows.get(key);
		},
		put: async (row: Setting) => void rows.set(row.id, row),
		observe: () => () => undefined
	} as unknown as Store['settings'];
	return { rows, people: new People({ store: { settings }, now: () => 42, own: OWN }) };
}

test('who is added, changed and taken off stands in the row of this account', async () => {
	const { rows, people } = tab();
	expect(people.list.value).toEqual([]);
	await people.put(ADA);
	await people.put(BO);
	await people.put({ ...BO, name: 'Bob' });
	expect(people.list.value).toEqual([ADA, { ...BO, name: 'Bob' }]);
	await people.remove(ADA.account);
	expect(people.list.value).toEqual([{ ...BO, name: 'Bob' }]);
	expect([...rows.values()]).toStrictEqual([
		{ id: `people:${OWN}`, savedAt: 42, value: JSON.stringify([{ ...BO, name: 'Bob' }]) }
	]);
});

test('this account is shown to one’s own and to those who are marked; the circle are all of them', async () => {
	const { people } = tab();
	expect([people.shows(OWN), people.shows(ADA.account)]).toEqual([true, false]);
	await people.put(ADA);
	await people.put(BO);
	expect([OWN, ADA.account, BO.account, did(3)].map(people.shows)).toEqual([true, true, false, false]);
	expect(people.circle()).toEqual(new Set([OWN, ADA.account, BO.account]));
});

test('what is no account or no name is refused and changes nothing', async () => {
	const { rows, people } = tab();
	expect(await people.put({ ...ADA, account: 'did:key:z6Mk' }).catch(codeOf)).toBe('malformed');
	expect([people.list.value, rows.size]).toEqual([[], 0]);
});

test('a list that cannot be read shows this account to nobody else', async () => {
	const { people } = tab(true);
	await Promise.resolve();
	expect(people.list.value).toEqual([]);
	expect(await people.put(ADA).catch(codeOf)).toBe('storage-unavailable');
	expect(people.list.value).toEqual([ADA]);
	expect(await people.remove(ADA.account).catch(codeOf)).toBe('storage-unavailable');
	expect(people.circle()).toEqual(new Set([OWN]));
});
