/**
 * `npm run bench -- release`: from nothing to the first word of a local answer, from a server that compresses and from one that does not (as many
 * gateways); a returning visitor without any server; and what has to travel: the shell, the engine, the model, the carried file.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { chromium, type Browser } from 'playwright';
import { carry } from '../scripts/carry.ts';
import { findChromium, LAUNCH_FLAGS } from '../scripts/chromium.mjs';
import { serve } from '../scripts/serve.ts';
import { visit } from './bytes.ts';

/** Files that are neither shell nor engine nor model: nobody fetches them before the first answer. */
const LATER = /(\/webllm-|\/carried-|\/library-|\.png$|\.gz$|\.car$|^release\/)/;
const ENGINE = /\.wasm$/;
const MODEL = /\.onnx$/;

export interface ReleaseResult {
	/** Bytes after gzip: the shell (without engine and model), the engine, the model. */
	readonly shell: number;
	readonly engine: number;
	readonly model: number;
	readonly carried: number;
	/** ms to the first word, and body bytes until then. */
	readonly compressed: readonly First[];
	readonly plain: readonly First[];
	/** Returning, no server: ms from navigation to a composer that can be typed in, and to the first word. */
	readonly offline: readonly { readonly composerMs: number; readonly firstWordMs: number }[];
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
	const sizes = await sizesOf(build);
	const browser = await chromium.launch({ executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS] });
	const compressed: First[] = [];
	const plain: First[] = [];
	const offline: { composerMs: number; firstWordMs: number }[] = [];
	try {
		for (let round = 1; round <= rounds; round += 1) {
			tell(`round ${round} of ${rounds}`);
			const server = await serve({ root: build, port: 0, relays: () => [] });
			try {
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
	}
	return { ...sizes, carried: (await carry(build)).length, compressed, plain, offline };
}

async function sizesOf(build: string): Promise<{ shell: number; engine: number; model: number }> {
	const sizes = { shell: 0, engine: 0, model: 0 };
	for (const entry of await readdir(build, { recursive: true, withFileTypes: true })) {
		const at = path.join(entry.parentPath, entry.name);
		const name = path.relative(build, at);
		if (!entry.isFile() || LATER.test(name)) continue;
		const { length } = await promisify(gzip)(await readFile(at), { level: 9 });
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

const MB = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`;
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const range = (values: readonly number[], digits = 0) =>
	`${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;

/** The page that is kept. */
export function reportRelease(result: ReleaseResult): string {
	const { shell, engine, model, carried, compressed, plain, offline } = result;
	const row = (name: string, all: readonly First[]) =>
		`| ${name} | ${range(all.map(({ ms }) => ms))} ms | ${MB(median(all.map(({ bytes }) => bytes)))} |`;
	return `# What a release costs to open

Median (least–most) of ${compressed.length} rounds, a new profile each, Chromium, loopback: time without a network's, so only the bytes differ.

| gzip -9 | bytes | wished for |
|---|---|---|
| shell | ${(shell / 1000).toFixed(0)} kB | 300 kB |
| engine | ${MB(engine)} | |
| model | ${MB(model)} | |
| together | ${MB(shell + engine + model)} | 8 MB |
| carried file | ${MB(carried)} | |

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
