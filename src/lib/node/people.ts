/** Keeps the list of people this person knows, the same in every tab; what it may hold is decided by market/people. */
import { readPeople, withoutPerson, withPerson, writePeople, type Person } from '#lib/market/people.ts';
import type { Store } from '#lib/ports/store.ts';
import type { Watched } from './app.ts';
import { SharedSetting } from './shared-setting.ts';

export interface PeoplePorts {
	readonly store: Pick<Store, 'settings'>;
	readonly now: () => number;
	/** `did:key` of the account here, which everybody on this device is. */
	readonly own: string;
}

/** Name of the setting that holds the list of that account: to whom one account is shown says nothing of another in the same browser. */
const settingOf = (own: string): string => `people:${own}`;

export class People {
	readonly list: Watched<readonly Person[]>;
	readonly #own: string;
	readonly #kept: SharedSetting<readonly Person[]>;

	constructor({ store: { settings }, now, own }: PeoplePorts) {
		this.#own = own;
		this.#kept = new SharedSetting({
			...{ settings, now, id: settingOf(own) },
			...{ read: readPeople, write: writePeople, unread: [] }
		});
		this.list = this.#kept.value;
	}

	/** Adds one, or changes the one of that account. Refusals: `malformed`, `oversized`, those of the store; it holds for this visit all the same. */
	put(person: Person): Promise<void> {
		return this.#kept.change((people) => withPerson(people, person));
	}

	/** Refusals of the store; it is gone for this visit all the same. */
	remove(account: string): Promise<void> {
		return this.#kept.change((people) => withoutPerson(people, account));
	}

	/** Whether that account may see this one when it is asked. */
	readonly shows = (account: string): boolean =>
		account === this.#own || this.list.value.some((one) => one.account === account && one.show);

	/** Accounts that a lender which lends to people it knows answers. */
	readonly circle = (): ReadonlySet<string> => new Set([this.#own, ...this.list.value.map(({ account }) => account)]);
}
