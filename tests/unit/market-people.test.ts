/** The list of people, as a value: who is taken, who is refused, in which order they stand, and what is read back. */
import { describe, expect, it } from 'vitest';
import { MAX_NAME, MAX_PEOPLE, readPeople, withoutPerson, withPerson, writePeople } from '#lib/market/people.ts';
import { formatDid } from '#lib/protocol/did.ts';
import { codeOf } from '#lib/protocol/errors.ts';

const did = (n: number) => formatDid(new Uint8Array(32).fill(n));
const ADA = { account: did(1), name: 'Ada', show: true };
const BO = { account: did(2), name: 'Bo', show: false };
const CY = { account: did(3), name: 'Cy', show: true };
const many = (n: number) => Array.from({ length: n }, (_, i) => ({ ...ADA, account: did(i + 1) }));
function refusal(attempt: () => unknown): string {
	try {
		return `none: ${JSON.stringify(attempt())}`;
	} catch (error) {
		return codeOf(error);
	}
}

describe('one more', () => {
	it('stands at the end, without the spaces around its account and name', () => {
		expect(withPerson([ADA], { ...BO, account: `\n${BO.account} `, name: ' Bo\t' })).toEqual([ADA, BO]);
	});

	it('has a name of forty characters at most, of what is left without spaces before it', () => {
		expect(MAX_NAME).toBe(40);
		expect(withPerson([], { ...ADA, name: ` ${'x'.repeat(40)}` })[0]?.name).toBe('x'.repeat(40));
		expect(withPerson([], { ...ADA, name: 'x'.repeat(41) })[0]?.name).toBe('x'.repeat(40));
	});

	it('is refused without an account or a name', () => {
		expect(refusal(() => withPerson([], { ...ADA, account: 'Ada' }))).toBe('malformed');
		expect(refusal(() => withPerson([], { ...ADA, name: ' \n' }))).toBe('malformed');
	});

	it('is refused beyond sixty-four, but not who is among them', () => {
		expect(MAX_PEOPLE).toBe(64);
		const next = { ...ADA, account: did(200) };
		expect(withPerson(many(63), next)).toEqual([...many(63), next]);
		expect(refusal(() => withPerson(many(64), next))).toBe('oversized');
		expect(withPerson(many(64), BO)).toEqual(many(64).with(1, BO));
	});
});

it('who is there keeps its place when something of it changes, the first as well as the last', () => {
	const people = [ADA, BO, CY];
	for (const [at, one] of people.entries()) {
		const renamed = { ...one, name: 'Di', show: !one.show };
		expect(withPerson(people, renamed)).toEqual(people.with(at, renamed));
	}
});

it('who is taken off is gone, and nobody else', () => {
	expect(withoutPerson([ADA, BO, CY], BO.account)).toEqual([ADA, CY]);
	expect(withoutPerson([ADA, CY], BO.account)).toEqual([ADA, CY]);
});

describe('what is read back', () => {
	it('is what was written', () => {
		expect(readPeople(writePeople([CY, ADA, BO]))).toEqual([CY, ADA, BO]);
	});

	it('passes over what is nobody, and shows only those who are surely to be shown', () => {
		const rows = [null, 5, 'text', [], {}, { ...ADA, account: 5 }, { ...ADA, name: null }, { ...ADA, name: '' }];
		expect(readPeople(JSON.stringify([...rows, ADA, { ...BO, show: 'yes' }, { ...CY, show: 1 }]))).toEqual([
			...[ADA, BO, { ...CY, show: false }]
		]);
	});

	it('is nobody where no list stands', () => {
		const written = writePeople([ADA]);
		for (const text of [
			undefined,
			null,
			5,
			true,
			'',
			'[',
			'null',
			'5',
			'"text"',
			'{"0":1,"length":1}',
			[written],
			[ADA]
		])
			expect(readPeople(text)).toEqual([]);
	});
});
