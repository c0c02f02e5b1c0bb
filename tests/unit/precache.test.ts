import { describe, expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { clearExcept, precache, type Precache, type PrecacheEntry } from '#workers/precache.ts';
import { Caches } from '../doubles/caches.ts';

const SCOPE = 'http://host/ipfs/cid/';

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
		expect(await shell.fill('small')).toMatchObject({ have: 2, want: 2 });
		expect(from.asked).not.toContain(`${SCOPE}_app/engine.wasm`);
		expect(await shell.fill('all')).toMatchObject({ have: 3, want: 3 });
		expect(from.asked).toHaveLength(3);
	});

	test('a file that does not come leaves the others, and the next try fetches only it', async () => {
		const from = server(FILES);
		const { shell } = shellOf(from);
		delete from.state.files[`${SCOPE}_app/a.js`];
		expect(await shell.fill('all')).toMatchObject({ have: 2, want: 3 });
		from.state.files[`${SCOPE}_app/a.js`] = 'script';
		from.asked.length = 0;
		expect(await shell.fill('all')).toMatchObject({ have: 3, want: 3 });
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
		expect(await shell.fill('all')).toMatchObject({ have: 2, want: 3 });
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
		expect(await newer.fill('all')).toMatchObject({ have: 3, want: 3 });
		expect(from.asked).toEqual([SCOPE]);
		expect(await (await shell.read(SCOPE)).text(), 'the build that runs is untouched').toBe('<page>');
		await clearExcept([newer], SCOPE, caches as never);
		expect(await caches.keys()).toHaveLength(1 + others.length);
		expect(await caches.keys()).toEqual(expect.arrayContaining(others));
	});

	test('what only some need is not fetched ahead, but kept from its first use on, by later builds too', async () => {
		const gpu = `${SCOPE}_app/workers/webllm-a1.js`;
		const [first, second] = ['old', 'new'].map((text) => entry('./_app/workers/webllm-a1.js', text, 6_000_000));
		const caches = new Caches();
		const from = server({ ...FILES, [gpu]: 'old' });
		const { shell } = shellOf(from, caches, [...ENTRIES, first as PrecacheEntry]);
		expect(await shell.fill('all')).toMatchObject({ have: 3, want: 3 });
		expect(from.asked).not.toContain(gpu);
		expect(await (await shell.read(gpu)).text()).toBe('old');
		expect(await shell.fill('all')).toMatchObject({ have: 4, want: 4 });
		from.state.files[gpu] = 'new';
		const newer = shellOf(from, caches, [...ENTRIES, second as PrecacheEntry]).shell;
		expect(await newer.fill('all')).toMatchObject({ have: 4, want: 4 });
		from.state.offline = true;
		expect(await (await newer.read(gpu)).text()).toBe('new');
	});

	test('of the languages only the one that was used is held, and a first start with the next build has it too', async () => {
		const [persian, russian] = ['fa', 'ru'].map((code) => `${SCOPE}_app/chunks/language-${code}-a1.js`) as [
			string,
			string
		];
		const listed = (text: string) => [
			...ENTRIES,
			entry('./_app/chunks/language-fa-a1.js', text, 30_000),
			entry('./_app/chunks/language-ru-a1.js', text, 30_000)
		];
		const caches = new Caches();
		const from = server({ ...FILES, [persian]: 'old', [russian]: 'old' });
		const { shell } = shellOf(from, caches, listed('old'));
		expect(await shell.fill('all')).toMatchObject({ have: 3, want: 3 });
		expect(await (await shell.read(persian)).text()).toBe('old');
		expect(await shell.fill('all')).toMatchObject({ have: 4, want: 4 });
		from.state.files[persian] = 'new';
		const newer = shellOf(from, caches, listed('new')).shell;
		await newer.fill('small');
		from.state.offline = true;
		expect(await (await newer.read(persian)).text()).toBe('new');
		expect(from.asked).not.toContain(russian);
		await expect(newer.read(russian)).rejects.toThrow();
	});

	test('a full disk still serves, and says that it does not hold', async () => {
		const from = server(FILES);
		const { shell, caches } = shellOf(from);
		caches.full = true;
		expect(await (await shell.read(SCOPE)).text()).toBe('<page>');
		expect(await shell.fill('all')).toMatchObject({ have: 0, want: 3 });
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

	test('data without end is cut off, and 404 is not offline', async () => {
		const { shell } = shellOf(server({ ...FILES, [SCOPE]: '<page>'.repeat(100) }));
		await expect(shell.read(SCOPE)).rejects.toMatchObject({ code: 'precache-mismatch' });
		let pulled = 0;
		const endless = async () =>
			new Response(
				new ReadableStream({
					pull: (controller) => {
						pulled += 1;
						controller.enqueue(new Uint8Array(4));
					}
				})
			);
		const cut = shellOf({ ...server(FILES), fetch: endless }).shell;
		await expect(cut.read(SCOPE)).rejects.toMatchObject({ code: 'precache-mismatch' });
		expect(pulled).toBeLessThan(10);
		const gone = server(FILES);
		delete gone.state.files[SCOPE];
		await expect(shellOf(gone).shell.read(SCOPE)).rejects.toMatchObject({ code: 'precache-mismatch' });
		expect(await shellOf(gone).shell.fill('small')).toEqual({ have: 1, want: 2, wrong: 1 });
	});
});

describe('a gzip twin', () => {
	const WASM = `${SCOPE}_app/engine.wasm`;
	const TEXT = 'engine '.repeat(1_000);
	const packed = gzipSync(TEXT);
	const wanted = { ...entry('./_app/engine.wasm', TEXT), packed: packed.length };
	const unpack = (bytes: ArrayBuffer) =>
		new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')));

	function from(files: Record<string, Uint8Array | string>, headers: Record<string, string> = {}) {
		const asked: string[] = [];
		const fetch = async (url: string) => {
			asked.push(url);
			const body = files[url];
			return body === undefined
				? new Response('no', { status: 404 })
				: new Response(body as BodyInit, { headers: { 'content-type': 'application/octet-stream', ...headers } });
		};
		const digest = (bytes: ArrayBuffer) => crypto.subtle.digest('SHA-256', bytes);
		const shell = precache([wanted], SCOPE, { caches: new Caches() as never, fetch, digest, unpack });
		return { asked, shell };
	}

	test('is fetched instead, unpacked, checked and given the type of what it holds', async () => {
		const { asked, shell } = from({ [`${WASM}.gz`]: packed, [WASM]: TEXT });
		const response = await shell.read(WASM);
		expect([await response.text(), response.headers.get('content-type')]).toEqual([TEXT, 'application/wasm']);
		expect(asked).toEqual([`${WASM}.gz`]);
	});

	const bomb = gzipSync(new Uint8Array(10_000_000));
	test.each<[string, Uint8Array | undefined]>([
		['missing', undefined],
		['of something else', gzipSync('other')],
		['not packed at all', new TextEncoder().encode('x')],
		['a bomb', bomb]
	])('that is %s costs one request', async (_what, twin) => {
		const { asked, shell } = from({ ...(twin && { [`${WASM}.gz`]: twin }), [WASM]: TEXT });
		expect(await (await shell.read(WASM)).text()).toBe(TEXT);
		expect(asked).toEqual([`${WASM}.gz`, WASM]);
	});
});
