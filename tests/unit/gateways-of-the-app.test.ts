/** The app's own files from gateways nobody has to trust: named, kept, asked when the server fails, and never believed without a hash. */
import { sha256 } from '@noble/hashes/sha2.js';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import { addressedFolder, openElsewhere } from '#lib/survival/gateways/elsewhere.ts';
import { gatewayOf, keepGateways, keptGateways, MAX_GATEWAYS } from '#lib/survival/gateways/kept.ts';
import { patience } from '#lib/survival/gateways/patience.ts';
import { newestKeys } from '#lib/survival/release.ts';
import { openLoader, type LoaderComponents } from '#workers/loader.ts';
import { dagOf, type Dag } from '../../scripts/release/dag.ts';
import { Caches } from '../doubles/caches.ts';
import { keysBody, keysOf, realCrypto, signedKeys, site, type Site } from '../doubles/release.ts';

const SCOPE = 'http://host/app/';
const text = (value: string) => new TextEncoder().encode(value);
const big = 'weights '.repeat(400_000);

type Manner = 'good' | 'lying' | 'dead' | 'silent';
const FIRST = { 'index.html': '<one>', '_app/a.js': 'a1', 'model.bin': big, 'service-worker.js': 'loader' };
const SECOND = { 'index.html': '<two>', '_app/a.js': 'a2', 'model.bin': big, 'service-worker.js': 'loader' };

let root: Uint8Array;
let next: Uint8Array;
let one: Release;
let two: Release;
/** Under keys that came after the first ones. */
let three: Release;

interface Release {
	readonly files: Site;
	/** Of the files, and of them with their documents. */
	readonly blocks: ReadonlyMap<string, Uint8Array>;
	readonly folder: string;
	readonly manifest: Uint8Array;
}

async function releaseOf(
	chain: readonly Uint8Array[],
	files: Record<string, string>,
	change: object,
	signers?: readonly number[]
): Promise<Release> {
	const bytes = new Map(Object.entries(files).map(([path, content]) => [path, text(content)]));
	const app: Dag = await dagOf(bytes);
	const whole = await site(chain, files, { ...change, app: app.root as never }, signers);
	const outer = await dagOf(
		new Map(
			Object.entries(whole).map(([path, content]) => [path, typeof content === 'string' ? text(content) : content])
		)
	);
	return {
		files: whole,
		blocks: new Map([...app.blocks, ...outer.blocks]),
		folder: outer.root.toString(),
		manifest: whole['release/manifest.cbor'] as Uint8Array
	};
}

beforeAll(async () => {
	root = (await signedKeys(keysBody(), [1, 2])).bytes;
	const newer = keysBody({ version: 2, release: { threshold: 2, keys: keysOf(1, 2, 4) } });
	next = (await signedKeys(newer, [1, 2, 4])).bytes;
	one = await releaseOf([root], FIRST, { sequence: 1, name: 'one' });
	two = await releaseOf([root], SECOND, { sequence: 2, name: 'two' });
	three = await releaseOf([root, next], SECOND, { sequence: 1, keys: 2, name: 'three' }, [1, 4]);
});

/** A loader whose server and gateways are on paper. `manners`: what each gateway does; it has the blocks of all releases. */
async function world(files: Site, manners: readonly Manner[], scope = SCOPE, caches = new Caches()) {
	const server = { files, manner: 'good' as Manner };
	const asked = manners.map(() => 0);
	const does = [...manners];
	const told: number[][] = [];
	const blocks = new Map([one, two, three].flatMap((each) => [...each.blocks]));
	const fetch = async (url: string) => {
		const n = /\/\/(?:\w+\.ipfs\.)?gateway(\d)/.exec(url)?.[1];
		if (n !== undefined) {
			asked[Number(n)] = (asked[Number(n)] ?? 0) + 1;
			const block = blocks.get(/bafy\w+|bafk\w+/.exec(url)?.[0] ?? '');
			const manner = does[Number(n)];
			if (manner === 'silent') return new Promise<Response>(() => undefined);
			if (manner === 'dead') throw new TypeError('connection refused');
			if (block === undefined) return new Response('', { status: 404 });
			return new Response(manner === 'lying' ? new Uint8Array([...block.subarray(0, 9), 7]) : (block as BodyInit));
		}
		if (server.manner === 'dead') throw new TypeError('Failed to fetch');
		if (server.manner === 'silent') return new Response(new ReadableStream({ start: (to) => to.enqueue(text('<')) }));
		const path = url.slice(scope.length);
		const body = server.files[path === '' ? 'index.html' : path];
		if (body === undefined) return new Response('', { status: 404 });
		return new Response(server.manner === 'lying' && !path.startsWith('release/') ? 'owned' : (body as BodyInit));
	};
	const named = manners.map((_, n) => (n % 2 === 0 ? `https://gateway${n}.example` : `https://*.gateway${n}.example`));
	await keepGateways(caches as never, scope, named);
	const components: LoaderComponents = {
		...{ scope, root, fetch, now: () => 0, crypto: realCrypto, patienceMs: 150 },
		caches: caches as never,
		digest: async (bytes) => sha256(new Uint8Array(bytes)).buffer as ArrayBuffer,
		tell: (...step) => told.push(step)
	};
	const loader = openLoader(components);
	const page = async () => (await loader.page({ url: scope } as Request)).text();
	const begin = async () => {
		await loader.install();
		await loader.complete();
		await loader.started((await loader.about())?.cid ?? '');
		asked.fill(0);
	};
	return { server, does, asked, told, loader, caches, page, begin };
}

