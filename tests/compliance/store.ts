/**
 * What every Store must do, as cases that need no test runner: Node runs them over memory and fake-indexeddb, a real Chromium page
 * over its own IndexedDB (tests/unit/store.test.ts, tests/interop/store.browser.test.ts).
 */
import type { Store, Table, TableChange } from '#lib/ports/store.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { KEPT_RECORDS, type Records, type TableName } from '#lib/store/table.ts';

/** A place where stores are opened; two open at once are two tabs of one profile. */
export interface StorePlace {
	open(): Promise<Store>;
	/** Whether what one store wrote is there for the next. */
	readonly shared: boolean;
}

export interface StoreCase {
	readonly name: string;
	/** Needs a place where `shared` holds. */
	readonly shared?: boolean;
	run(place: StorePlace): Promise<void>;
}

/** One good record of each table, at time `at`, with a key made of `n`. */
export function sample<N extends TableName>(table: N, n = 1, at = 1_000 + n): Records[N] {
	const id = `key-${n}`;
	const gone = undefined;
	const samples: Records = {
		conversations: { id, title: `Title ${n} ☕`, createdAt: at, updatedAt: at },
		messages: {
			id,
			conversation: 'c1',
			role: 'assistant',
			text: 'Ein „Wort" 🌱',
			createdAt: at,
			order: n,
			answer: {
				by: 'mesh',
				status: 'done',
				model: 'pocket',
				executor: '12D3KooW',
				region: gone,
				tokens: [1, 2, 50_000],
				tokensPerSecond: 12.5,
				price: 7,
				receipt: gone,
				code: gone,
				seams: [3],
				sameAccount: false
			}
		},
		jobs: {
			id,
			createdAt: at,
			model: 'pocket',
			state: 'running',
			executor: gone,
			receipt: gone,
			code: gone,
			message: 'm'
		},
		bids: { id, job: 'j', executor: 'e', heardAt: at, pricePer1k: 5, chosen: false, reason: 'dearer' },
		assigned: {
			id,
			createdAt: at,
			endedAt: gone,
			model: 'pocket',
			state: 'success',
			tokens: 9,
			price: 1,
			sameAccount: true,
			receipt: gone,
			code: gone
		},
		receipts: {
			cid: id,
			kind: 'sealed',
			role: 'originator',
			job: 'j',
			createdAt: at,
			document: Uint8Array.of(1, 2, 255),
			counterpart: Uint8Array.of(0),
			terms: gone
		},
		capabilities: { id: 'self', savedAt: at, document: Uint8Array.of(7) },
		settings: { id, savedAt: at, value: n % 2 === 0 ? true : 'text' },
		met: {
			id,
			role: 'tab',
			account: 'did:key:z6Mk',
			firstMetAt: 5,
			lastMetAt: at,
			days: 2,
			by: 'network',
			document: Uint8Array.of(1, 2),
			addresses: ['/ip4/192.0.2.1/tcp/9100/ws']
		},
		known: {
			id,
			account: 'did:key:z6Mk',
			kind: 'relay ABCDEFGHIJKL',
			kept: 1.5,
			broken: 0.25,
			jobs: n + 2,
			first: -0.5,
			firstAt: 5,
			model: 'pocket',
			tokensPerSecond: 31.25,
			firstMs: 240,
			honesty: 0.9,
			upMs: 60_000,
			downMs: 5_000,
			at
		}
	};
	return samples[table];
}

export const TABLE_NAMES = [
	'conversations',
	'messages',
	'jobs',
	'bids',
	'assigned',
	'receipts',
	'capabilities',
	'settings',
	'met',
	'known'
] as const satisfies readonly TableName[];

