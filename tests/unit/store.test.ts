import 'fake-indexeddb/auto';
import fc from 'fast-check';
import { openDB } from 'idb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MIGRATIONS, type Migration } from '#lib/store/schema.ts';
import { openStore, type DeviceStore, type StoreInit, type StoreNotice } from '#lib/store/store.ts';
import { parseTabMessage } from '#lib/store/wire.ts';
import { anyTable, refusalOf, sample, STORE_CASES, until } from '../compliance/store.ts';
import versionOne from '../fixtures/store-v1.json' with { type: 'json' };

/** A profile of its own for every test: another directory is another database, lock and channel. */
const places = (function* () {
	for (let n = 1; ; n++) yield `/place-${n}/`;
})();
const newPlace = (): string => places.next().value;
const open = (pathname: string, more: Partial<StoreInit> = {}): Promise<DeviceStore> =>
	openStore({ pathname, now: Date.now, ...more });

afterEach(() => vi.restoreAllMocks());

describe.each([
	{ kind: 'memory', keep: 'memory', shared: false },
	{ kind: 'fake-indexeddb', keep: 'device', shared: true }
] as const)('the suite over $kind', ({ keep, shared }) => {
	test.each(STORE_CASES.filter((one) => shared || !one.shared))(
		'$name',
		async ({ run }) => {
			const pathname = newPlace();
			await run({ shared, open: () => open(pathname, { keep }) });
		},
		60_000
	);
});

describe('where nothing is kept', () => {
	test('a refused database: memory, said so, and everything works', async () => {
		vi.spyOn(indexedDB, 'open').mockImplementation(() => {
			throw new DOMException('no', 'SecurityError');
		});
		const notices: StoreNotice[] = [];
		const store = await open(newPlace(), { onNotice: (notice) => notices.push(notice) });
		expect([store.durability, store.leading, notices]).toEqual(['memory', true, ['refused']]);
		await store.jobs.put(sample('jobs'));
		expect(await store.jobs.list()).toHaveLength(1);
		await store.close();
	});

	test('no Web Locks (insecure context): every tab writes, and the others still hear', async () => {
		vi.stubGlobal('navigator', {});
		const place = newPlace();
		const [one, two] = [await open(place), await open(place)];
		expect([one.leading, two.leading]).toEqual([true, true]);
		const heard: string[] = [];
		one.jobs.observe((change) => heard.push(change.key));
		await two.jobs.put(sample('jobs'));
		await until(() => heard.length === 1);
		vi.unstubAllGlobals();
		await Promise.all([one.close(), two.close()]);
	});

	test('two directories of one origin do not mix', async () => {
		const [one, two] = [await open('/ipfs/bafyone/'), await open('/ipfs/bafytwo/index.html')];
		expect([one.leading, two.leading]).toEqual([true, true]);
		await one.jobs.put(sample('jobs'));
		expect(await two.jobs.list()).toEqual([]);
		await Promise.all([one.close(), two.close()]);
	});
});

test('a full disk is refused by name, and what was there stays', async () => {
	const store = await open(newPlace());
	await store.receipts.put(sample('receipts', 1));
	vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
		throw new DOMException('full', 'QuotaExceededError');
	});
	expect(await refusalOf(store.receipts.put(sample('receipts', 2)))).toBe('storage-full');
	vi.restoreAllMocks();
	expect(await store.receipts.list()).toHaveLength(1);
	await store.close();
});

test('a follower is told the code of the refusal that the leader got', async () => {
	const place = newPlace();
	const [leader, follower] = [await open(place), await open(place)];
	vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
		throw new DOMException('full', 'QuotaExceededError');
	});
	expect(await refusalOf(follower.receipts.put(sample('receipts')))).toBe('storage-full');
	vi.restoreAllMocks();
	await Promise.all([leader.close(), follower.close()]);
});

test('a record that is not one is skipped and counted, whichever way it is read', async () => {
	const place = newPlace();
	const store = await open(place);
	await store.messages.put(sample('messages', 1));
	const raw = await openDB(`fireweed:${place}`);
	await raw.put('messages', { ...sample('messages', 2), text: 7 });
	await raw.put('messages', { ...sample('messages', 3), answer: { by: 'magic' } });
	await raw.put('messages', { id: 'key-4' });
	raw.close();
	expect((await store.messages.list()).map((message) => message.id)).toEqual(['key-1']);
	expect((await store.messages.list(1)).map((message) => message.id)).toEqual(['key-1']);
	expect((await store.messages.of('c1')).map((message) => message.id)).toEqual(['key-1']);
	expect(await store.messages.get('key-4')).toBeUndefined();
	expect(store.skipped).toBe(3);
	await store.close();
});