describe('a first hold', () => {
	test.each<[Manner]>([['lying'], ['silent']])(
		'from a server that turns %s in mid-load is finished by the gateways',
		async (manner) => {
			const w = await world(one.files, ['good']);
			await w.loader.install();
			w.server.manner = manner;
			expect(await w.loader.complete()).toEqual({ have: 3, want: 3, wrong: 0 });
			expect(w.asked[0]).toBeGreaterThan(3);
			const all = Object.values(FIRST).reduce((sum, { length }) => sum + length, 0) - 'loader'.length;
			expect(w.told.at(-1)).toEqual([all, all]);
			expect(
				w.told.some(([have = 0]) => have > 1_000_000 && have < all),
				'pieces of the large file are told'
			).toBe(true);
			expect(
				[...w.caches.all.keys()].filter((name) => name.includes('blocks')),
				'parts are not kept beside'
			).toEqual([]);
		}
	);

	test('with nobody named stays in part, says so, and asks nobody', async () => {
		const w = await world(one.files, []);
		await w.loader.install();
		w.server.manner = 'lying';
		expect(await w.loader.complete()).toEqual({ have: 2, want: 3, wrong: 1 });
	});

	test('at a content address takes the signed documents from gateways too, and no others', async () => {
		const scope = `http://gate/ipfs/${one.folder}/`;
		const w = await world({}, ['good'], scope);
		w.server.manner = 'dead';
		await w.loader.install();
		expect(await w.page()).toBe('<one>');
		const lost = await world({}, ['lying', 'dead'], scope);
		lost.server.manner = 'dead';
		await expect(lost.loader.install()).rejects.toThrow();
		expect(await lost.loader.about()).toBeUndefined();
	});

	test('broken off and taken up: blocks of a half file are not asked for again', async () => {
		const w = await world(one.files, ['good']);
		await w.loader.install();
		w.server.manner = 'dead';
		const elsewhere = openElsewhere({
			...{ scope: SCOPE, caches: w.caches as never },
			fetch: async (url) => {
				asked.push(url);
				if (asked.length > 3) throw new TypeError('the line broke');
				return new Response(one.blocks.get(/bafy\w+|bafk\w+/.exec(url)?.[0] ?? '') as BodyInit);
			}
		});
		const asked: string[] = [];
		const app = (await dagOf(new Map(Object.entries(FIRST).map(([path, content]) => [path, text(content)])))).root;
		expect(await elsewhere.file(app.toString(), 'model.bin', big.length)).toBeUndefined();
		w.asked.fill(0);
		expect(await w.loader.complete()).toMatchObject({ have: 3 });
		// Two folders or roots are remembered nowhere, one megabyte is: of four leaves one at least is spared.
		expect(w.asked[0]).toBeLessThan(6);
	});
});

describe('gateways in the loader', () => {
	test('one that lies in every block costs one retry and is not asked again', async () => {
		const w = await world(one.files, ['lying', 'good']);
		await w.loader.install();
		w.server.manner = 'dead';
		expect(await w.loader.complete()).toMatchObject({ have: 3, want: 3 });
		expect(w.asked[0]).toBe(1);
	});

	test('one that falls silent is passed over, all that lie give nothing, and nothing wrong is kept', async () => {
		const w = await world(one.files, ['silent', 'good']);
		await w.loader.install();
		w.server.manner = 'dead';
		expect(await w.loader.complete()).toMatchObject({ have: 3, want: 3 });
		const liars = await world(one.files, ['lying', 'lying']);
		await liars.loader.install();
		liars.server.manner = 'dead';
		expect(await liars.loader.complete()).toMatchObject({ have: 2, want: 3 });
	});

	test('a server that works is asked and they are not', async () => {
		const w = await world(one.files, ['good']);
		await w.begin();
		w.server.files = two.files;
		expect(await w.loader.check()).toMatchObject({ kind: 'offered', name: 'two' });
		expect(w.asked[0]).toBe(0);
	});
});

