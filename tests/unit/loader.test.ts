/** The loader on made-up servers: what runs, what comes, what is refused, what is gone back to, and what is left alone. */
import { beforeAll, describe, expect, test } from 'vitest';
import { MAX_TRIES } from '#workers/loader-state.ts';
import { handlerFor, serveOffline, type OfflineScope } from '#workers/offline.ts';
import type { About, Found } from '#workers/loader.ts';
import { Caches } from '../doubles/caches.ts';
import { keysBody, keysOf, signedKeys, site, type Site } from '../doubles/release.ts';

const SCOPE = 'http://host/ipfs/cid/';

let root: Uint8Array;
let next: Uint8Array;
let one: Site;
let two: Site;

const FIRST = { 'index.html': '<one>', '_app/a.js': 'a1', '_app/only-one.js': 'o1', 'service-worker.js': 'loader' };
const SECOND = { 'index.html': '<two>', '_app/a.js': 'a2', '_app/only-two.js': 'o2', 'service-worker.js': 'loader' };

beforeAll(async () => {
	root = (await signedKeys(keysBody(), [1, 2])).bytes;
	next = (await signedKeys(keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 2, 4) } }), [1, 2, 4]))
		.bytes;
	one = await site([root], FIRST, { sequence: 1, name: 'one' });
	two = await site([root], SECOND, { sequence: 2, name: 'two' });
});

