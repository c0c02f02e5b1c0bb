/** Files from gateways nobody has to trust: whole, in parts, broken off and taken up, from liars and from the dead. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CID } from 'multiformats/cid';
import { codeOf } from '#lib/protocol/errors.ts';
import { blockAddress, MAX_BLOCK, type Gateway, type Shelf } from '#lib/survival/gateways/blocks.ts';
import { Fetcher } from '#lib/survival/gateways/fetcher.ts';
import { readNode } from '#lib/survival/gateways/unixfs.ts';
import { dagOf } from '../../scripts/release/dag.ts';

const big = Uint8Array.from({ length: 5 * 1024 * 1024 + 77 }, (_, n) => (n * 2_654_435_761) >>> 24);
const files = new Map([
	['index.html', new TextEncoder().encode('<h1>hello</h1>')],
	['models/pocket/weights.onnx', big],
	['empty', new Uint8Array()]
]);
const dag = await dagOf(files);
const root = dag.root.toString();
const never = new AbortController().signal;

type Manner = 'good' | 'liar' | 'dead' | 'endless' | 'absent';

/** Gateways on paper: what each does, and how often it was asked. */
function world(manners: readonly Manner[], change: { shelf?: Shelf; diesAfter?: number } = {}) {
	const asked = manners.map(() => 0);
	const gateways: Gateway[] = manners.map((_, n) => ({
		kind: n % 2 === 0 ? 'path' : 'subdomain',
		base: `https://gateway${n}.example/`
	}));
	let most = 0;
	let open = 0;
	const fetcher = new Fetcher({
		gateways,
		...(change.shelf === undefined ? {} : { shelf: change.shelf }),
		fetch: async (address) => {
			const n = Number(/gateway(\d+)/.exec(address)?.[1]);
			const cid = /(bafk\w+|bafy\w+)/.exec(address)?.[1] ?? '';
			asked[n] = (asked[n] ?? 0) + 1;
			most = Math.max(most, (open += 1));
			await new Promise((resolve) => setTimeout(resolve, 1));
			open -= 1;
			const dead = n === 0 && (asked[0] ?? 0) > (change.diesAfter ?? Number.POSITIVE_INFINITY);
			const manner = dead ? 'dead' : manners[n];
			const block = dag.blocks.get(cid);
			if (manner === 'dead') throw new TypeError('connection refused');
			if (block === undefined || manner === 'absent') return new Response('', { status: 404 });
			if (manner === 'endless') {
				return new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(MAX_BLOCK / 4 + 1)) }));
			}
			const sent = block.slice();
			if (manner === 'liar') sent[sent.length >> 1] = (sent[sent.length >> 1] ?? 0) ^ 1;
			return new Response(manner === 'liar' && sent.length === 0 ? 'x' : sent);
		}
	});
	return { fetcher, asked, most: () => most };
}

async function bytesOf(
	fetcher: Fetcher,
	path: string,
	range?: readonly [number, number],
	onProgress?: (have: number, want: number) => void
) {
	const cid = await fetcher.find(root, path, never);
	const pieces: Uint8Array[] = [];
	for await (const piece of fetcher.read(cid, {
		signal: never,
		...(range && { range }),
		...(onProgress && { onProgress })
	}))
		pieces.push(piece);
	return Buffer.concat(pieces);
}

describe('a file', () => {
	test('comes whole, several blocks at a time, with progress', async () => {
		const { fetcher, most } = world(['good']);
		const steps: number[][] = [];
		expect(
			(await bytesOf(fetcher, 'models/pocket/weights.onnx', undefined, (...step) => steps.push(step))).equals(big)
		).toBe(true);
		expect(steps.at(-1)).toEqual([big.length, big.length]);
		expect(steps.length).toBe(6);
		expect(most()).toBeGreaterThan(1);
		expect((await bytesOf(fetcher, 'empty')).length).toBe(0);
		expect(String(await bytesOf(fetcher, 'index.html'))).toBe('<h1>hello</h1>');
		const all: string[] = [];
		for await (const { path } of fetcher.files(root, never)) all.push(path);
		expect(all.sort()).toEqual([...files.keys()].sort());
	});
	test('in any part of it, asking for no more blocks than it lies in', async () => {
		await fc.assert(
			fc.asyncProperty(fc.nat(big.length + 10), fc.nat(2_000_000), async (from, length) => {
				const { fetcher, asked } = world(['good']);
				const got = await bytesOf(fetcher, 'models/pocket/weights.onnx', [from, from + length]);
				expect(got.equals(big.subarray(from, from + length))).toBe(true);
				// Four folders and the file's root twice at most, then the leaves.
				expect(asked[0]).toBeLessThanOrEqual(6 + Math.ceil(length / 1_048_576) + 1);
			}),
			{ numRuns: 20 }
		);
	});
});

