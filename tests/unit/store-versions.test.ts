/**
 * What every earlier release left on a device is read by this one: a fixture for each version of the store, which is never edited once it is
 * released. A version without its fixture is a failed test (tests/fixtures/store.make.ts makes it).
 */
import 'fake-indexeddb/auto';
import { existsSync, readFileSync } from 'node:fs';
import { openDB } from 'idb';
import { describe, expect, test } from 'vitest';
import { MIGRATIONS, openDatabase } from '#lib/store/schema.ts';
import { openStore } from '#lib/store/store.ts';
import { anyTable } from '../compliance/store.ts';
import { dump, revive, type StoreFixture } from '../fixtures/store-shape.ts';

const file = (version: number) => new URL(`../fixtures/store-v${version}.json`, import.meta.url);
const fixture = (version: number) => JSON.parse(readFileSync(file(version), 'utf8')) as StoreFixture;
const VERSIONS = MIGRATIONS.map((_, i) => i + 1);

/** The database as that version made it, built from the fixture's own words and not by today's code. */
async function plant(directory: string, version: number): Promise<void> {
	const { stores, records } = fixture(version);
	const database = await openDB(`fireweed:${directory}`, version, {
		upgrade: (fresh) => {
			for (const [name, { keyPath, indexes }] of Object.entries(stores)) {
				const table = fresh.createObjectStore(name, { keyPath });
				for (const [index, path] of Object.entries(indexes)) table.createIndex(index, path);
			}
		}
	});
	for (const [name, all] of Object.entries(records)) for (const record of all) await database.put(name, revive(record));
	database.close();
}

/** Order of keys is the database's affair. */
const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

describe.each(VERSIONS)('a device that version %i left', (version) => {
	test('is read whole', async () => {
		expect(existsSync(file(version)), `tests/fixtures/store-v${version}.json`).toBe(true);
		const pathname = `/left-by-${version}/`;
		await plant(pathname, version);
		const store = await openStore({ pathname, now: Date.now });
		const { records } = fixture(version);
		expect(Object.values(records).flat().length).toBeGreaterThan(5);
		for (const [name, all] of Object.entries(records)) {
			const found = await anyTable(store, name as never).list();
			expect([...found].sort(byText), name).toEqual(all.map(revive).sort(byText));
		}
		expect([store.skipped, store.durability]).toEqual([0, 'kept']);
		await store.close();
	});

	test('has the tables that its migrations make today: none was edited afterwards', async () => {
		const nothing = () => undefined;
		const hooks = { onBlocked: nothing, onSuperseded: nothing, onTerminated: nothing };
		const directory = `/made-today-${version}/`;
		const database = await openDatabase({ directory, migrations: MIGRATIONS.slice(0, version), ...hooks });
		expect((await dump(database)).stores).toEqual(fixture(version).stores);
		database.close();
	});
});
