/**
 * An engine in a Chromium page, as an Engine in Node: builds tests/fixtures/engine, serves it on loopback with faults to order, and
 * carries the calls over Playwright.
 */
import { createServer } from 'node:http';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Page } from 'playwright';
import { build } from 'vite';
import type {
	Engine,
	EngineReady,
	GenerateEnd,
	GenerateRequest,
	LoadProgress,
	Step,
	TopLogits
} from '#lib/ports/engine.ts';
import { isCode, Refusal } from '#lib/protocol/errors.ts';
import { rendererMemory } from '../../bench/memory.ts';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import type { harness as Harness, MakeInit } from '../fixtures/engine/page.ts';
import type { Reply } from '../fixtures/page.ts';

declare const harness: typeof Harness;

/** What happens to a file on its way; by a part of its name. */
export type Fault = { readonly file: string } & (
	| { readonly kind: 'missing' }
	| { readonly kind: 'flip'; readonly at: number; readonly times?: number }
	| { readonly kind: 'short' }
	| { readonly kind: 'long' }
	| { readonly kind: 'replace'; readonly bytes: Buffer }
);

export interface EnginePage {
	readonly page: Page;
	readonly engine: Engine;
	/** Paths asked for since the last call, without the folder. */
	asked(): string[];
	/** Names of all files built. */
	readonly files: readonly string[];
	/** Replaces the faults; none heals all. */
	plant(...faults: Fault[]): void;
	make(init?: MakeInit): Promise<Engine>;
	/** Forgets every copy the browser keeps of a file. */
	clearCache(): Promise<void>;
	kill(): Promise<void>;
	/** Resident bytes of the page's process, its workers included; 0 where that cannot be told. */
	memory(): number;
	readonly browserVersion: string;
	/** A whole answer at full speed; the worker dies after `killAt` steps. */
	drain(
		change: GenerateRequest,
		killAt?: number
	): Promise<{ readonly firstMs: number; readonly wholeMs: number; readonly tokens: number }>;
	close(): Promise<void>;
}

/** A folder of a server that has others, as behind an IPFS gateway. */
const BASE = '/ipfs/bafytest/';
const TYPES: Readonly<Record<string, string>> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.wasm': 'application/wasm',
	'.json': 'application/json'
};

