/** The app as one file: bytes survive being text in a page, modules find each other, and a damaged copy is refused with a reason. */
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '@noble/hashes/sha2.js';
import { createCarrying } from '#lib/survival/carried/carrying.ts';
import { fromPageText, packed, readIndex, toPageBytes, unpacked } from '#lib/survival/carried/container.ts';
import { gatheredPage } from '#lib/survival/carried/gather.ts';
import { CARRIED_ORIGIN, importsOf, inOrder, linked } from '#lib/survival/carried/links.ts';
import { BOOT_ID, carriedPage, FILES_ID, INDEX_ID, isCarried } from '#lib/survival/carried/pack.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { encodeFiles } from '#lib/protocol/release-files.ts';
import { carriedWords, shareRefused } from '#lib/ui/share/words.ts';

const asBrowser = (bytes: Uint8Array) => new TextDecoder('windows-1252').decode(bytes);
const codeOfSync = (work: () => unknown): Code | 'none' => {
	try {
		work();
		return 'none';
	} catch (error) {
		expect(error).toBeInstanceOf(Refusal);
		return codeOf(error);
	}
};
/** What an HTML parser does to the text of a script: line ends become one, NUL becomes U+FFFD. */
const parsed = (text: string) => text.replace(/\r\n?/g, '\n').replaceAll('\0', '\ufffd');

describe('bytes as text', () => {
	test('every byte comes back through a parser, and nothing in them ends the element', () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
				const written = toPageBytes(bytes);
				expect(fromPageText(parsed(asBrowser(written)))).toEqual(bytes);
				expect(written.includes(0x3c)).toBe(false);
			})
		);
		const all = Uint8Array.from({ length: 1024 }, (_, n) => n & 255);
		expect(fromPageText(parsed(asBrowser(toPageBytes(all))))).toEqual(all);
		expect(toPageBytes(all).length).toBe(1024 + 16);
	});
	test('another encoding, or a copy that is cut off, is refused', () => {
		const utf8 = new TextDecoder().decode(toPageBytes(Uint8Array.of(0xe2, 0x28, 0xff)));
		expect(codeOfSync(() => fromPageText(utf8))).toBe('malformed');
		expect(codeOfSync(() => fromPageText('abc='))).toBe('malformed');
	});
	test('an index is read strictly, whatever it holds', () => {
		const good = [{ path: 'a', at: 0, length: 3, packed: false }];
		expect(readIndex(JSON.stringify(good), 3)).toEqual(good);
		for (const bad of [
			'',
			'{}',
			'[null]',
			'[{}]',
			JSON.stringify([{ ...good[0], length: 4 }]),
			JSON.stringify([{ ...good[0], at: -1 }])
		])
			expect(codeOfSync(() => readIndex(bad, 3))).toBe('malformed');
		fc.assert(
			fc.property(fc.json(), (text) => {
				expect(['none', 'malformed']).toContain(codeOfSync(() => readIndex(text, 10)));
			})
		);
	});
	test('gzip there and back; what is not gzip is refused', async () => {
		const bytes = Uint8Array.from({ length: 10_000 }, (_, n) => n % 7);
		const small = await packed(bytes);
		expect(small.length).toBeLessThan(200);
		expect(await unpacked(small)).toEqual(bytes);
		await expect(unpacked(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'malformed' });
	});
});

describe('modules', () => {
	const code =
		'import{a as b}from"./x.js";import"../entry/y.js";export*from`./z.js`;const l=()=>import(`./x.js`),u=new URL(`../assets/m.onnx`,import.meta.url),t="from the ./x.js"';
	const exists = (path: string) => path.startsWith('_app/');
	test('what is needed first and later', () => {
		expect(importsOf(code, '_app/c/m.js', exists)).toEqual({
			first: ['_app/c/x.js', '_app/entry/y.js', '_app/c/z.js'],
			later: ['_app/c/x.js']
		});
	});
	test('addresses are put in, import() goes through the loader, and import.meta names a place that is nowhere', () => {
		const out = linked(code, '_app/c/m.js', (path) => `blob:${path}`, 'load');
		expect(out).toContain('from"blob:_app/c/x.js"');
		expect(out).toContain('import"blob:_app/entry/y.js"');
		expect(out).toContain('load("_app/c/x.js")');
		expect(out).toContain(`new URL(\`../assets/m.onnx\`,({url:"${CARRIED_ORIGIN}_app/c/m.js"}).url)`);
		expect(out).toContain('"from the ./x.js"');
	});
	test('each comes after those it needs; a circle is seen', () => {
		const order = inOrder(
			new Map([
				['a', ['b', 'c']],
				['b', ['c']],
				['c', []]
			])
		);
		expect(order).toEqual(['c', 'b', 'a']);
		expect(
			inOrder(
				new Map([
					['a', ['b']],
					['b', ['a']]
				])
			)
		).toBeUndefined();
	});
});

