/** The papers and the folder of a release: key files, the tree of blocks, the CAR, the twins. */
import { CarReader } from '@ipld/car';
import { gunzipSync } from 'fflate';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { decodeFiles } from '#lib/protocol/release-files.ts';
import { makeKey, openKey } from '../../scripts/keys/keyfile.ts';
import { carOf, dagOf, depthFirst } from '../../scripts/release/dag.ts';
import { developmentKeys } from '../../scripts/release/development.ts';
import { listOf, payloadOf, type Folder } from '../../scripts/release/folder.ts';
import { withTwins } from '../../scripts/release/twins.ts';
import { cidOf } from '../doubles/gateway.ts';
import { firstKeys } from '#lib/survival/root.ts';

const PASSPHRASE = 'correct horse battery';
const folder = (files: Record<string, string | Uint8Array>): Folder =>
	new Map(
		Object.entries(files).map(([name, content]) => [
			name,
			typeof content === 'string' ? new TextEncoder().encode(content) : content
		])
	);
/** Two chunks and a bit, so that a file has a node above its leaves. */
const LARGE = Uint8Array.from({ length: 2_300_000 }, (_, i) => (i * i) & 255);
const FILES = folder({ 'index.html': '<p>', 'a/b.js': 'x', 'a/c.js': 'x', 'a/d/e.bin': LARGE });

describe('the tree of blocks', () => {
	test('has the name a gateway gives the same folder, whatever the order of its files', async () => {
		const { root } = await dagOf(FILES);
		expect(root.toString()).toBe(await cidOf(FILES));
		expect((await dagOf(new Map([...FILES].reverse()))).root.toString()).toBe(root.toString());
	});

	test('goes into a CAR depth first, each block once, the same bytes each time', async () => {
		const dag = await dagOf(FILES);
		const car = await carOf([dag]);
		expect(await carOf([await dagOf(new Map([...FILES].reverse()))])).toEqual(car);
		const reader = await CarReader.fromBytes(car);
		expect((await reader.getRoots()).map(String)).toEqual([dag.root.toString()]);
		const order: string[] = [];
		for await (const { cid } of reader.blocks()) order.push(cid.toString());
		expect(order[0]).toBe(dag.root.toString());
		expect(order).toEqual([...depthFirst([dag.root], dag.blocks)].map(({ cid }) => cid.toString()));
		expect(new Set(order).size).toBe(order.length);
	});

	test('that lacks a block is not written', async () => {
		const dag = await dagOf(FILES);
		const [last] = [...dag.blocks.keys()].filter((name) => name !== dag.root.toString());
		const less = { root: dag.root, blocks: new Map([...dag.blocks].filter(([name]) => name !== last)) };
		await expect(carOf([less])).rejects.toThrow('missing');
	});
});

describe('the list of files', () => {
	test('leaves out the signed documents, twins, and what whoever serves may change', () => {
		const text = 'let a = 1;'.repeat(10_000);
		const packed = withTwins(payloadOf(folder({ 'a.js': text, 'directory.json': '{}', 'release/keys.cbor': 'k' })));
		expect([...packed.keys()]).toEqual(['a.js', 'a.js.gz', 'directory.json']);
		const [file] = decodeFiles(listOf(packed).encoded);
		expect(file).toMatchObject({ path: 'a.js', bytes: text.length, packed: packed.get('a.js.gz')?.length });
		expect(new TextDecoder().decode(gunzipSync(packed.get('a.js.gz') as Uint8Array))).toBe(text);
		expect(listOf(packed)).toMatchObject({ count: 1, bytes: text.length });
	});

	test('gives no twin to what is small, packed already or does not shrink', () => {
		const noise = new Uint8Array(
			Buffer.concat(Array.from({ length: 1_600 }, (_, i) => sha256(Uint8Array.of(i, i >> 8))))
		);
		const files = { 'small.js': 'x', 'photo.png': 'a'.repeat(50_000), 'noise.wasm': noise };
		expect([...withTwins(folder(files)).keys()].sort()).toEqual(Object.keys(files).sort());
	});
});

test('the first keys a checkout bakes in are those that sign a development build', async () => {
	expect(firstKeys()).toEqual(await developmentKeys());
});

describe('a key file', () => {
	test('opens with its passphrase, in any form of its letters, and with no other', () => {
		const { sealed, open } = makeKey('Zoë', 'release', 'crème brûlée twice');
		expect(openKey(sealed, 'crème brûlée twice'.normalize('NFD'))).toMatchObject(open);
		expect(() => openKey(sealed, 'creme brulee twice')).toThrow('does not fit');
	});

	test('cannot be given another name, role or key', () => {
		const { sealed } = makeKey('Ada', 'directory', PASSPHRASE);
		for (const [from, to] of [
			['Ada', 'Bob'],
			['"directory"', '"release"'],
			[/"key": "../, '"key": "00']
		] as const) {
			expect(() => openKey(sealed.replace(from, to), PASSPHRASE)).toThrow('does not fit');
		}
		for (const text of ['', '[]', '{}', 'null']) expect(() => openKey(text, PASSPHRASE)).toThrow('not a key file');
	});

	test('wants a passphrase worth the name', () => {
		expect(() => makeKey('Ada', 'release', 'short')).toThrow('too short');
	});
});
