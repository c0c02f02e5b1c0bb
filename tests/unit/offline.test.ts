import { describe, expect, test } from 'vitest';
import { handlerFor, serveOffline, type OfflineScope, type PrecacheEntry } from '#workers/offline.ts';
import { precache, type Precache } from '#workers/precache.ts';
import { createHash } from 'node:crypto';

const SCOPE = 'http://host/ipfs/cid/';

/** Cache storage in memory: as much of it as the worker uses. */
class Caches {
	readonly all = new Map<string, Map<string, Response>>();
	full = false;
	async keys() {
		return [...this.all.keys()];
	}
	async delete(name: string) {
		return this.all.delete(name);
	}
	async open(name: string) {
		const held = this.all.get(name) ?? new Map<string, Response>();
		this.all.set(name, held);
		return {
			match: async (url: string) => held.get(url)?.clone(),
			put: async (url: string, response: Response) => {
				if (this.full) throw new DOMException('', 'QuotaExceededError');
				held.set(url, response);
			},
			delete: async (url: string) => held.delete(url),
			keys: async () => [...held.keys()].map((url) => ({ url }))
		} as unknown as Cache;
	}
	/** What a cache holds, as address → text. */
	async texts(name: string) {
		const held = [...(this.all.get(name) ?? [])];
		return Object.fromEntries(
			await Promise.all(held.map(async ([url, response]) => [url, await response.clone().text()]))
		);
	}
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');
const entry = (url: string, text: string, bytes = text.length): PrecacheEntry => ({
	url,
	revision: sha256(text),
	bytes
});

const FILES: Record<string, string> = {
	[SCOPE]: '<page>',
	[`${SCOPE}_app/a.js`]: 'script',
	[`${SCOPE}_app/engine.wasm`]: 'engine'
};
const ENTRIES = [
	entry('./', '<page>'),
	entry('./_app/a.js', 'script'),
	entry('./_app/engine.wasm', 'engine', 14_000_000)
];

/** A server of `files` that counts what it is asked. */
function server(files: Record<string, string>) {
	const asked: string[] = [];
	const state = { files: { ...files }, asked, offline: false };
	const fetch = async (url: string, init?: RequestInit) => {
		asked.push(`${url}${init?.cache === 'reload' ? ' (reload)' : ''}`);
		if (state.offline) throw new TypeError('Failed to fetch');
		const text = state.files[url];
		return text === undefined
			? new Response('no', { status: 404 })
			: new Response(text, { headers: { 'content-type': 'text/x' } });
	};
	return { ...state, state, fetch };
}

function shellOf(
	from: ReturnType<typeof server>,
	caches = new Caches(),
	entries = ENTRIES
): { shell: Precache; caches: Caches } {
	const digest = (bytes: ArrayBuffer) => crypto.subtle.digest('SHA-256', bytes);
	return { shell: precache(entries, SCOPE, { caches: caches as never, fetch: from.fetch, digest }), caches };
}

describe('precache', () => {
	test('an install takes the small files; the rest comes when asked for', async () => {
		const from = server(FILES);
		const { shell } = shellOf(from);
		expect(await shell.fill('small')).toEqual({ have: 2, want: 2 });
		expect(from.asked).not.toContain(`${SCOPE}_app/engine.wasm`);
		expect(await shell.fill('all')).toEqual({ have: 3, want: 3 });
		expect(from.asked).toHaveLength(3);
	});

	test('a file that does not come leaves the others, and the next try fetches only it', async () => {
		const from = server(FILES);
		const { shell } = shellOf(from);
		delete from.state.files[`${SCOPE}_app/a.js`];
		expect(await shell.fill('all')).toEqual({ have: 2, want: 3 });
		from.state.files[`${SCOPE}_app/a.js`] = 'script';
		from.asked.length = 0;
		expect(await shell.fill('all')).toEqual({ have: 3, want: 3 });
		expect(from.asked).toEqual([`${SCOPE}_app/a.js`]);
	});

	test('other bytes than the build has are tried once more past the HTTP cache, then refused and not kept', async () => {
		const from = server({ ...FILES, [`${SCOPE}_app/a.js`]: 'evil' });
		const { shell, caches } = shellOf(from);
		await expect(shell.read(`${SCOPE}_app/a.js`)).rejects.toMatchObject({ code: 'precache-mismatch' });
		expect(from.asked).toEqual([`${SCOPE}_app/a.js`, `${SCOPE}_app/a.js (reload)`]);
		expect([...caches.all.values()].every((held) => held.size === 0)).toBe(true);
	});

	test('names with a hash are taken from the HTTP cache, others are asked about again', async () => {
		const named = `${SCOPE}_app/immutable/b.js`;
		const modes: unknown[] = [];
		const from = server({ ...FILES, [named]: 'b' });
		const fetch = (url: string, init?: RequestInit) => {
			modes.push([url, init?.cache]);
			return from.fetch(url, init);
		};
		await shellOf({ ...from, fetch }, new Caches(), [
			entry('./', '<page>'),
			entry('./_app/immutable/b.js', 'b')
		]).shell.fill('all');
		expect(modes).toEqual([
			[SCOPE, 'no-cache'],
			[named, 'default']
		]);
	});

	test('a copy damaged after it was stored is dropped and fetched anew', async () => {
		const from = server(FILES);
		const { shell, caches } = shellOf(from);
		await shell.fill('all');
		const [name = ''] = await caches.keys();
		caches.all.get(name)?.set(SCOPE, new Response('<poison>'));
		expect(await (await shell.read(SCOPE)).text()).toBe('<page>');
		expect((await caches.texts(name))[SCOPE]).toBe('<page>');
	});

	test('offline, a damaged copy is neither served nor counted as held', async () => {
		const from = server(FILES);
		const { shell, caches } = shellOf(from);
		await shell.fill('all');
		const [name = ''] = await caches.keys();
		caches.all.get(name)?.set(SCOPE, new Response('<poison>'));
		from.state.offline = true;
		await expect(shell.read(SCOPE)).rejects.toThrow('Failed to fetch');
		expect(await shell.fill('all')).toEqual({ have: 2, want: 3 });
	});

	test('an update takes over what did not change and clears its own older builds only', async () => {
		const from = server(FILES);
		const { shell, caches } = shellOf(from);
		await shell.fill('all');
		const others = [`fireweed-shell ${SCOPE}deeper/ 1`, 'fireweed-shell http://host/ 1', `fireweed-directory ${SCOPE}`];
		for (const name of others) await caches.open(name);
		from.state.files[SCOPE] = '<newer>';
		from.asked.length = 0;
		const newer = shellOf(from, caches, [entry('./', '<newer>'), ...ENTRIES.slice(1)]).shell;
		expect(await newer.fill('all')).toEqual({ have: 3, want: 3 });
		expect(from.asked).toEqual([SCOPE]);
		expect(await (await shell.read(SCOPE)).text(), 'the build that runs is untouched').toBe('<page>');
		await newer.clearOlder();
		expect(await caches.keys()).toHaveLength(1 + others.length);
		expect(await caches.keys()).toEqual(expect.arrayContaining(others));
	});

	test('what only some need is not fetched ahead, but kept from its first use on, by later builds too', async () => {
		const gpu = `${SCOPE}_app/workers/webllm-a1.js`;
		const [first, second] = ['old', 'new'].map((text) => entry('./_app/workers/webllm-a1.js', text, 6_000_000));
		const caches = new Caches();
		const from = server({ ...FILES, [gpu]: 'old' });
		const { shell } = shellOf(from, caches, [...ENTRIES, first as PrecacheEntry]);
		expect(await shell.fill('all')).toEqual({ have: 3, want: 3 });
		expect(from.asked).not.toContain(gpu);
		expect(await (await shell.read(gpu)).text()).toBe('old');
		expect(await shell.fill('all')).toEqual({ have: 4, want: 4 });
		from.state.files[gpu] = 'new';
		const newer = shellOf(from, caches, [...ENTRIES, second as PrecacheEntry]).shell;
		expect(await newer.fill('all')).toEqual({ have: 4, want: 4 });
		from.state.offline = true;
		expect(await (await newer.read(gpu)).text()).toBe('new');
	});

	test('a full disk still serves, and says that it does not hold', async () => {
		const from = server(FILES);
		const { shell, caches } = shellOf(from);
		caches.full = true;
		expect(await (await shell.read(SCOPE)).text()).toBe('<page>');
		expect(await shell.fill('all')).toEqual({ have: 0, want: 3 });
	});

	test('two who want the same file at the same time share one fetch, and both can read it', async () => {
		const from = server(FILES);
		const { shell } = shellOf(from);
		const url = `${SCOPE}_app/engine.wasm`;
		const texts = await Promise.all(
			[shell.read(url), shell.read(url)].map(async (response) => (await response).text())
		);
		expect(texts).toEqual(['engine', 'engine']);
		expect(from.asked).toEqual([url]);
	});

	test('a redirected answer is kept as a plain one, which may open a page', async () => {
		const from = server(FILES);
		const redirected = async (url: string) => {
			const response = await from.fetch(url);
			Object.defineProperty(response, 'redirected', { value: true });
			return response;
		};
		const { shell } = shellOf({ ...from, fetch: redirected });
		const response = await shell.read(SCOPE);
		expect([response.redirected, response.headers.get('content-type')]).toEqual([false, 'text/x']);
	});
});

describe('the table', () => {
	const { shell } = shellOf(server(FILES));
	const row = (address: string, opensPage = false, method = 'GET') =>
		handlerFor({ address, opensPage, method }, SCOPE, shell)?.name.split(':')[0];

	test.each([
		[SCOPE, true, 'page'],
		[`${SCOPE}index.html`, true, 'page'],
		[SCOPE, false, 'shell'],
		[`${SCOPE}_app/a.js`, false, 'shell'],
		[`${SCOPE}directory.json`, false, 'directory'],
		[`${SCOPE}directory.json`, true, undefined],
		[`${SCOPE}unknown`, true, undefined],
		[`${SCOPE}_app/unknown.js`, false, undefined],
		['http://host/ipfs/other/', true, undefined],
		['http://host/', true, undefined],
		['http://elsewhere/_app/a.js', false, undefined]
	])('%s (opens a page: %s) goes to %s', (address, opensPage, expected) => {
		expect(row(address, opensPage)).toBe(expected);
	});

	test('only GET is answered', () => {
		expect(row(SCOPE, true, 'POST')).toBeUndefined();
		expect(row(`${SCOPE}_app/a.js`, false, 'HEAD')).toBeUndefined();
	});
});

describe('the worker', () => {
	/** Runs serveOffline on a made-up scope and gives its events back as functions. */
	function worker(from: ReturnType<typeof server>) {
		const listeners = new Map<string, (event: never) => void>();
		const caches = new Caches();
		const done = { claimed: 0, skipped: 0 };
		const self = {
			registration: { scope: SCOPE },
			caches,
			crypto,
			clients: { claim: async () => void (done.claimed += 1) },
			skipWaiting: async () => void (done.skipped += 1),
			fetch: (input: string | { url: string }, init?: RequestInit) =>
				from.fetch(typeof input === 'string' ? input : input.url, init),
			addEventListener: (type: string, listener: (event: never) => void) => listeners.set(type, listener)
		};
		serveOffline(self as unknown as OfflineScope, ENTRIES);
		const fire = async (type: string, event: object = {}) => {
			const work: Promise<unknown>[] = [];
			listeners.get(type)?.({ ...event, waitUntil: (each: Promise<unknown>) => work.push(each) } as never);
			await Promise.all(work);
		};
		const open = async (url: string, mode = 'navigate') => {
			let answer: Promise<Response> | undefined;
			await fire('fetch', {
				request: { url, mode, method: 'GET' },
				respondWith: (each: Promise<Response>) => (answer = each)
			});
			return answer;
		};
		return { fire, open, caches, done };
	}

	test('an install that lacks a file fails, and what came is not fetched again', async () => {
		const from = server(FILES);
		const { fire } = worker(from);
		delete from.state.files[SCOPE];
		await expect(fire('install')).rejects.toThrow('1 of 2');
		from.state.files[SCOPE] = '<page>';
		from.asked.length = 0;
		await fire('install');
		expect(from.asked).toEqual([SCOPE]);
	});

	test('the page opens offline whatever its query says', async () => {
		const from = server(FILES);
		const { fire, open, done } = worker(from);
		await fire('install');
		await fire('activate');
		from.state.offline = true;
		expect(done.claimed).toBe(1);
		expect(await (await open(`${SCOPE}?relay=%2Fip4%2F1#/contribute`))?.text()).toBe('<page>');
	});

	test('a page that is gone here and newer there is let through; a changed script is not', async () => {
		const { open, caches } = worker(server({ [SCOPE]: '<newer>', [`${SCOPE}_app/a.js`]: 'evil' }));
		expect(await (await open(SCOPE))?.text()).toBe('<newer>');
		expect((await open(`${SCOPE}_app/a.js`, 'cors'))?.status).toBe(502);
		expect([...caches.all.values()].every((held) => held.size === 0)).toBe(true);
	});

	test('the directory is asked for anew, and the last one heard stands in', async () => {
		const from = server({ [`${SCOPE}directory.json`]: '1' });
		const { open, fire } = worker(from);
		const ask = async () => (await open(`${SCOPE}directory.json`, 'cors'))?.text();
		expect(await ask()).toBe('1');
		from.state.files[`${SCOPE}directory.json`] = '2';
		expect(await ask()).toBe('2');
		from.state.offline = true;
		await fire('activate');
		expect(await ask()).toBe('2');
	});

	test('messages: complete answers with what is held, activate ends the waiting, others do nothing', async () => {
		const { fire, done } = worker(server(FILES));
		const answers: unknown[] = [];
		const ports = [{ postMessage: (answer: unknown) => answers.push(answer) }];
		for (const data of [null, 'x', { fireweed: 'y' }]) await fire('message', { data, ports });
		expect([answers, done.skipped]).toEqual([[], 0]);
		await fire('message', { data: { fireweed: 'complete' }, ports });
		await fire('message', { data: { fireweed: 'activate' }, ports });
		expect([answers, done.skipped]).toEqual([[{ have: 3, want: 3 }], 1]);
	});
});
