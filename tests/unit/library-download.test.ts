/** One file from a server that can lie into a drawer: whatever happens, what is given back is the file that was asked for, or nothing. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '#lib/protocol/errors.ts';
import { download, type Sought } from '#workers/library/download.ts';
import { openIntake, type Drawer } from '#workers/library/drawer.ts';
import type { World } from '#workers/library/request.ts';
import { startModelServer, type Lie, type ModelServer } from '../interop/models-server.ts';

/** A file in memory. `room` bytes fit; the rest is refused as a browser does it. */
class MemoryDrawer implements Drawer {
	bytes = Buffer.alloc(0);
	readonly room: number;
	readonly short: boolean;
	constructor(room = Number.POSITIVE_INFINITY, short = false) {
		this.room = room;
		this.short = short;
	}
	getSize(): number {
		return this.bytes.length;
	}
	read(into: Uint8Array, { at }: { readonly at: number }): number {
		return this.bytes.copy(into, 0, at);
	}
	write(bytes: Uint8Array, { at }: { readonly at: number }): number {
		const fits = Math.max(0, Math.min(bytes.length, this.room - at));
		if (fits < bytes.length && !this.short) throw new DOMException('', 'QuotaExceededError');
		this.bytes = Buffer.concat([this.bytes.subarray(0, at), bytes.subarray(0, fits), this.bytes.subarray(at + fits)]);
		return fits;
	}
	truncate(size: number): void {
		this.bytes = this.bytes.subarray(0, size);
	}
	flush(): void {}
	close(): void {}
}

const FILE = noise(2_000_000, 1);
const OTHER = noise(2_000_000, 2);
const PATH = '/model.onnx';
const up: { server?: ModelServer } = {};
const server = () => up.server as ModelServer;
const waits: number[] = [];
const world: World = {
	fetch: (address, init) => fetch(address, init),
	// Waiting is noted and not done.
	sleep: async (ms) => void waits.push(ms),
	stallMs: 300,
	breathe: async () => undefined
};

beforeAll(async () => {
	up.server = await startModelServer();
});
afterAll(() => up.server?.close());
beforeEach(() => {
	server().put(
		new Map([
			[PATH, FILE],
			['/second.onnx', FILE]
		])
	);
	server().tell();
	server().asked();
	waits.length = 0;
});

