import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodingFor, fileNamed, isLoopbackHost, serve, type Serving } from '../../scripts/serve.ts';
import { readDirectory } from '#lib/doors/directory.ts';
import { believeDirectory } from '#lib/survival/directory.ts';
import { firstKeys } from '#lib/survival/root.ts';
import { realCrypto } from '../doubles/release.ts';

let folder: string;
let app: Serving;
let relays: string[] = [];
const SCRIPT = 'export const a = 1;\n'.repeat(500);

beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-serve-'));
	const build = path.join(folder, 'build');
	await mkdir(path.join(build, '_app/immutable'), { recursive: true });
	await writeFile(path.join(build, 'index.html'), '<h1>Fireweed</h1>');
	await writeFile(path.join(build, 'directory.json'), 'in the folder');
	await writeFile(path.join(build, '_app/immutable/a.js'), SCRIPT);
	await writeFile(path.join(build, '_app/engine.wasm'), Buffer.alloc(4000, 7));
	await writeFile(path.join(build, '.secret'), 'hidden');
	await writeFile(path.join(folder, 'outside.txt'), 'outside');
	await symlink(path.join(build, 'index.html'), path.join(build, 'link.html'));
	app = await serve({ root: build, port: 0, cache: path.join(folder, 'cache'), relays: () => relays });
});
afterAll(async () => {
	await app.close();
	await rm(folder, { recursive: true });
});

/** A request without fetch's kindness: the path as it is, any header, the body as it came. */
function ask(target: string, headers: Record<string, string> = {}, method = 'GET') {
	return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
		const sent = request({ host: '127.0.0.1', port: app.port, path: target, method, headers }, (response) => {
			const parts: Buffer[] = [];
			response.on('data', (part: Buffer) => parts.push(part));
			response.on('end', () =>
				resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) })
			);
		});
		sent.on('error', reject);
		sent.end();
	});
}

describe('serve', () => {
	test('the page, with its type and a check each time', async () => {
		const page = await ask('/?relay=x');
		expect([page.status, page.body.toString()]).toEqual([200, '<h1>Fireweed</h1>']);
		expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
		const again = await ask('/', { 'if-none-match': String(page.headers['etag']) });
		expect([again.status, again.body.length]).toEqual([304, 0]);
	});

	test('named by content: kept for ever; wasm has its own type', async () => {
		expect((await ask('/_app/immutable/a.js')).headers['cache-control']).toContain('immutable');
		expect((await ask('/_app/engine.wasm')).headers['content-type']).toBe('application/wasm');
	});

	test.each([
		['br', brotliDecompressSync],
		['gzip', gunzipSync]
	] as const)('%s: smaller, the same when unpacked, kept on disk', async (encoding, unpack) => {
		const packed = await ask('/_app/immutable/a.js', { 'accept-encoding': encoding });
		expect(packed.headers).toMatchObject({ 'content-encoding': encoding, vary: 'accept-encoding' });
		expect(packed.body.length).toBeLessThan(SCRIPT.length / 5);
		expect(unpack(packed.body).toString()).toBe(SCRIPT);
		expect((await readdir(path.join(folder, 'cache'))).some((name) => name.endsWith(`.${encoding}`))).toBe(true);
	});

	test('HEAD has the length and no body; other methods are refused', async () => {
		const head = await ask('/', {}, 'HEAD');
		expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '17', 0]);
		expect((await ask('/', {}, 'POST')).status).toBe(405);
	});

	test.each([
		'/../outside.txt',
		'/%2e%2e/outside.txt',
		'/_app/..%2f..%2foutside.txt',
		'/..\\outside.txt',
		'/.secret',
		'//etc/passwd',
		'/%00',
		'/%zz',
		'http://elsewhere/'
	])('%s is refused', async (target) => {
		expect([400, 404]).toContain((await ask(target)).status);
	});

	test('a folder and an unknown file are not found', async () => {
		expect((await ask('/_app')).status).toBe(404);
		expect((await ask('/nothing')).status).toBe(404);
	});

	test('the directory names the relay that is up, and the file when none is', async () => {
		const listed = async () => {
			const signed = readDirectory((await ask('/directory.json')).body.toString());
			return (await believeDirectory(signed, { root: firstKeys() }, realCrypto, Date.now())).directory.relays;
		};
		expect((await ask('/directory.json')).body.toString()).toBe('in the folder');
		relays = ['/ip4/127.0.0.1/tcp/1/ws/p2p/12D3KooWQMvjzHi7MgHx1m9yZsUbmU8LT1vyo7K6hA6CRcEJN8TK'];
		expect(await listed()).toEqual(relays);
		relays = [];
		expect((await ask('/directory.json')).body.toString()).toBe('in the folder');
	});

	test('a name of elsewhere that points here is turned away', async () => {
		expect((await ask('/', { host: `evil.example:${app.port}` })).status).toBe(421);
		expect((await ask('/', { host: `localhost:${app.port}` })).status).toBe(200);
	});

	test('a port in use is the system’s error', async () => {
		await expect(serve({ root: folder, port: app.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
	});
});

test.each([
	['127.0.0.1', true],
	['127.0.0.1:80', true],
	['[::1]:8420', true],
	['localhost:1', true],
	['bafy.ipfs.localhost:1', true],
	['127.0.0.1.evil.example', false],
	['localhost.evil.example', false],
	['evillocalhost', false],
	['127.0.0.1:80@evil', false],
	[undefined, false]
])('host %s is loopback: %s', (host, expected) => {
	expect(isLoopbackHost(host)).toBe(expected);
});

test.each([
	['/', 'index.html'],
	['/a/', 'a/index.html'],
	['/a.js?x#y', 'a.js'],
	['/a%20b', 'a b'],
	['', undefined],
	['/a//b', undefined],
	['/a/../b', undefined],
	['/a\n', 'a\n']
])('path %j names %j', (target, expected) => {
	expect(fileNamed(target)).toBe(expected);
});

test.each([
	['gzip, deflate, br', 'a.wasm', 'br'],
	['gzip;q=1.0', 'a.onnx', 'gzip'],
	['br;q=0, gzip', 'a.js', 'gzip'],
	['br', 'a.png', 'identity'],
	[undefined, 'a.js', 'identity']
])('accepting %s, %s goes as %s', (accepted, name, expected) => {
	expect(encodingFor(accepted, name)).toBe(expected);
});
