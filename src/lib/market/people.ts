/**
 * The accounts that a person knows, by names of their own: whom a lender may lend to alone, and to whom an asker shows its account
 * (docs/decisions/circle.md). Pure; the list never leaves this device.
 */
import { parseDid } from '#lib/protocol/did.ts';
import { Refusal } from '#lib/protocol/errors.ts';

export interface Person {
	/** `did:key`. */
	readonly account: string;
	/** For the eye of this person alone. */
	readonly name: string;
	/** This account is shown theirs when it asks a lender of theirs that answers people it knows only. */
	readonly show: boolean;
}

/** A circle beyond this is a public. */
export const MAX_PEOPLE = 64;
/** Characters of a name. */
export const MAX_NAME = 40;

/** With one more, or with what is new of one who is there. Refusals: `malformed` for what is no account or no name, `oversized` when the list is full. */
export function withPerson(people: readonly Person[], { account, name, show }: Person): readonly Person[] {
	const person = { account: account.trim(), name: name.trim().slice(0, MAX_NAME), show };
	parseDid(person.account);
	if (person.name === '') throw new Refusal('malformed', 'no name');
	const at = people.findIndex((one) => one.account === person.account);
	if (at >= 0) return people.with(at, person);
	if (people.length >= MAX_PEOPLE) throw new Refusal('oversized', 'people');
	return [...people, person];
}

/** Without that account. */
export const withoutPerson = (people: readonly Person[], account: string): readonly Person[] =>
	people.filter((one) => one.account !== account);

/** As one line for the settings table. */
export const writePeople = (people: readonly Person[]): string => JSON.stringify(people);

/** What `writePeople` wrote; whatever else stands there, from another version or by accident, is passed over. */
export function readPeople(text: unknown): readonly Person[] {
	let people: readonly Person[] = [];
	for (const value of parsed(text)) {
		const { account, name, show } = value;
		if (typeof account !== 'string' || typeof name !== 'string') continue;
		try {
			people = withPerson(people, { account, name, show: show === true });
		} catch {
			// Not one of ours.
		}
	}
	return people;
}

function parsed(text: unknown): readonly Partial<Record<keyof Person, unknown>>[] {
	try {
		const value: unknown = typeof text === 'string' ? JSON.parse(text) : undefined;
		return Array.isArray(value) ? value.map((one) => Object(one) as Partial<Record<keyof Person, unknown>>) : [];
	} catch {
		return [];
	}
}
