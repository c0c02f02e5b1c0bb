/**
 * `npm run bench -- release`: from nothing to the first word of a local answer, from a server that compresses and from one that does not (as many
 * gateways); a returning visitor without any server; and what has to travel: the shell, the engine, the model, the carried file.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { chromium, type Browser } from 'playwright';
import { carry } from '../scripts/carry.ts';
import { findChromium, LAUNCH_FLAGS } from '../scripts/chromium.mjs';
import { serve } from '../scripts/serve.ts';
import { visit } from './bytes.ts';

/** Files that are neither shell nor engine nor model: they are fetched when they are asked for. */
const LATER = /(\/webllm-|\/carried-|\/library-|\/typeset-|\.png$|\.gz$|\.car$|^release\/)/;
/** ONNX Runtime's two halves, with our worker around them. */
const ENGINE = /\.wasm$|\/workers\/cpu-/;
/** With its words and what its self-test expects. */
const MODEL = /\.onnx$|\/(tokenizer|self_test)\./;

export interface ReleaseResult {
	/** Bytes after compression at its best level. */
	readonly gzip: Travel;
	readonly brotli: Travel;
	readonly carried: number;
	/** ms to the first word, and body bytes until then. */
	readonly compressed: readonly First[];
	readonly plain: readonly First[];
	/** Returning, no server: ms from navigation to a composer that can be typed in, and to the first word. */
	readonly offline: readonly { readonly composerMs: number; readonly firstWordMs: number }[];
}

interface Travel {
	/** What a page fetches by itself until its first answer; the offline shell fetches the rest meanwhile. */
	readonly first: Sizes;
	/** What is kept for a day without a server. */
	readonly kept: Sizes;
}

interface Sizes {
	/** Everything but engine and model. */
	readonly shell: number;
	readonly engine: number;
	readonly model: number;
}

interface First {
	readonly ms: number;
	readonly bytes: number;
}

export async function measureRelease(
	build: string,
	rounds: number,
	tell: (line: string) => void
): Promise<ReleaseResult> {
	const cache = await mkdtemp(path.join(tmpdir(), 'fireweed-bench-'));
	const browser = await chromium.launch({ executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS] });
	const asked = await askedFirst(browser, build, cache);
	const travel = async (compress: Compress): Promise<Travel> => ({
		first: await sizesOf(build, (name) => asked.has(name), compress),
		kept: await sizesOf(build, (name) => !LATER.test(name), compress)
	});
	const sizes = {
		gzip: await travel((bytes) => promisify(gzip)(bytes, { level: 9 })),
		brotli: await travel((bytes) => promisify(brotliCompress)(bytes))
	};
	const compressed: First[] = [];
	const plain: First[] = [];
	const offline: { composerMs: number; firstWordMs: number }[] = [];
	try {
		for (let round = 1; round <= rounds; round += 1) {
			tell(`round ${round} of ${rounds}`);
			const server = await serve({ root: build, port: 0, cache, relays: () => [] });
			try {
				// The first visit of all finds nothing compressed yet, which no later one pays for.
				if (round === 1) await visit(browser, server.url, { compressed: true, serviceWorker: true });
				for (const [into, isCompressed] of [
					[compressed, true],
					[plain, false]
				] as const) {
					const { firstWordMs, firstWord } = await visit(browser, server.url, {
						compressed: isCompressed,
						serviceWorker: true
					});
					into.push({ ms: firstWordMs, bytes: firstWord.bodyBytes });
				}
			} finally {
				await server.close();
			}
			offline.push(await returning(browser, build));
		}
	} finally {
		await browser.close();
		await rm(cache, { recursive: true, force: true });
	}
	return { ...sizes, carried: (await carry(build)).length, compressed, plain, offline };
}

type Compress = (bytes: Buffer) => Promise<Buffer>;

/** Names of the files that a page without an offline shell asks for until its first answer. */
async function askedFirst(browser: Browser, build: string, cache: string): Promise<ReadonlySet<string>> {
	const server = await serve({ root: build, port: 0, cache, relays: () => [] });
	try {
		const { firstWord } = await visit(browser, server.url, { compressed: true, serviceWorker: false });
		return new Set(firstWord.files.map(({ path: at }) => decodeURIComponent(at).slice(1) || 'index.html'));
	} finally {
		await server.close();
	}
}