describe('the page', () => {
	const files = [
		{ path: 'index.html', bytes: new TextEncoder().encode('<p>'.repeat(50)) },
		{ path: '_app/immutable/workers/webllm-abc.js', bytes: new Uint8Array(10) },
		{ path: 'service-worker.js', bytes: new Uint8Array(10) }
	];
	const element = (html: string, id: string) => new RegExp(`id="${id}">([^]*?)</script>`).exec(html)?.[1] ?? '';
	test('holds the files, and a boot that cannot end its own element or change with an encoding', async () => {
		const boot = 'const a="</script><!-- é 🌱";';
		const html = asBrowser(Buffer.concat(await carriedPage(files, boot)));
		const bytes = fromPageText(element(html, FILES_ID));
		const [only, ...more] = readIndex(element(html, INDEX_ID), bytes.length);
		expect([only?.path, more.length]).toEqual(['index.html', 0]);
		expect(await unpacked(bytes.subarray(only?.at, (only?.at ?? 0) + (only?.length ?? 0)))).toEqual(files[0]?.bytes);
		const written = element(html, BOOT_ID);
		expect(written).toMatch(/^[\x20-\x7e]+$/);
		// The same program: read back by the engine itself.
		expect(runInNewContext(`${written} a`)).toBe('</script><!-- é 🌱');
		const hash = /script-src 'sha256-([^']+)'/.exec(html)?.[1] ?? '';
		expect(Buffer.from(hash, 'base64').toString('hex')).toBe(Buffer.from(sha256(Buffer.from(written))).toString('hex'));
		expect(asBrowser(Buffer.concat(await carriedPage(files, written)))).toBe(html);
	});
	test('leaves out what a copy has no use for', () => {
		expect(['icons/a.png', 'x.js.gz', 'manifest.webmanifest', 'app.car', 'service-worker.js'].map(isCarried)).toEqual([
			false,
			false,
			false,
			false,
			false
		]);
		expect(
			['index.html', '_app/immutable/workers/cpu-a.js', 'release/keys.cbor', 'directory.json'].every(isCarried)
		).toBe(true);
	});
});

describe('made from the running app', () => {
	const boot = new TextEncoder().encode('boot');
	const page = new TextEncoder().encode('<html>');
	const serve = (change: Record<string, Uint8Array | undefined> = {}) => {
		const list = encodeFiles([
			{ path: 'boot.js', sha256: sha256(boot), bytes: boot.length },
			{ path: 'index.html', sha256: sha256(page), bytes: page.length },
			{ path: 'x.js.gz', sha256: sha256(page), bytes: page.length }
		]);
		const held: Record<string, Uint8Array | undefined> = {
			...{
				'release/files.cbor': list,
				'release/keys.cbor': new Uint8Array(3),
				'release/manifest.cbor': new Uint8Array(3)
			},
			...{ 'boot.js': boot, 'index.html': page },
			...change
		};
		return gatheredPage({
			base: 'https://a.example/app/',
			boot: 'boot.js',
			fetch: (address) => {
				const bytes = held[address.replace('https://a.example/app/', '')];
				return Promise.resolve(bytes === undefined ? new Response('', { status: 404 }) : new Response(bytes.slice()));
			}
		}).then((blob) => blob.text(), codeOf);
	};
	test('every listed file, checked; without a release, with a changed or missing file it is refused', async () => {
		expect(await serve()).toContain('"path":"release/manifest.cbor"');
		expect(await serve({ 'release/files.cbor': undefined })).toBe('malformed');
		expect(await serve({ 'index.html': new TextEncoder().encode('<HTML>') })).toBe('weights-corrupt');
		expect(await serve({ 'index.html': undefined })).toBe('unreachable');
		expect(await serve({ 'index.html': new Uint8Array(99) })).toBe('oversized');
	});
	test('a carried copy hands on itself', async () => {
		const facts = { signers: ['Ada'], needed: 1, release: 'b', development: false };
		const scope = { fireweedCarried: { ...facts, page: () => Promise.resolve(new Blob(['me'])) } };
		const { blob, sha256: hash } = await createCarrying({ base: 'file:///', boot: 'x', scope }).page(() => undefined);
		expect([await blob.text(), hash.length]).toEqual(['me', 64]);
	});
});

test('what is said promises no more than is so', () => {
	const facts = { signers: ['Ada', 'Bo'], needed: 2, release: 'b', development: false };
	expect(carriedWords(facts)).toContain('signed by Ada, Bo (2 had to)');
	expect(carriedWords({ ...facts, signers: undefined })).toContain('Nobody signed it');
	expect(carriedWords({ ...facts, development: true })).toContain('says nothing about who built it');
	for (const code of ['malformed', 'unreachable', 'weights-corrupt', 'internal'] as const)
		expect(shareRefused(code)).toMatch(/\.$/);
});