export async function openEnginePage(): Promise<EnginePage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-engine-'));
	await build({
		root: path.join(import.meta.dirname, '../fixtures/engine'),
		base: './',
		configFile: false,
		logLevel: 'error',
		// Page and worker put their files in different places, as SvelteKit's build does: a file that both name would be shipped twice.
		worker: { format: 'es', rollupOptions: { output: { assetFileNames: 'workers/assets/[name]-[hash][extname]' } } },
		build: {
			outDir: folder,
			emptyOutDir: true,
			target: 'es2022',
			assetsInlineLimit: 0,
			rollupOptions: { output: { assetFileNames: 'assets/[name]-[hash][extname]' } }
		}
	});
	let faults: readonly Fault[] = [];
	let asked: string[] = [];
	const done = new Map<Fault, number>();
	const server = createServer((incoming, outgoing) => {
		const whole = new URL(incoming.url ?? '/', 'http://local').pathname;
		asked.push(whole);
		// Anything asked for outside the folder is not there: every address must be relative.
		const name = whole.startsWith(BASE) ? whole.slice(BASE.length - 1) : '/outside';
		const fault = faults.find(({ file }) => name.includes(file));
		const file = path.join(folder, name === '/' ? 'index.html' : name);
		readFile(file)
			.then((whole) => {
				if (fault?.kind === 'missing') throw new Error('missing');
				// Cached for ever, as a release is: a damaged copy must be asked for again on purpose.
				outgoing.writeHead(200, {
					'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
					'cache-control': 'max-age=31536000'
				});
				outgoing.end(spoilt(whole, fault, done));
			})
			.catch(() => outgoing.writeHead(404).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const browser = await chromium.launch({ executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS] });
	const page = await browser.newPage();
	const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`;
	const told = new Map<number, (progress: LoadProgress) => void>();
	await page.exposeFunction('tellProgress', (load: number, progress: LoadProgress) => told.get(load)?.(progress));
	await page.goto(address);
	await page.waitForFunction(() => 'harness' in globalThis);
	const engine = remoteEngine(page, told);
	return {
		page,
		engine,
		asked: () => asked.splice(0),
		files: await readdir(folder, { recursive: true }),
		plant(...planted) {
			faults = planted;
			done.clear();
		},
		async make(init = {}) {
			await page.evaluate((wanted) => harness.make(wanted), init);
			return engine;
		},
		async clearCache() {
			const session = await page.context().newCDPSession(page);
			await session.send('Network.clearBrowserCache');
			await session.detach();
		},
		kill: () => page.evaluate(() => harness.kill()),
		memory: () => rendererMemory(process.pid)[0] ?? 0,
		browserVersion: browser.version(),
		async drain(change, killAt) {
			const number = await begin(page, change, false);
			return opened(await page.evaluate(([n, at]) => harness.drain(n, at), [number, killAt] as const));
		},
		async close() {
			await browser.close();
			server.closeAllConnections();
			server.close();
			asked = [];
			await rm(folder, { recursive: true, force: true });
		}
	};
}

function spoilt(whole: Buffer, fault: Fault | undefined, done: Map<Fault, number>): Buffer {
	if (fault === undefined) return whole;
	const times = (done.get(fault) ?? 0) + 1;
	done.set(fault, times);
	if (fault.kind === 'replace') return fault.bytes;
	if (fault.kind === 'short') return whole.subarray(0, -1);
	if (fault.kind === 'long') return Buffer.concat([whole, Buffer.from([0])]);
	if (fault.kind === 'flip' && times <= (fault.times ?? Number.POSITIVE_INFINITY))
		whole[fault.at] = (whole[fault.at] as number) ^ 1;
	return whole;
}

function opened<T>(reply: Reply<T>): T {
	if (reply.ok) return reply.value;
	throw new Refusal(isCode(reply.code) ? reply.code : 'internal', reply.message);
}

function begin(page: Page, request: GenerateRequest, aborted: boolean): Promise<number> {
	const plain = { ...request, seed: [...request.seed] };
	return page.evaluate(([wanted, gone]) => harness.generate(wanted, gone), [plain, aborted] as const);
}

/** `state` is what it was after the last call, since a getter cannot wait. */
function remoteEngine(page: Page, told: Map<number, (progress: LoadProgress) => void>): Engine {
	let seen: { id: string; state: Engine['state'] } = { id: 'pocket-5m-q4', state: 'idle' };
	let loads = 0;
	const look = async () => (seen = await page.evaluate(() => harness.state()));
	return {
		get id() {
			return seen.id;
		},
		get state() {
			return seen.state;
		},
		async load(onProgress, signal) {
			if (signal.aborted) {
				await look();
				throw new Refusal('aborted');
			}
			const number = loads++;
			told.set(number, onProgress);
			const result = page.evaluate((n) => harness.load(n), number);
			const cancel = () => void page.evaluate((n) => harness.abortLoad(n), number);
			signal.addEventListener('abort', cancel);
			const reply = await result.finally(() => told.delete(number));
			await look();
			const { card, hashes, progress: _told, ...rest } = opened(reply);
			const [weightsHash, tokenizerHash, templateHash, engineHash] = hashes.map(
				(hex) => new Uint8Array(Buffer.from(hex, 'hex'))
			);
			return {
				card: { ...card, weightsHash, tokenizerHash, templateHash, engineHash },
				...rest
			} as EngineReady;
		},
		async *generate(request, signal): AsyncGenerator<Step, GenerateEnd, void> {
			const number = await begin(page, request, signal.aborted);
			const stop = () => void page.evaluate((n) => harness.abort(n), number);
			signal.addEventListener('abort', stop);
			let over = false;
			try {
				for (;;) {
					const reply = await page.evaluate((n) => harness.next(n), number);
					over = !reply.ok || reply.value.done;
					if (over) await look();
					const next = opened(reply);
					if (next.done) return next.end;
					seen = { ...seen, state: 'busy' };
					yield {
						...next.step,
						topIds: Uint32Array.from(next.step.topIds),
						topLogits: Float32Array.from(next.step.topLogits)
					};
				}
			} finally {
				signal.removeEventListener('abort', stop);
				if (!over) {
					await page.evaluate((n) => harness.leave(n), number);
					await look();
				}
			}
		},
		async logits(tokens): Promise<readonly TopLogits[]> {
			const found = opened(await page.evaluate((wanted) => harness.logits(wanted), tokens));
			return found.map((each) => ({
				...each,
				topIds: Uint32Array.from(each.topIds),
				topLogits: Float32Array.from(each.topLogits)
			}));
		},
		countTokens: async (turns) => opened(await page.evaluate((wanted) => harness.countTokens(wanted), turns)),
		async unload() {
			await page.evaluate(() => harness.unload());
			await look();
		}
	};
}
