/** Deleting everything: only what is ours, whatever the browser withholds, and never a claim that is not true. */
import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { describe, expect, test, vi } from 'vitest';
import { GONE, openTidings, takeConfirmation } from '#lib/survival/tidings.ts';
import { MODEL_FOLDER, wipe, type WipeComponents } from '#lib/survival/wipe.ts';
import { closableCaches } from '#workers/closable-caches.ts';
import { KEPT_FOLDER } from '#workers/messages.ts';
import { until } from '../compliance/store.ts';

/** A `Storage` that holds what it is given. */
function storage(rows: Record<string, string>): Storage {
	const map = new Map(Object.entries(rows));
	return {
		get length() {
			return map.size;
		},
		key: (n) => [...map.keys()][n] ?? null,
		getItem: (name) => map.get(name) ?? null,
		setItem: (name, value) => void map.set(name, value),
		removeItem: (name) => void map.delete(name),
		clear: () => map.clear()
	};
}

/** A browser with everything in it, ours and others'. */
async function browser(base: string) {
	const directory = new URL(base).pathname;
	for (const name of [`fireweed:${directory}`, `fireweed-keys:${directory}`, `other:${directory}`])
		(await openDB(name)).close();
	const names = new Set([
		...[`fireweed-shell ${base} 0f`, `fireweed-directory ${base}`, 'fireweed-webllm/small'],
		...[`fireweed-shell ${base}deeper/ 0f`, 'somebody-else']
	]);
	const registrations = new Set([base, `${base}deeper/`]);
	const files = new Set([MODEL_FOLDER, 'other-files']);
	const session = storage({ 'fireweed.chat': 'a', 'sveltekit:scroll': '{}', other: 'x' });
	const components: WipeComponents = {
		base,
		indexedDB,
		caches: {
			keys: async () => [...names],
			delete: async (name: string) => names.delete(name)
		} as Partial<CacheStorage> as CacheStorage,
		files: async () =>
			({
				removeEntry: async (name: string) => {
					if (!files.delete(name)) throw new DOMException('none', 'NotFoundError');
				}
			}) as Partial<FileSystemDirectoryHandle> as FileSystemDirectoryHandle,
		serviceWorker: {
			getRegistrations: async () =>
				[...registrations].map((scope) => ({
					...{ scope, active: null, waiting: null, installing: null },
					unregister: async () => registrations.delete(scope)
				})) as never
		},
		locks: { query: async () => ({ held: [], pending: [] }) },
		storages: [session],
		tellEnd: vi.fn(),
		sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 10))
	};
	return { components, names, registrations, files, session };
}

const databases = async () => (await indexedDB.databases()).map(({ name }) => name);

describe('wipe', () => {
	test('takes all that is ours and nothing else', async () => {
		const base = 'http://host/app/';
		const { components, names, registrations, files, session } = await browser(base);
		expect(await wipe(components)).toEqual([]);
		expect(await databases()).toEqual(['other:/app/']);
		expect([...names]).toEqual([`fireweed-shell ${base}deeper/ 0f`, 'somebody-else']);
		expect([...registrations]).toEqual([`${base}deeper/`]);
		expect([...files]).toEqual(['other-files']);
		expect(Array.from({ length: session.length }, (_, i) => session.key(i))).toEqual(['other']);
		// A second time there is nothing to do, and that is no error.
		expect(await wipe(components)).toEqual([]);
	});

	test('names the folder of models as the engines do', () => {
		expect(MODEL_FOLDER).toBe(KEPT_FOLDER);
	});

	test('waits for the other tabs, telling them again, before it deletes', async () => {
		const { components } = await browser('http://host/waits/');
		const order: string[] = [];
		let asked = 0;
		const query = async () => ({
			held: ++asked < 4 ? [{ name: 'fireweed-node-1' }] : [{ name: 'of somebody else' }],
			pending: []
		});
		const factory = new Proxy(indexedDB, {
			get: (target, name: keyof IDBFactory) => {
				if (name === 'deleteDatabase') order.push(`delete after ${asked} looks`);
				return target[name].bind(target);
			}
		});
		expect(await wipe({ ...components, locks: { query }, indexedDB: factory })).toEqual([]);
		expect(order[0]).toBe('delete after 4 looks');
		expect(components.tellEnd).toHaveBeenCalledTimes(2);
	});

	test('a database that a frozen tab holds is named, and goes when the tab does', async () => {
		const { components } = await browser('http://host/held/');
		const held = await openDB('fireweed:/held/');
		const left = await wipe(components);
		expect(left).toEqual([expect.stringContaining('another tab of Fireweed holds')]);
		expect((await wipe({ ...components, indexedDB: undefined })).length).toBe(0);
		held.close();
		await vi.waitFor(async () => expect(await databases()).not.toContain('fireweed:/held/'));
	});

	test.each([
		['caches', { caches: { keys: () => Promise.reject(new Error('no')) } as never }],
		['files', { files: async () => ({ removeEntry: () => Promise.reject(new Error('locked')) }) as never }],
		[
			'workers',
			{
				serviceWorker: {
					getRegistrations: async () =>
						[
							{
								scope: 'http://host/fails/',
								active: null,
								waiting: null,
								installing: null,
								unregister: async () => false
							}
						] as never
				}
			}
		]
	])('%s that do not go are named, and the rest goes all the same', async (_name, fault) => {
		const { components } = await browser('http://host/fails/');
		expect(await wipe({ ...components, ...fault })).toHaveLength(1);
		expect(await databases()).not.toContain('fireweed:/fails/');
	});

	test('a browser that withholds everything is wiped already', async () => {
		const nothing = { caches: undefined, files: undefined, serviceWorker: undefined, locks: undefined };
		const { components } = await browser('http://host/bare/');
		expect(await wipe({ ...components, ...nothing, indexedDB: undefined, storages: [] })).toEqual([]);
	});
});