describe('leaders', () => {
	/** A tab that holds the lead and answers nothing, like one that the browser froze. */
	async function frozenLeader(place: string): Promise<() => void> {
		const thaw = Promise.withResolvers<void>();
		const held = Promise.withResolvers<void>();
		void navigator.locks.request(`fireweed-store:${place}`, () => {
			held.resolve();
			return thaw.promise;
		});
		await held.promise;
		return thaw.resolve;
	}

	test('a frozen one is waited for once, then written past', async () => {
		const place = newPlace();
		const thaw = await frozenLeader(place);
		const store = await open(place);
		expect(store.leading).toBe(false);
		await Promise.all([store.jobs.put(sample('jobs', 1)), store.jobs.put(sample('jobs', 2))]);
		const before = performance.now();
		await store.jobs.put(sample('jobs', 3));
		expect(performance.now() - before).toBeLessThan(1_000);
		expect(await store.jobs.list()).toHaveLength(3);
		thaw();
		await until(() => store.leading);
		await store.close();
	});

	test('when a leader goes, what waited for it is written at once, not after a time', async () => {
		const place = newPlace();
		const leave = await frozenLeader(place);
		const events: string[] = [];
		const store = await open(place, { log: (event) => events.push(event) });
		const writes = Promise.all([store.jobs.put(sample('jobs', 1)), store.jobs.put(sample('jobs', 2))]);
		leave();
		await writes;
		expect(events).toEqual([]);
		expect(await store.jobs.list()).toHaveLength(2);
		await store.close();
	});

	test('a write that waits for a frozen leader does not come after a newer one of the same record', async () => {
		const place = newPlace();
		const thaw = await frozenLeader(place);
		const store = await open(place);
		const began = performance.now();
		const other = store.jobs.put(sample('jobs', 1));
		// Later, so that the first gives up while the second still waits.
		await until(() => performance.now() - began > 100);
		const older = store.jobs.put(sample('jobs', 2, 10));
		await other;
		await Promise.all([older, store.jobs.put(sample('jobs', 2, 20))]);
		expect(await store.jobs.get('key-2')).toEqual(sample('jobs', 2, 20));
		thaw();
		await store.close();
	});

	test('a late request is not served: its tab has written by itself, perhaps something newer since', async () => {
		const place = newPlace();
		const store = await open(place);
		await store.jobs.put(sample('jobs', 1, 50));
		const channel = new BroadcastChannel(`fireweed-store:${place}`);
		const heard: unknown[] = [];
		channel.onmessage = ({ data }: MessageEvent<unknown>) => heard.push(data);
		const write = { kind: 'put', table: 'jobs', value: sample('jobs', 1, 40) };
		channel.postMessage({ kind: 'write', tab: 'other', id: 1, expires: Date.now() - 1, write });
		await until(() => heard.length === 1);
		expect(heard).toEqual([{ kind: 'leading' }]);
		expect(await store.jobs.list()).toEqual([sample('jobs', 1, 50)]);
		channel.postMessage({ kind: 'write', tab: 'other', id: 2, expires: Date.now() + 9_000, write });
		await until(() => heard.length === 2);
		expect(heard[1]).toMatchObject({ kind: 'changed', tab: 'other', id: 2, byLeader: true });
		expect(await store.jobs.list()).toEqual([sample('jobs', 1, 40)]);
		channel.close();
		await store.close();
	});

	test('nonsense on the channel is not heard', () => {
		const write = { kind: 'put', table: 'jobs', value: sample('jobs') };
		const good = { kind: 'write', tab: 't', id: 1, expires: 5, write };
		expect(parseTabMessage(good)).toEqual(good);
		for (const bad of [
			{ ...good, id: -1 },
			{ ...good, expires: 'soon' },
			{ ...good, write: { ...write, table: 'toString' } },
			{ ...good, write: { ...write, value: {} } },
			{ ...good, write: { kind: 'delete', table: 'jobs' } },
			{ kind: 'refused', tab: 't', id: 1, code: 'made-up' },
			{ kind: 'changed' },
			null,
			'leading',
			[]
		]) {
			expect(parseTabMessage(bad)).toBeUndefined();
		}
		fc.assert(
			fc.property(fc.anything(), (data) => {
				expect(parseTabMessage(data)).toBeUndefined();
			})
		);
	});
});