export const STORE_CASES: readonly StoreCase[] = [
	...TABLE_NAMES.map((name): StoreCase => ({
		name: `${name}: what was put is got back whole, replaced whole, and deleted`,
		run: async (place) => {
			const store = await place.open();
			const key = name === 'capabilities' ? 'self' : 'key-1';
			const table: Table<unknown> = anyTable(store, name);
			same(await table.get(key), undefined);
			await table.put(sample(name));
			await table.put(sample(name));
			same(await table.get(key), sample(name));
			same(await table.list(), [sample(name)]);
			await table.put(sample(name, 1, 5_000));
			same(await table.list(), [sample(name, 1, 5_000)]);
			await table.delete(key);
			await table.delete(key);
			same(await table.get(key), undefined);
			same(await table.list(), []);
			await store.close();
		}
	})),
	{
		name: 'lists are newest first, ties by falling key, and stop at the limit',
		run: async (place) => {
			const store = await place.open();
			for (const [n, at] of [
				[1, 30],
				[2, 10],
				[3, 20],
				[4, 20]
			] as const)
				await store.jobs.put(sample('jobs', n, at));
			const keys = async (limit?: number): Promise<string[]> => (await store.jobs.list(limit)).map((job) => job.id);
			same(await keys(), ['key-1', 'key-4', 'key-3', 'key-2']);
			same(await keys(2), ['key-1', 'key-4']);
			same(await keys(100), await keys());
			same(await keys(0), []);
			await store.close();
		}
	},
	{
		name: 'messages of one conversation come in order, and only those',
		run: async (place) => {
			const store = await place.open();
			for (const order of [10, 2, 0, 1, 9])
				await store.messages.put({ ...sample('messages', order, 99 - order), order });
			await store.messages.put({ ...sample('messages', 77), conversation: 'c10' });
			same(
				(await store.messages.of('c1')).map((message) => message.order),
				[0, 1, 2, 9, 10]
			);
			same(
				(await store.messages.of('c10')).map((message) => message.id),
				['key-77']
			);
			same(await store.messages.of('c'), []);
			await store.close();
		}
	},
	...(['bids', 'assigned'] as const).map((name): StoreCase => ({
		name: `${name}: the newest ${KEPT_RECORDS} are kept, and what is pushed out is told`,
		run: async (place) => {
			const store = await place.open();
			const table: Table<unknown> = anyTable(store, name);
			const deleted: string[] = [];
			table.observe((change) => {
				if (change.kind === 'delete') deleted.push(change.key);
			});
			const puts = Array.from({ length: KEPT_RECORDS }, (_, n) => table.put(sample(name, n)));
			await Promise.all(puts);
			same(deleted, []);
			await table.put(sample(name, KEPT_RECORDS));
			await table.put(sample(name, KEPT_RECORDS + 1));
			same(deleted, ['key-0', 'key-1']);
			same((await table.list()).length, KEPT_RECORDS);
			same(await table.get('key-1'), undefined);
			same(await table.list(1), [sample(name, KEPT_RECORDS + 1)]);
			await store.close();
		}
	})),
	{
		name: 'receipts are never dropped',
		run: async (place) => {
			const store = await place.open();
			const many = KEPT_RECORDS + 10;
			await Promise.all(Array.from({ length: many }, (_, n) => store.receipts.put(sample('receipts', n))));
			same((await store.receipts.list()).length, many);
			await store.close();
		}
	},
	{
		name: 'observers hear puts and deletes of their table until they stop; one that throws disturbs nobody',
		run: async (place) => {
			const store = await place.open();
			const heard: TableChange[] = [];
			store.settings.observe(() => {
				throw new Error('a broken view');
			});
			const stop = store.settings.observe((change) => heard.push(change));
			await store.settings.put(sample('settings'));
			await store.jobs.put(sample('jobs'));
			await store.settings.delete('key-1');
			stop();
			await store.settings.put(sample('settings', 2));
			same(heard, [
				{ key: 'key-1', kind: 'put' },
				{ key: 'key-1', kind: 'delete' }
			]);
			await store.close();
		}
	},
	{
		name: 'a record handed in or out is a copy',
		run: async (place) => {
			const store = await place.open();
			const document = Uint8Array.of(1, 2, 3);
			await store.receipts.put({ ...sample('receipts'), document });
			document[0] = 9;
			const out = await store.receipts.get('key-1');
			same(out?.document, Uint8Array.of(1, 2, 3));
			out?.document.fill(0);
			same((await store.receipts.get('key-1'))?.document, Uint8Array.of(1, 2, 3));
			await store.close();
		}
	},
	{
		name: 'what is not a record of the table is refused and changes nothing',
		run: async (place) => {
			const store = await place.open();
			await store.jobs.put(sample('jobs'));
			const table: Table<unknown> = store.jobs;
			for (const bad of [
				undefined,
				null,
				7,
				'text',
				{},
				{ ...sample('jobs'), state: 'odd' },
				{ ...sample('jobs'), createdAt: NaN }
			]) {
				same(await refusalOf(table.put(bad)), 'malformed');
			}
			same(await store.jobs.list(), [sample('jobs')]);
			await store.close();
		}
	},
	{
		name: 'writes of one record settle in the order they were made',
		run: async (place) => {
			const store = await place.open();
			const puts = Array.from({ length: 50 }, (_, at) => store.conversations.put(sample('conversations', 1, at)));
			puts.push(store.conversations.delete('key-1'));
			puts.push(store.conversations.put(sample('conversations', 1, 77)));
			await Promise.all(puts);
			same(await store.conversations.list(), [sample('conversations', 1, 77)]);
			await store.close();
		}
	},
	{
		name: 'closing waits for what was begun and refuses what comes after; closing twice is harmless',
		run: async (place) => {
			const store = await place.open();
			const begun = store.jobs.put(sample('jobs'));
			await store.close();
			await begun;
			await store.close();
			same(await refusalOf(store.jobs.put(sample('jobs', 2))), 'storage-unavailable');
		}
	},
	{
		name: 'what was written is there when the store is opened again',
		shared: true,
		run: async (place) => {
			const first = await place.open();
			for (const name of TABLE_NAMES) await anyTable(first, name).put(sample(name));
			await first.close();
			const second = await place.open();
			for (const name of TABLE_NAMES) same(await anyTable(second, name).list(), [sample(name)]);
			same(second.durability, 'kept');
			await second.close();
		}
	},
	{
		name: 'of two stores one leads; both write, both see and hear both; the lead passes on',
		shared: true,
		run: async (place) => {
			const first = await place.open();
			const second = await place.open();
			same([first.leading, second.leading], [true, false]);
			const heard = { first: [] as string[], second: [] as string[] };
			first.jobs.observe((change) => heard.first.push(change.key));
			second.jobs.observe((change) => heard.second.push(change.key));
			await first.jobs.put(sample('jobs', 1));
			await second.jobs.put(sample('jobs', 2));
			await until(() => heard.first.length === 2 && heard.second.length === 2);
			same(heard, { first: ['key-1', 'key-2'], second: ['key-1', 'key-2'] });
			same((await second.jobs.list()).length, 2);
			await first.close();
			await until(() => second.leading);
			await second.jobs.put(sample('jobs', 3));
			same((await second.jobs.list()).length, 3);
			await second.close();
		}
	},
	{
		name: 'a follower loses and doubles nothing when the leader closes amid 200 writes',
		shared: true,
		run: async (place) => {
			const leader = await place.open();
			const follower = await place.open();
			const heard: string[] = [];
			follower.jobs.observe((change) => heard.push(change.key));
			const wanted = Array.from({ length: 200 }, (_, n) => sample('jobs', n));
			const writes = Promise.all(wanted.map((job) => follower.jobs.put(job)));
			await until(() => heard.length > 20);
			await leader.close();
			await writes;
			same(new Set(heard).size, 200);
			same((await follower.jobs.list()).toReversed(), wanted);
			await follower.close();
		}
	}
];

/** Tables differ in their record type; a loop over all of them forgets it. */
export function anyTable(store: Store, name: TableName): Table<unknown> {
	return store[name] as Table<unknown>;
}

export async function refusalOf(work: Promise<unknown>): Promise<string> {
	try {
		await work;
	} catch (error) {
		return codeOf(error);
	}
	return 'accepted';
}

/** Waits for a condition; a test that never meets it fails by the runner's own time limit. */
export async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

export function same(actual: unknown, expected: unknown): void {
	const [is, wanted] = [show(actual), show(expected)];
	if (is !== wanted) throw new Error(`expected ${wanted}\nbut it is ${is}`);
}

/** Text of a value in which field order does not matter and absent differs from nothing else: `undefined` fields are left out. */
function show(value: unknown): string {
	if (value instanceof Uint8Array) return `bytes(${[...value].join(' ')})`;
	if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
	if (typeof value !== 'object' || value === null)
		return typeof value === 'string' ? JSON.stringify(value) : String(value);
	const fields = Object.entries(value).filter(([, field]) => field !== undefined);
	return `{${fields
		.sort(([a], [b]) => (a < b ? -1 : 1))
		.map(([name, field]) => `${name}: ${show(field)}`)
		.join(', ')}}`;
}