async function sizesOf(build: string, wanted: (name: string) => boolean, compress: Compress): Promise<Sizes> {
	const sizes = { shell: 0, engine: 0, model: 0 };
	for (const entry of await readdir(build, { recursive: true, withFileTypes: true })) {
		const at = path.join(entry.parentPath, entry.name);
		const name = path.relative(build, at);
		if (!entry.isFile() || !wanted(name)) continue;
		const { length } = await compress(await readFile(at));
		sizes[ENGINE.test(name) ? 'engine' : MODEL.test(name) ? 'model' : 'shell'] += length;
	}
	return sizes;
}

/** A profile that has kept the app, whose server is gone. */
async function returning(browser: Browser, build: string): Promise<{ composerMs: number; firstWordMs: number }> {
	const server = await serve({ root: build, port: 0, relays: () => [] });
	const context = await browser.newContext();
	try {
		const first = await context.newPage();
		await first.goto(server.url);
		await first.waitForFunction(() => navigator.serviceWorker.controller !== null, undefined, { timeout: 60_000 });
		await first.getByRole('textbox', { name: 'Message' }).fill('What is Fireweed?');
		await first.getByRole('button', { name: 'Send' }).click();
		await first.locator('[role=log] article[aria-label=Answer] .words').first().waitFor({ timeout: 60_000 });
		await first.waitForFunction(
			async () =>
				(
					await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).length))
				).some((n) => n > 20),
			undefined,
			{ timeout: 60_000 }
		);
		await first.close();
		await server.close();
		const page = await context.newPage();
		await page.goto(server.url);
		const box = page.getByRole('textbox', { name: 'Message' });
		await box.fill('What is Fireweed?');
		const composerMs = await page.evaluate(() => performance.now());
		await page
			.getByRole('button', { name: 'New chat' })
			.or(page.getByRole('link', { name: 'New chat' }))
			.first()
			.click();
		await box.fill('What is Fireweed?');
		await page.getByRole('button', { name: 'Send' }).click();
		await page.locator('[role=log] article[aria-label=Answer] .words').first().waitFor({ timeout: 60_000 });
		return { composerMs, firstWordMs: await page.evaluate(() => performance.now()) };
	} finally {
		await context.close();
		await server.close().catch(() => undefined);
	}
}

const kB = (bytes: number) => `${(bytes / 1e3).toFixed(0)} kB`;
const all = ({ shell, engine, model }: Sizes) => shell + engine + model;
const MB = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const range = (values: readonly number[], digits = 0) =>
	`${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;

/** The page that is kept. */
export function reportRelease(result: ReleaseResult): string {
	const { gzip, brotli, carried, compressed, plain, offline } = result;
	const row = (name: string, firsts: readonly First[]) =>
		`| ${name} | ${range(firsts.map(({ ms }) => ms))} ms | ${MB(median(firsts.map(({ bytes }) => bytes)))} |`;
	return `# What a release costs to open

Median (least–most) of ${compressed.length} rounds, a new profile each, Chromium, loopback: time without a network's, so only the bytes differ.

| compressed | gzip 9 | Brotli 11 | wished for |
|---|---|---|---|
| shell, as a page fetches it until its first answer | ${kB(gzip.first.shell)} | ${kB(brotli.first.shell)} | 300 kB |
| engine | ${MB(gzip.first.engine)} | ${MB(brotli.first.engine)} | |
| model | ${MB(gzip.first.model)} | ${MB(brotli.first.model)} | |
| together | ${MB(all(gzip.first))} | ${MB(all(brotli.first))} | 8 MB |
| shell, as it is kept for a day without a server | ${kB(gzip.kept.shell)} | ${kB(brotli.kept.shell)} | |

The carried file has ${MB(carried)}.

| from nothing to the first word | time | bodies until then |
|---|---|---|
${row('server or gateway that compresses', compressed)}
${row('gateway that does not', plain)}

| returning, no server at all | time | wished for |
|---|---|---|
| a composer that was typed in | ${range(offline.map(({ composerMs }) => composerMs))} ms | 500 ms |
| first word | ${range(offline.map(({ firstWordMs }) => firstWordMs))} ms | |
`;
}