function noise(length: number, seed: number): Buffer {
	const bytes = Buffer.alloc(length);
	for (let i = 0, state = seed; i < length; i++)
		bytes[i] = (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
	return bytes;
}

function hashOf(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex');
}

interface Run {
	readonly code: string;
	readonly drawer: MemoryDrawer;
	readonly versions: (string | undefined)[];
	/** Where each request for the body began. */
	readonly ranges: (string | undefined)[];
}

async function run(
	change: Partial<Sought> = {},
	drawer = new MemoryDrawer(),
	signal = new AbortController().signal
): Promise<Run> {
	const sought = {
		addresses: [server().origin + PATH],
		bytes: FILE.length,
		sha256: hashOf(FILE),
		validator: undefined,
		...change
	};
	const versions: (string | undefined)[] = [];
	const reports = {
		at: () => undefined,
		version: async (validator: string | undefined) => void versions.push(validator)
	};
	let code = 'done';
	try {
		const brought = await download(sought, drawer, world, reports, signal);
		expect(brought).toEqual({ bytes: drawer.bytes.length, sha256: hashOf(drawer.bytes) });
	} catch (error) {
		code = codeOf(error);
	}
	return {
		code,
		drawer,
		versions,
		ranges: server()
			.asked()
			.map(({ range }) => range)
	};
}

type Told<L> = L extends unknown ? Omit<L, 'file'> : never;
const lie = (change: Told<Lie>): Lie => ({ file: PATH, ...change });

describe('the file, whole', () => {
	test('at once', async () => {
		const { code, drawer, versions, ranges } = await run();
		expect([code, versions, ranges]).toEqual(['done', ['"2000000"'], ['bytes=0-']]);
		expect(drawer.bytes.equals(FILE)).toBe(true);
	});

	test.each<[string, readonly Lie[]]>([
		['damaged once on the way', [lie({ kind: 'flip', at: 1_500_000, times: 1 })]],
		['over a line that breaks every 300,000 bytes', [lie({ kind: 'break', after: 300_000 })]],
		[
			'broken once, by a server without ranges',
			[lie({ kind: 'break', after: 300_000, times: 1 }), lie({ kind: 'no-ranges' })]
		],
		[
			'broken once, with another version of it every time',
			[lie({ kind: 'break', after: 900_000, times: 1 }), lie({ kind: 'changing-etag' })]
		],
		['silent once', [lie({ kind: 'hang', after: 400_000, times: 1 })]],
		['refused once', [lie({ kind: 'status', status: 503, times: 1 })]],
		['without lengths', [lie({ kind: 'no-length' })]],
		['from elsewhere', [lie({ kind: 'redirect' })]]
	])('%s', async (_, lies) => {
		server().tell(...lies);
		const { code, drawer } = await run();
		expect(code).toBe('done');
		expect(drawer.bytes.equals(FILE)).toBe(true);
	});

	test('on a line that breaks, what came is not asked for again but for what is compared', async () => {
		server().tell(lie({ kind: 'break', after: 500_000, times: 1 }));
		const { ranges } = await run();
		expect(ranges).toEqual(['bytes=0-', expect.stringMatching(/^bytes=4\d{5}-$/)]);
		expect(waits).toEqual([1500]);
	});

	test('of unknown hash and length', async () => {
		const { code, drawer } = await run({ bytes: undefined, sha256: undefined });
		expect(code).toBe('done');
		expect(drawer.bytes.equals(FILE)).toBe(true);
	});
});

describe('what is here already', () => {
	const begun = (bytes: Buffer) => {
		const drawer = new MemoryDrawer();
		drawer.bytes = Buffer.from(bytes);
		return drawer;
	};

	test('is gone on from, also where no version was seen', async () => {
		const { code, ranges } = await run({}, begun(FILE.subarray(0, 1_000_000)));
		expect([code, ranges]).toEqual(['done', [`bytes=${1_000_000 - 65_536}-`]]);
	});

	test('is not fetched when it is whole', async () => {
		const { code, ranges } = await run({}, begun(FILE));
		expect([code, ranges]).toEqual(['done', []]);
	});

	test('begins anew when the server has another version', async () => {
		const { code, drawer, ranges } = await run({ validator: '"older"' }, begun(FILE.subarray(0, 1_000_000)));
		expect([code, ranges.at(-1)]).toEqual(['done', 'bytes=0-']);
		expect(drawer.bytes.equals(FILE)).toBe(true);
	});

	test('is not mixed with another version that calls itself the same, even where no hash is known', async () => {
		server().put(new Map([[PATH, OTHER]]));
		const { code, drawer } = await run(
			{ sha256: undefined, validator: '"2000000"' },
			begun(FILE.subarray(0, 1_000_000))
		);
		expect(code).toBe('done');
		expect(drawer.bytes.equals(OTHER)).toBe(true);
	});

	test('whatever it is, the result is the file', async () => {
		const anything = fc.oneof(
			fc.integer({ min: 0, max: FILE.length }).map((length) => FILE.subarray(0, length)),
			fc.integer({ min: 0, max: 3_000_000 }).map((length) => noise(length, 7)),
			fc.tuple(fc.integer({ min: 1, max: FILE.length }), fc.nat()).map(([length, at]) => {
				const copy = Buffer.from(FILE.subarray(0, length));
				copy[at % length] = (copy[at % length] as number) ^ 4;
				return copy;
			})
		);
		await fc.assert(
			fc.asyncProperty(anything, async (before) => {
				const { code, drawer } = await run({}, begun(before));
				expect(code).toBe('done');
				expect(drawer.bytes.equals(FILE)).toBe(true);
			}),
			{ numRuns: 25 }
		);
	});
});

describe('refused', () => {
	test.each<[string, readonly Lie[], string]>([
		['another bit every time', [lie({ kind: 'flip', at: 5 })], 'weights-corrupt'],
		['one byte short', [lie({ kind: 'short' })], 'weights-corrupt'],
		['one byte long', [lie({ kind: 'long' })], 'weights-corrupt'],
		['longer than was said', [lie({ kind: 'longer-than-said' })], 'weights-corrupt'],
		['a page', [lie({ kind: 'other', body: '<!doctype html>' })], 'weights-corrupt']
	])('%s: nothing stays', async (_, lies, code) => {
		server().tell(...lies);
		const result = await run();
		expect([result.code, result.drawer.bytes.length, result.ranges.length]).toEqual([code, 0, 2]);
	});

	test.each<[string, readonly Lie[], number]>([
		['not there', [lie({ kind: 'status', status: 404 })], 1],
		['overloaded', [lie({ kind: 'status', status: 503 })], 2],
		['broken again and again without bringing anything', [lie({ kind: 'break', after: 70_000 })], 2],
		['silent', [lie({ kind: 'hang', after: 70_000 })], 2]
	])('%s: what came stays', async (_, lies, requests) => {
		server().tell(...lies);
		const before = new MemoryDrawer();
		before.bytes = Buffer.from(FILE.subarray(0, 500_000));
		const result = await run({}, before);
		expect([result.code, result.ranges.length]).toEqual(['engine-load-failed', requests]);
		expect(result.drawer.bytes.length).toBeGreaterThanOrEqual(500_000);
		expect(FILE.subarray(0, result.drawer.bytes.length).equals(result.drawer.bytes)).toBe(true);
	});

	test.each([false, true])(
		'a full disk (short writes: %s): what came stays, other mirrors are not asked',
		async (short) => {
			const result = await run(
				{ addresses: [`${server().origin}${PATH}`, `${server().origin}/second.onnx`] },
				new MemoryDrawer(700_000, short)
			);
			expect([result.code, result.ranges.length]).toEqual(['storage-full', 1]);
			expect(result.drawer.bytes.length).toBeGreaterThan(0);
		}
	);

	test('stopped: what came stays', async () => {
		server().tell(lie({ kind: 'hang', after: 400_000 }));
		const stop = new AbortController();
		const drawer = new MemoryDrawer();
		const running = run({}, drawer, stop.signal);
		await server().hanging(PATH);
		await expect.poll(() => drawer.bytes.length).toBe(400_000);
		stop.abort();
		expect((await running).code).toBe('aborted');
		expect(drawer.bytes.equals(FILE.subarray(0, 400_000))).toBe(true);
	});
});

describe('mirrors', () => {
	const addresses = () => [`${server().origin}${PATH}`, `${server().origin}/second.onnx`];

	test.each<[string, Lie]>([
		['is not there', lie({ kind: 'status', status: 404 })],
		['has a wrong file', lie({ kind: 'flip', at: 9 })],
		['falls silent', lie({ kind: 'hang', after: 100_000 })]
	])('the second when the first %s', async (_, first) => {
		server().tell(first);
		const { code, drawer } = await run({ addresses: addresses() });
		expect(code).toBe('done');
		expect(drawer.bytes.equals(FILE)).toBe(true);
	});

	test('a wrong file is what is told, when all fail', async () => {
		server().tell(lie({ kind: 'flip', at: 9 }), { file: '/second.onnx', kind: 'status', status: 404 });
		expect((await run({ addresses: addresses() })).code).toBe('weights-corrupt');
	});
});

test('an intake hashes what it finds, bounds what comes, and forgets at a restart', async () => {
	const drawer = new MemoryDrawer();
	drawer.bytes = Buffer.from(FILE.subarray(0, 100));
	const intake = await openIntake(drawer, 200, world.breathe, { aborted: false });
	intake.take(FILE.subarray(100, 150));
	expect([intake.at, intake.sha256()]).toEqual([150, hashOf(FILE.subarray(0, 150))]);
	expect(Buffer.from(intake.tail(20)).equals(FILE.subarray(130, 150))).toBe(true);
	expect(() => intake.take(FILE.subarray(0, 51))).toThrow(expect.objectContaining({ code: 'weights-corrupt' }));
	intake.restart();
	expect([intake.at, drawer.getSize()]).toEqual([0, 0]);
});
