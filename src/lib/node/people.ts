/** Keeps the list of people this person knows; what it may hold is decided by market/people. */
import { readPeople, withoutPerson, withPerson, writePeople, type Person } from '#lib/market/people.ts';
import type { Store } from '#lib/ports/store.ts';
import { Watchable } from './watched.ts';

export interface PeoplePorts {
	readonly store: Pick<Store, 'settings'>;
	readonly now: () => number;
	/** `did:key` of the account here, which everybody on this device is. */
	readonly own: string;
}

/** Name of the setting that holds the list of that account: to whom one account is shown says nothing of another in the same browser. */
const settingOf = (own: string): string => `people:${own}`;

export class People {
	readonly list = new Watchable<readonly Person[]>([]);
	readonly #ports: PeoplePorts;
	readonly #read: Promise<void>;

	constructor(ports: PeoplePorts) {
		this.#ports = ports;
		this.#read = this.#restore();
	}

	/** Adds one, or changes the one of that account. Refusals: `malformed`, `oversized`, those of the store; it holds for this visit all the same. */
	async put(person: Person): Promise<void> {
		await this.#read;
		await this.#keep(withPerson(this.list.value, person));
	}

	/** Refusals of the store; it is gone for this visit all the same. */
	async remove(account: string): Promise<void> {
		await this.#read;
		await this.#keep(withoutPerson(this.list.value, account));
	}

	/** Whether that account may see this one when it is asked. */
	readonly shows = (account: string): boolean =>
		account === this.#ports.own || this.list.value.some((one) => one.account === account && one.show);

	/** Accounts that a lender which lends to people it knows answers. */
	readonly circle = (): ReadonlySet<string> =>
		new Set([this.#ports.own, ...this.list.value.map(({ account }) => account)]);

	async #keep(people: readonly Person[]): Promise<void> {
		this.list.set(people);
		const { store, now, own } = this.#ports;
		await store.settings.put({ id: settingOf(own), savedAt: now(), value: writePeople(people) });
	}

	async #restore(): Promise<void> {
		const { store, own } = this.#ports;
		const kept = await store.settings.get(settingOf(own)).catch(() => undefined);
		this.list.set(readPeople(kept?.value));
	}
}