/** A worker with its listeners as functions, on a server whose files can be exchanged. */
function world(files: Site, caches = new Caches()) {
	const server = { files, offline: false, asked: [] as string[] };
	const listeners = new Map<string, (event: never) => void>();
	const done = { claimed: 0, skipped: 0, told: [] as unknown[] };
	const self = {
		registration: { scope: SCOPE },
		caches,
		crypto,
		clients: {
			claim: async () => void (done.claimed += 1),
			matchAll: async () => [{ postMessage: (message: unknown) => done.told.push(message) }]
		},
		skipWaiting: async () => void (done.skipped += 1),
		fetch: async (input: string | { url: string }) => {
			const url = typeof input === 'string' ? input : input.url;
			server.asked.push(url);
			if (server.offline) throw new TypeError('Failed to fetch');
			const path = url.split(/[?#]/)[0]?.slice(SCOPE.length) ?? '';
			const body = server.files[path === '' ? 'index.html' : path];
			return body === undefined ? new Response('no', { status: 404 }) : new Response(body as BodyInit);
		},
		addEventListener: (type: string, listener: (event: never) => void) => listeners.set(type, listener)
	};
	const start = () => serveOffline(self as unknown as OfflineScope, root);
	start();
	const fire = async (type: string, event: object = {}) => {
		const work: Promise<unknown>[] = [];
		listeners.get(type)?.({ ...event, waitUntil: (each: Promise<unknown>) => work.push(each) } as never);
		await Promise.all(work);
	};
	const open = async (path = '', mode = 'navigate') => {
		let answer: Promise<Response> | undefined;
		await fire('fetch', {
			request: { url: SCOPE + path, mode, method: 'GET' },
			respondWith: (each: Promise<Response>) => (answer = each)
		});
		return answer;
	};
	const page = async (path = '') => (await (await open(path))?.text()) ?? 'left to the browser';
	const ask = async (question: string, more: object = {}) => {
		const answers: unknown[] = [];
		const ports = [{ postMessage: (answer: unknown) => answers.push(answer) }];
		await fire('message', { data: { fireweed: question, ...more }, ports });
		return answers[0];
	};
	const check = async () => (await ask('check')) as Found;
	const begin = async () => {
		await fire('install');
		await fire('activate');
		await ask('started', { cid: ((await ask('about')) as About).cid });
	};
	/** Looks, and takes what is offered. */
	const update = async () => {
		const found = await check();
		if (found.kind !== 'offered') throw new Error(`not offered: ${JSON.stringify(found)}`);
		expect(await ask('switch', { cid: found.cid })).toBe(true);
		return found;
	};
	/** The worker ends and begins anew, as browsers do every half minute. */
	const restart = () => {
		listeners.clear();
		start();
	};
	return { server, done, caches, fire, open, page, ask, check, begin, update, restart };
}

describe('a first visit', () => {
	test('takes a signed release and opens offline, whatever the query says, also after the worker was ended', async () => {
		const w = world(one);
		await w.begin();
		w.server.offline = true;
		expect(await w.page('?relay=%2Fip4%2F1#/contribute')).toBe('<one>');
		w.restart();
		expect(await w.page()).toBe('<one>');
		expect(await (await w.open('_app/a.js', 'cors'))?.text()).toBe('a1');
		expect(w.done.claimed).toBe(1);
	});

	test.each<[string, () => Promise<Site>]>([
		['too-few-keys', () => site([root], FIRST, {}, [1])],
		['wrong-role', () => site([root], FIRST, {}, [11, 12])],
		['too-few-keys', async () => FIRST],
		['mixed-release', async () => ({ ...one, 'release/files.cbor': two['release/files.cbor'] as Uint8Array })],
		['oversized', async () => ({ ...one, 'release/manifest.cbor': new Uint8Array(1_000_000) })]
	])('is refused with %s, and the page hears why', async (code, files) => {
		const w = world(await files());
		await expect(w.fire('install')).rejects.toMatchObject({ code });
		expect(w.done.told).toEqual([{ fireweed: 'refused', code }]);
		expect(await w.ask('about')).toBeNull();
	});

	test('that lacks a file fails, and what came is not fetched again', async () => {
		const { 'index.html': page, ...rest } = one;
		const w = world(rest);
		await expect(w.fire('install')).rejects.toThrow('2 of 3');
		w.server.files = { ...rest, 'index.html': page as string };
		w.server.asked.length = 0;
		await w.fire('install');
		expect(w.server.asked.filter((url) => !url.includes('/release/'))).toEqual([SCOPE]);
	});
});

describe('a newer release', () => {
	test('is fetched beside what runs, offered with who signed it, and switched to only when asked', async () => {
		const w = world(one);
		await w.begin();
		expect(await w.check()).toEqual({ kind: 'none' });
		w.server.files = two;
		const found = await w.check();
		expect(found).toMatchObject({ kind: 'offered', name: 'two', signers: ['Key 1', 'Key 2'], development: false });
		expect(await w.page()).toBe('<one>');
		expect(await w.ask('switch', { cid: 'another' })).toBe(false);
		expect(await w.page()).toBe('<one>');
		await w.update();
		w.server.offline = true;
		w.restart();
		expect(await w.page()).toBe('<two>');
	});

	test('leaves an older tab the files only it needs', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		await w.update();
		expect(await (await w.open('_app/only-one.js', 'cors'))?.text()).toBe('o1');
		expect(await (await w.open('_app/only-two.js', 'cors'))?.text()).toBe('o2');
		expect((await w.caches.keys()).filter((name) => name.startsWith('fireweed-shell'))).toHaveLength(2);
	});

	const bad: [string, () => Promise<Site>][] = [
		['too-few-keys', () => site([root], SECOND, { sequence: 2 }, [2])],
		['wrong-role', () => site([root], SECOND, { sequence: 2 }, [1, 2, 11])],
		['other-line', () => site([root], SECOND, { sequence: 2, line: 'another' })],
		['same-number', () => site([root], SECOND, { sequence: 1 })],
		['rolled-back', () => site([root], SECOND, { sequence: 0 })],
		['fast-forward', () => site([root], SECOND, { sequence: 20_000 })],
		['mixed-release', async () => ({ ...two, 'release/files.cbor': one['release/files.cbor'] as Uint8Array })],
		['mixed-release', async () => ({ ...two, '_app/a.js': 'a1' })],
		['broken-succession', async () => site([next], SECOND, { sequence: 2, keys: 2 })],
		['oversized', async () => ({ ...two, 'release/files.cbor': new Uint8Array(300_000) })],
		['malformed', async () => ({ ...two, 'release/keys.cbor': 'x' })]
	];
	test.each(bad)('is refused with %s (%#), and what runs stays', async (code, files) => {
		const w = world(one);
		await w.begin();
		w.server.files = await files();
		expect(await w.check()).toEqual({ kind: 'refused', code });
		expect(await w.ask('switch', { cid: 'x' })).toBe(false);
		w.restart();
		expect(await w.page()).toBe('<one>');
	});

	test('under new keys makes the old ones count no more, even when it is refused itself', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = await site([root, next], SECOND, { sequence: 2, keys: 2 }, [4]);
		expect(await w.check()).toEqual({ kind: 'refused', code: 'too-few-keys' });
		w.restart();
		w.server.files = two;
		expect(await w.check()).toEqual({ kind: 'refused', code: 'rolled-back' });
		expect(await w.page(), 'what is held is not blocked').toBe('<one>');
	});

	test('that came in part waits for the rest', async () => {
		const w = world(one);
		await w.begin();
		const broken = { ...two };
		w.server.files = new Proxy(broken, {
			get: (files, path) => {
				if (path === '_app/a.js') throw new TypeError('the connection broke');
				return files[String(path)];
			}
		});
		expect(await w.check()).toEqual({ kind: 'incoming', have: 2, want: 3, wrong: 0 });
		w.server.files = two;
		expect(await w.check()).toMatchObject({ kind: 'offered' });
		w.server.offline = true;
		expect(await w.check()).toEqual({ kind: 'unreachable' });
	});

	test('that does not start is gone back from, is not offered again, and the one after it is', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		await w.update();
		for (let i = 0; i < MAX_TRIES; i++) expect(await w.page()).toBe('<two>');
		w.restart();
		expect(await w.page()).toBe('<one>');
		expect(await w.ask('about')).toMatchObject({ fellBack: true });
		expect(await w.check()).toEqual({ kind: 'failed', name: 'two' });
		w.server.files = await site([root], { ...SECOND, 'index.html': '<three>' }, { sequence: 3, name: 'three' });
		await w.update();
		expect(await w.page()).toBe('<three>');
		expect(await w.ask('about')).toMatchObject({ fellBack: false });
	});

	test('that started once is not gone back from', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		const { cid } = await w.update();
		expect(await w.page()).toBe('<two>');
		await w.ask('started', { cid: 'another' });
		await w.ask('started', { cid });
		for (let i = 0; i < 2 * MAX_TRIES; i++) expect(await w.page()).toBe('<two>');
	});
});