describe('versions', () => {
	const nextVersion: readonly Migration[] = [
		...MIGRATIONS,
		(database) => void database.createObjectStore('new-table', { keyPath: 'id' })
	];

	test('what version 1 wrote is read whole today', async () => {
		const place = newPlace();
		await plantVersionOne(place);
		const store = await open(place);
		for (const name of TABLES_OF_VERSION_ONE) {
			expect(await anyTable(store, name).list()).toEqual(versionOne.records[name].map(revive).reverse());
		}
		// What came later is there and empty.
		await store.met.put(sample('met'));
		expect(await store.met.list()).toEqual([sample('met')]);
		expect(store.skipped).toBe(0);
		await store.close();
	});

	test('an old tab steps aside for a newer one, says so, and refuses to write', async () => {
		const place = newPlace();
		const notices: StoreNotice[] = [];
		const old = await open(place, { onNotice: (notice) => notices.push(notice) });
		await old.jobs.put(sample('jobs'));
		const fresh = await open(place, { migrations: nextVersion });
		expect(notices).toEqual(['superseded']);
		expect(fresh.durability).toBe('kept');
		await until(() => fresh.leading);
		expect(await fresh.jobs.list()).toEqual([sample('jobs')]);
		expect(await refusalOf(old.jobs.put(sample('jobs', 2)))).toBe('storage-unavailable');
		expect(await refusalOf(old.jobs.list())).toBe('storage-unavailable');
		await Promise.all([old.close(), fresh.close()]);
	});

	/** A tab of an app that knows nothing of stepping aside, or is frozen. */
	async function stubborn(place: string): Promise<IDBDatabase> {
		await (await open(place)).close();
		return new Promise((resolve, reject) => {
			const opening = indexedDB.open(`fireweed:${place}`);
			opening.onsuccess = () => resolve(opening.result);
			opening.onerror = () => reject(new Error('not opened'));
		});
	}

	test('an old tab that does not step aside is told of, and waited for', async () => {
		const place = newPlace();
		const old = await stubborn(place);
		const notices: StoreNotice[] = [];
		const fresh = await open(place, {
			migrations: nextVersion,
			onNotice: (notice) => {
				notices.push(notice);
				old.close();
			}
		});
		expect([fresh.durability, notices]).toEqual(['kept', ['blocked']]);
		await fresh.close();
	});

	test('one that never does: memory, after a bounded time, and the late database is let go', async () => {
		const place = newPlace();
		const old = await stubborn(place);
		vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
		const fresh = await open(place, {
			migrations: nextVersion,
			onNotice: () => queueMicrotask(() => vi.advanceTimersByTime(10_000))
		});
		vi.useRealTimers();
		expect(fresh.durability).toBe('memory');
		await fresh.close();
		old.close();
		const again = await open(place, { migrations: [...nextVersion, () => undefined] });
		expect(again.durability).toBe('kept');
		await again.close();
	});

	test('an old app finds a newer database: memory, and the database is as it was', async () => {
		const place = newPlace();
		const fresh = await open(place, { migrations: nextVersion });
		await fresh.jobs.put(sample('jobs'));
		await fresh.close();
		const notices: StoreNotice[] = [];
		const old = await open(place, { onNotice: (notice) => notices.push(notice) });
		expect([old.durability, notices]).toEqual(['memory', ['newer']]);
		await old.jobs.put(sample('jobs', 2));
		await old.close();
		const again = await open(place, { migrations: nextVersion });
		expect(await again.jobs.list()).toEqual([sample('jobs')]);
		await again.close();
	});

	test('a migration that fails leaves the old version whole', async () => {
		const place = newPlace();
		const store = await open(place);
		await store.jobs.put(sample('jobs'));
		await store.close();
		const failing: StoreInit['migrations'] = [
			...MIGRATIONS,
			async (_database, transaction) => {
				await transaction.objectStore('jobs').clear();
				throw new Error('halfway');
			}
		];
		const notices: StoreNotice[] = [];
		const broken = await open(place, { migrations: failing, onNotice: (notice) => notices.push(notice) });
		expect([broken.durability, notices]).toEqual(['memory', ['refused']]);
		await broken.close();
		const again = await open(place);
		expect(await again.jobs.list()).toEqual([sample('jobs')]);
		await again.close();
	});
});

const TABLES_OF_VERSION_ONE = Object.keys(versionOne.records) as (keyof typeof versionOne.records)[];

/** The database as version 1 made it, built from the fixture's own words and not by today's code. */
async function plantVersionOne(place: string): Promise<void> {
	const database = await openDB(`fireweed:${place}`, 1, {
		upgrade: (fresh) => {
			for (const [name, { keyPath, indexes }] of Object.entries(versionOne.stores)) {
				const table = fresh.createObjectStore(name, { keyPath });
				for (const [index, path] of Object.entries(indexes)) table.createIndex(index, path);
			}
		}
	});
	for (const name of TABLES_OF_VERSION_ONE) {
		for (const record of versionOne.records[name]) await database.put(name, revive(record));
	}
	database.close();
}

/** JSON has no bytes: `{ "bytes": "hex" }` stands for them. */
function revive(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(revive);
	if (typeof value !== 'object' || value === null) return value;
	if ('bytes' in value && typeof value.bytes === 'string') return Uint8Array.from(Buffer.from(value.bytes, 'hex'));
	return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, revive(field)]));
}