describe('the worker', () => {
	const memory = (made: Set<string>, slow: Promise<void>) => ({
		open: async (name: string) => {
			await slow;
			made.add(name);
			return { put: async () => undefined, match: async () => undefined } as Partial<Cache> as Cache;
		},
		keys: async () => [...made],
		delete: async (name: string) => made.delete(name)
	});

	test('opens no cache after it was told to end, and says so only when none is being opened', async () => {
		const made = new Set<string>();
		const slow = Promise.withResolvers<void>();
		const caches = closableCaches(memory(made, slow.promise));
		const opening = caches.open('begun before');
		let closed = false;
		const closing = caches.close().then(() => (closed = true));
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(closed).toBe(false);
		slow.resolve();
		await Promise.all([opening, closing]);
		expect([...made]).toEqual(['begun before']);
		made.clear();
		const after = await caches.open('late');
		await after.put('./x', new Response('x'));
		expect([await after.match('./x'), await caches.keys(), [...made]]).toEqual([undefined, [], []]);
	});

	test('is asked to end before it is sent away, and not waited for longer than it may take', async () => {
		const { components } = await browser('http://host/worker/');
		const order: string[] = [];
		const worker = (answers: boolean) => ({
			postMessage: (message: unknown, [port]: [MessagePort]) => {
				order.push(JSON.stringify(message));
				if (answers) port.postMessage(true);
			}
		});
		let registered = true;
		const registration = {
			...{ scope: 'http://host/worker/', active: worker(true), waiting: worker(false), installing: null },
			unregister: async () => {
				order.push('sent away');
				registered = false;
			}
		};
		const serviceWorker = { getRegistrations: async () => (registered ? [registration] : []) as never };
		expect(await wipe({ ...components, serviceWorker })).toEqual([]);
		expect(order).toEqual(['{"fireweed":"end"}', '{"fireweed":"end"}', 'sent away']);
	});
});

describe('tidings', () => {
	const tab = (directory: string) => {
		const done: string[] = [];
		const location = {
			hash: '',
			reload: () => void done.push(`reload at ${location.hash}`)
		};
		const tabMemory = storage({});
		const house = openTidings({ directory, location, tabMemory, leave: () => void done.push('leave') });
		return { house, done, tabMemory };
	};

	test('a restart reaches every tab of the profile, and no other', async () => {
		const [one, two, stranger] = [tab('/a/'), tab('/a/'), tab('/b/')];
		one.house.restart();
		await until(() => two.done.length === 2);
		expect([one.done, two.done, stranger.done]).toEqual([['leave', 'reload at '], ['leave', 'reload at '], []]);
		stranger.house.close();
	});

	test('an end leads all to where nothing runs; only the tab with the gesture may delete, once', async () => {
		const [one, two] = [tab('/c/'), tab('/c/')];
		one.house.end();
		await until(() => two.done.length === 2);
		expect([one.done[1], two.done[1]]).toEqual([`reload at ${GONE}`, `reload at ${GONE}`]);
		expect(takeConfirmation(two.tabMemory)).toBe(false);
		expect(takeConfirmation(one.tabMemory)).toBe(true);
		expect(takeConfirmation(one.tabMemory)).toBe(false);
		expect(takeConfirmation(undefined)).toBe(false);
	});

	test('noise on the channel is ignored', async () => {
		const { house, done } = tab('/d/');
		const channel = new BroadcastChannel('fireweed-house:/d/');
		for (const noise of [undefined, 'END', { end: true }, ['end']]) channel.postMessage(noise);
		channel.postMessage('restart');
		await until(() => done.length > 0);
		expect(done).toEqual(['leave', 'reload at ']);
		channel.close();
		house.close();
	});
});