describe('a cache that is half gone', () => {
	/** Takes one file of what runs out of every cache. */
	function evict(caches: Caches, path: string) {
		for (const held of caches.all.values()) held.delete(SCOPE + path);
	}

	test('is mended from the server', async () => {
		const w = world(one);
		await w.begin();
		evict(w.caches, '');
		expect(await w.page()).toBe('<one>');
	});

	test('whose page no server has any more: the person decides, and hears who signed the newer one', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		evict(w.caches, '');
		const page = await w.page();
		expect(page).toContain('no longer has this version');
		expect(page).toContain('Start version two, signed by Key 1, Key 2');
		expect(await w.page('?loader=nonsense')).toContain('Fireweed needs your word');
		const answer = await w.open('?loader=newer');
		expect([answer?.status, answer?.headers.get('location')]).toEqual([303, SCOPE]);
		expect(await w.page()).toBe('<two>');
	});

	test('whose page no server has any more, and what it offers is not signed: it says so and starts nothing', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = await site([root], SECOND, { sequence: 2 }, [1]);
		evict(w.caches, '');
		const page = await w.page('?loader=newer');
		expect(page).toContain('Fewer keys have signed it than must.');
		expect(page).not.toContain('loader=newer');
		w.server.offline = true;
		expect(await w.page()).toContain('no server answers');
	});

	test('whose script is gone here and at the server: the next opening asks', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		evict(w.caches, '_app/only-one.js');
		expect((await w.open('_app/only-one.js', 'cors'))?.status).toBe(502);
		expect(await w.page()).toContain('did not start');
		await w.open('?loader=again');
		expect(await w.page()).toBe('<one>');
	});

	test('with an older release beside it: going back is offered', async () => {
		const w = world(one);
		await w.begin();
		w.server.files = two;
		const { cid } = await w.update();
		await w.page();
		await w.ask('started', { cid });
		w.server.files = {};
		evict(w.caches, '');
		// The older release holds a page too; only the newer one's is gone.
		const older = [...w.caches.all].find(([name]) => name.startsWith('fireweed-shell'))?.[1];
		older?.set(SCOPE, new Response('<one>'));
		expect(await w.page()).toContain('Go back to version one');
		await w.open('?loader=previous');
		expect(await w.page()).toBe('<one>');
	});

	test('and a state that others wrote over begins anew, with nothing unsigned', async () => {
		const w = world(one);
		await w.begin();
		const state = w.caches.all.get(`fireweed-loader ${SCOPE}`);
		state?.set(`${SCOPE}release/state`, new Response('poison'));
		w.restart();
		expect(await w.ask('about')).toBeNull();
		expect(await w.page()).toBe('<one>');
		await w.fire('install');
		expect(await w.ask('about')).toMatchObject({ fellBack: false });
	});

	test('and a changed script is refused, not served', async () => {
		const w = world(one);
		await w.begin();
		evict(w.caches, '_app/a.js');
		w.server.files = { ...one, '_app/a.js': 'evil' };
		expect((await w.open('_app/a.js', 'cors'))?.status).toBe(502);
		expect((await w.open('_app/unknown.js', 'cors'))?.status).toBe(502);
	});
});

describe('the table', () => {
	const row = (address: string, opensPage = false, method = 'GET') =>
		handlerFor({ address, opensPage, method }, SCOPE)?.name.split(':')[0];

	test.each([
		[SCOPE, true, 'page'],
		[`${SCOPE}index.html`, true, 'page'],
		[SCOPE, false, 'shell'],
		[`${SCOPE}_app/a.js`, false, 'shell'],
		[`${SCOPE}directory.json`, false, 'directory'],
		[`${SCOPE}directory.json`, true, undefined],
		[`${SCOPE}unknown`, true, undefined],
		[`${SCOPE}service-worker.js`, false, undefined],
		[`${SCOPE}release/manifest.cbor`, false, undefined],
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

test('the directory is asked for anew, and the last one heard stands in', async () => {
	const w = world({ ...one, 'directory.json': '1' });
	const ask = async () => (await w.open('directory.json', 'cors'))?.text();
	expect(await ask()).toBe('1');
	w.server.files = { ...one, 'directory.json': '2' };
	expect(await ask()).toBe('2');
	w.server.offline = true;
	await w.fire('activate');
	expect(await ask()).toBe('2');
});

test('nonsense is not answered; complete says what is held; activate ends the waiting', async () => {
	const w = world(one);
	await w.fire('install');
	for (const data of [null, 'x', 7, { fireweed: 'y' }, { fireweed: 'switch' }, { fireweed: 'started', cid: 1 }]) {
		await w.fire('message', { data, ports: [] });
	}
	expect(w.done.skipped).toBe(0);
	expect(await w.ask('complete')).toEqual({ have: 3, want: 3, wrong: 0 });
	await w.ask('activate');
	expect(w.done.skipped).toBe(1);
});