describe('an update by word of peers', () => {
	const word = (release: Release, keySet?: Uint8Array) => ({ manifest: release.manifest, keySet });

	test.each<[Manner]>([['dead'], ['silent']])('with a server that is %s comes whole from gateways', async (manner) => {
		const w = await world(one.files, ['lying', 'good']);
		await w.begin();
		w.server.manner = manner;
		expect(await w.loader.check()).toEqual({ kind: 'unreachable' });
		const found = await w.loader.check(word(two));
		expect(found).toMatchObject({ kind: 'offered', name: 'two', signers: ['Key 1', 'Key 2'] });
		expect(w.asked[0]).toBe(1);
		expect(found.kind === 'offered' && (await w.loader.switchTo(found.cid))).toBe(true);
		expect(await w.page()).toBe('<two>');
	});

	test('from a server that keeps the old one, and afterwards that server is behind, not hostile', async () => {
		const w = await world(one.files, ['good']);
		await w.begin();
		const found = await w.loader.check(word(two));
		expect(found.kind === 'offered' && (await w.loader.switchTo(found.cid))).toBe(true);
		expect(await w.loader.check(word(two))).toEqual({ kind: 'none' });
	});

	test('under newer keys, which come with the word', async () => {
		const w = await world(one.files, ['good']);
		await w.begin();
		expect(newestKeys(three.files['release/keys.cbor'] as Uint8Array)).toEqual(next);
		expect(await w.loader.check(word(three))).toEqual({ kind: 'none' });
		expect(await w.loader.check(word(three, next))).toMatchObject({ kind: 'offered', name: 'three' });
	});

	test('that is not signed as it must be, or is older, is not even asked for', async () => {
		const w = await world(one.files, ['good']);
		await w.begin();
		w.server.manner = 'dead';
		const few = await releaseOf([root], SECOND, { sequence: 9 }, [2]);
		for (const manifest of [few.manifest, text('nonsense'), new Uint8Array(100_000)]) {
			expect(await w.loader.check({ manifest, keySet: undefined })).toEqual({ kind: 'unreachable' });
		}
		expect(await w.loader.check({ manifest: two.manifest, keySet: text('nonsense') })).toEqual({ kind: 'unreachable' });
		expect(w.asked[0]).toBe(0);
		expect(await w.page()).toBe('<one>');
	});

	test('that no gateway has changes nothing', async () => {
		const w = await world(one.files, ['dead']);
		await w.begin();
		expect(await w.loader.check(word(two))).toEqual({ kind: 'none' });
		expect(await w.page()).toBe('<one>');
	});
});

describe('the list of gateways', () => {
	test('is kept for one folder, and what is no address is refused or left out', async () => {
		const caches = new Caches();
		await keepGateways(caches as never, SCOPE, ['https://a.example', 'https://*.b.example']);
		expect(await keptGateways(caches as never, SCOPE)).toEqual(['https://a.example', 'https://*.b.example']);
		expect(await keptGateways(caches as never, 'http://host/other/')).toEqual([]);
		const many = Array.from({ length: MAX_GATEWAYS + 1 }, (_, n) => `https://g${n}.example`);
		for (const bad of [['nothing'], many])
			expect(await keepGateways(caches as never, SCOPE, bad).catch(codeOf)).toBe('malformed');
		const [held] = [...caches.all.values()];
		for (const written of ['poison', '{"a":1}', '[1,"javascript:x","https://c.example"]', `["${'x'.repeat(9000)}"]`]) {
			held?.set(`${SCOPE}release/gateways`, new Response(written));
			expect(await keptGateways(caches as never, SCOPE)).toEqual(
				written.includes('c.example') ? ['https://c.example'] : []
			);
		}
	});

	test.each([
		['https://g.example/x/', 'path', 'https://g.example/x'],
		[' https://*.g.example ', 'subdomain', 'https://g.example'],
		['http://127.0.0.1:8080', 'path', 'http://127.0.0.1:8080']
	])('%s is asked by %s', (typed, kind, base) => expect(gatewayOf(typed, true)).toEqual({ kind, base }));

	test.each(['', 'g.example', 'ftp://g.example', 'https://me:pw@g.example', 'https://g.example?x', 'http://g.example'])(
		'%j is none for a page that came safely',
		(typed) => expect(() => gatewayOf(typed, true)).toThrow()
	);
});

test('the folder a page stands under is read from its own address', () => {
	const cid = one.folder;
	expect(addressedFolder(`https://gate.example/ipfs/${cid}/`)).toBe(cid);
	expect(addressedFolder(`https://${cid}.ipfs.gate.example/`)).toBe(cid);
	for (const other of [SCOPE, 'https://x.ipfs.gate/', `https://gate/ipns/${cid}/`, `https://gate/ipfs/${cid}/deeper/`])
		expect(addressedFolder(other)).toBeUndefined();
});

test('patience begins anew with every piece', async () => {
	vi.useFakeTimers();
	const waiting = patience(100);
	const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
	for (let n = 0; n < 5; n++) {
		const piece = waiting.piece(after(90));
		await vi.advanceTimersByTimeAsync(90);
		await piece;
	}
	const late = waiting.piece(after(101)).catch((error: Error) => error.name);
	await vi.advanceTimersByTimeAsync(101);
	expect(await late).toBe('TimeoutError');
	expect(waiting.signal.aborted).toBe(true);
	vi.useRealTimers();
});