describe('gateways', () => {
	test('one that lies in every block is found out at the first, costs one retry, and is not asked again', async () => {
		const { fetcher, asked } = world(['liar', 'good']);
		expect((await bytesOf(fetcher, 'models/pocket/weights.onnx')).equals(big)).toBe(true);
		expect([asked[0], fetcher.liars]).toEqual([1, 1]);
	});
	test('one that dies in mid-load is passed over', async () => {
		const { fetcher, asked } = world(['good', 'good'], { diesAfter: 5 });
		expect((await bytesOf(fetcher, 'models/pocket/weights.onnx')).equals(big)).toBe(true);
		expect(asked[1]).toBeGreaterThan(0);
	});
	test.each<[Manner[], string]>([
		[['liar', 'liar'], 'weights-corrupt'],
		[['dead', 'absent'], 'unreachable'],
		[['endless'], 'unreachable'],
		[[], 'unreachable']
	])('%j only: %s, and never a wrong byte', async (manners, code) => {
		expect(await bytesOf(world(manners).fetcher, 'index.html').catch(codeOf)).toBe(code);
	});
	test('broken off and taken up: nothing that was kept is asked for again, and what was kept wrong is', async () => {
		const kept = new Map<string, Uint8Array>();
		const shelf: Shelf = { get: async (cid) => kept.get(cid), put: async (cid, block) => void kept.set(cid, block) };
		const first = world(['good'], { shelf, diesAfter: 7 });
		expect(await bytesOf(first.fetcher, 'models/pocket/weights.onnx').catch(codeOf)).toBe('unreachable');
		const had = kept.size;
		expect(had).toBeGreaterThan(3);
		const [spoiled = ''] = [...kept.keys()];
		kept.set(spoiled, new Uint8Array(3));
		const second = world(['good'], { shelf });
		expect((await bytesOf(second.fetcher, 'models/pocket/weights.onnx')).equals(big)).toBe(true);
		expect(second.asked[0]).toBe(kept.size - had + 1);
	});
	test('what failed is not remembered as failed: the same fetcher goes on when the gateway is back', async () => {
		const change = { diesAfter: 6 };
		const { fetcher } = world(['good'], change);
		expect(await bytesOf(fetcher, 'models/pocket/weights.onnx').catch(codeOf)).toBe('unreachable');
		change.diesAfter = Number.POSITIVE_INFINITY;
		expect((await bytesOf(fetcher, 'models/pocket/weights.onnx')).equals(big)).toBe(true);
	});
	test('stopped by the person: at once, as stopped', async () => {
		const { fetcher } = world(['good']);
		expect(await fetcher.find(root, 'index.html', AbortSignal.abort()).catch(codeOf)).toBe('aborted');
	});
	test('are asked by path and by subdomain, and nowhere else', () => {
		expect(blockAddress({ kind: 'path', base: 'https://a.example:8080/x/' }, dag.root)).toBe(
			`https://a.example:8080/x/ipfs/${root}?format=raw`
		);
		expect(blockAddress({ kind: 'subdomain', base: 'http://localhost:80' }, dag.root)).toBe(
			`http://${root}.ipfs.localhost/?format=raw`
		);
		for (const base of ['javascript:alert(1)', 'file:///etc', 'nothing'])
			expect(() => blockAddress({ kind: 'path', base }, dag.root)).toThrow('gateway');
	});
});

describe('blocks of strangers', () => {
	test('whatever bytes: a node or `malformed`, nothing else', () => {
		const blocks = [...dag.blocks].filter(([cid]) => cid.startsWith('bafy'));
		const mutated = fc.tuple(fc.constantFrom(...blocks), fc.nat(), fc.nat(255)).map(([[, block], at, byte]) => {
			const copy = block.slice();
			copy[at % copy.length] = byte;
			return copy;
		});
		fc.assert(
			fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (bytes) => {
				try {
					readNode(dag.root, bytes);
				} catch (error) {
					expect(codeOf(error)).toBe('malformed');
				}
			}),
			{ numRuns: 3_000 }
		);
		expect(() => readNode(CID.createV1(0x71, dag.root.multihash), new Uint8Array())).toThrow('codec');
	});
	test('a path that is not there, and an address that is none', async () => {
		const { fetcher } = world(['good']);
		for (const path of ['nothing', 'index.html/x'])
			expect(await fetcher.find(root, path, never).catch(codeOf)).toBe('malformed');
		expect(await fetcher.find('hello', '', never).catch(codeOf)).toBe('malformed');
	});
});
