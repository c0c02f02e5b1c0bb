/** A setting that all tabs go by: what is read late, written at once or cannot be read never undoes what came after it. */
import { describe, expect, test } from 'vitest';
import { SharedSetting } from '#lib/node/shared-setting.ts';
import type { Setting, Store, TableChange } from '#lib/ports/store.ts';
import { codeOf, Refusal } from '#lib/protocol/errors.ts';

/** What stands in the row, as this setting understands it. */
const read = (stored: Setting['value'] | undefined) => (stored === undefined ? 'none' : `read ${stored}`);

/** A table whose every answer waits until the test gives it. */
function table() {
	const gets: { readonly key: string; readonly answer: (value?: string) => void; readonly fail: () => void }[] = [];
	const puts: { readonly row: Setting; readonly done: () => void; readonly fail: () => void }[] = [];
	const listeners = new Set<(change: TableChange) => void>();
	const settings = {
		get: (key: string) =>
			new Promise<Setting | undefined>((resolve, reject) => {
				gets.push({
					key,
					answer: (value) => resolve(value === undefined ? undefined : { id: key, savedAt: 1, value }),
					fail: () => reject(new Refusal('storage-unavailable', 'down'))
				});
			}),
		put: (row: Setting) =>
			new Promise<void>((resolve, reject) => {
				puts.push({ row, done: resolve, fail: () => reject(new Refusal('storage-full')) });
			}),
		observe: (listener: (change: TableChange) => void) => {
			listeners.add(listener);
			return () => listeners.delete(listener);
		}
	} as unknown as Store['settings'];
	const setting = new SharedSetting<string>({
		...{ settings, now: () => 42, id: 'colour', read, unread: 'careful' },
		write: (value) => `written ${value}`
	});
	const seen: string[] = [];
	setting.value.observe((value) => void seen.push(value));
	/** Another tab wrote. */
	const changed = (key = 'colour') => listeners.forEach((hear) => hear({ key, kind: 'put' }));
	return { setting, gets, puts, seen, changed };
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const settled = async (work: Promise<unknown>): Promise<boolean> => {
	let done = false;
	const settle = () => (done = true);
	work.then(settle, settle);
	await turn();
	return done;
};

describe('reading', () => {
	test('before the row was read, what no row means holds; then the row', async () => {
		const { setting, gets, seen } = table();
		expect(gets.map(({ key }) => key)).toEqual(['colour']);
		expect(await settled(setting.ready())).toBe(false);
		gets[0]?.answer('red');
		expect(await settled(setting.ready())).toBe(true);
		expect(seen).toEqual(['none', 'read red']);
	});

	test('a row that is not there is no row', async () => {
		const { setting, gets } = table();
		gets[0]?.answer();
		await setting.ready();
		expect(setting.value.value).toBe('none');
	});

	test('a row that cannot be read is the careful choice, and no error', async () => {
		const { setting, gets } = table();
		gets[0]?.fail();
		await setting.ready();
		expect(setting.value.value).toBe('careful');
	});

	test('what another tab wrote holds here too; of another row nothing is read', async () => {
		const { setting, gets, changed } = table();
		gets[0]?.answer('red');
		await turn();
		changed('size');
		expect(gets).toHaveLength(1);
		changed();
		gets[1]?.answer('blue');
		await turn();
		expect(setting.value.value).toBe('read blue');
		// What is held already is newer than nothing.
		changed();
		gets[2]?.fail();
		await turn();
		expect(setting.value.value).toBe('read blue');
	});

	test('of two readings the one that was asked last counts, whichever comes first', async () => {
		const { setting, gets, changed, seen } = table();
		changed();
		gets[1]?.answer('new');
		await turn();
		gets[0]?.answer('old');
		await turn();
		expect(setting.value.value).toBe('read new');
		expect(seen).toEqual(['none', 'read new']);
	});

	test('nor does one come through that was asked before a change here and a later reading', async () => {
		const { setting, gets, puts, changed } = table();
		const kept = setting.set('mine');
		puts[0]?.done();
		await kept;
		changed();
		gets[1]?.answer('new');
		await turn();
		gets[0]?.answer('old');
		await turn();
		expect(setting.value.value).toBe('read new');
	});

	test('a row that was taken away is no row', async () => {
		const { setting, gets, changed } = table();
		gets[0]?.answer('red');
		await turn();
		changed();
		gets[1]?.answer();
		await turn();
		expect(setting.value.value).toBe('none');
	});

	test('a first reading that fails late does not undo what was set meanwhile', async () => {
		const { setting, gets, puts } = table();
		void setting.set('mine');
		gets[0]?.fail();
		await turn();
		expect(setting.value.value).toBe('mine');
		puts[0]?.done();
		await turn();
		expect(setting.value.value).toBe('mine');
	});
});

describe('setting', () => {
	test('holds at once here, and is written with its time', async () => {
		const { setting, puts } = table();
		const kept = setting.set('mine');
		expect(setting.value.value).toBe('mine');
		expect(puts.map(({ row }) => row)).toStrictEqual([{ id: 'colour', savedAt: 42, value: 'written mine' }]);
		expect(await settled(kept)).toBe(false);
		puts[0]?.done();
		await kept;
	});

	test('what the store refuses is told, and holds for this visit', async () => {
		const { setting, gets, puts } = table();
		gets[0]?.answer('red');
		await turn();
		const kept = setting.set('mine');
		puts[0]?.fail();
		expect(await kept.catch(codeOf)).toBe('storage-full');
		expect(setting.value.value).toBe('mine');
	});

	test('what is read late does not overwrite it', async () => {
		const { setting, gets, puts } = table();
		const kept = setting.set('mine');
		gets[0]?.answer('red');
		puts[0]?.done();
		await kept;
		expect([setting.value.value, gets.length]).toEqual(['mine', 1]);
	});

	test('what another tab wrote while this one did is read when all was written, once', async () => {
		const { setting, gets, puts, changed } = table();
		gets[0]?.answer('red');
		await turn();
		const [first, second] = [setting.set('first'), setting.set('second')];
		changed();
		changed();
		puts[0]?.done();
		await first;
		// The other write is still under way.
		expect(gets).toHaveLength(1);
		puts[1]?.fail();
		await second.catch(codeOf);
		expect(gets).toHaveLength(2);
		gets[1]?.answer('theirs');
		await turn();
		expect(setting.value.value).toBe('read theirs');
		const third = setting.set('third');
		puts[2]?.done();
		await third;
		expect(gets).toHaveLength(2);
	});
});

describe('changing', () => {
	test('builds on what was read, and waits for it', async () => {
		const { setting, gets, puts } = table();
		const kept = setting.change((value) => `${value} and mine`);
		await turn();
		expect(puts).toEqual([]);
		gets[0]?.answer('red');
		await turn();
		expect(setting.value.value).toBe('read red and mine');
		expect(puts[0]?.row.value).toBe('written read red and mine');
		puts[0]?.done();
		await kept;
		// It is known now; nothing is read again.
		void setting.change((value) => `${value}!`);
		await turn();
		expect([gets.length, puts[1]?.row.value]).toEqual([1, 'written read red and mine!']);
	});

	test('a row that could not be read is tried once more, and read now it counts', async () => {
		const { setting, gets, puts } = table();
		gets[0]?.fail();
		await setting.ready();
		const kept = setting.change((value) => `${value} and mine`);
		await turn();
		expect(await settled(setting.ready())).toBe(false);
		gets[1]?.answer('red');
		await turn();
		puts[0]?.done();
		await kept;
		expect(puts.map(({ row }) => row.value)).toEqual(['written read red and mine']);
	});

	test('a row that still cannot be read is not overwritten; the change holds for this visit', async () => {
		const { setting, gets, puts } = table();
		gets[0]?.fail();
		const kept = setting.change((value) => `${value} and mine`);
		await turn();
		gets[1]?.fail();
		const refused = await kept.catch((error: unknown) => error);
		expect(refused).toMatchObject({
			code: 'storage-unavailable',
			message: expect.stringContaining('colour') as string
		});
		expect([setting.value.value, puts.length]).toEqual(['careful and mine', 0]);
	});

	test('a step that refuses changes nothing', async () => {
		const { setting, gets, puts, seen } = table();
		gets[0]?.answer('red');
		const refused = setting.change(() => {
			throw new Refusal('oversized');
		});
		expect(await refused.catch(codeOf)).toBe('oversized');
		expect([puts.length, seen]).toEqual([0, ['none', 'read red']]);
	});
});
