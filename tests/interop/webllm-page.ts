/** tests/fixtures/webllm in a Chromium that offers WebGPU (in software), and a server that lies to order about a model's files. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright';
import { build } from 'vite';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import type { Folder } from './webllm-model.ts';

/** What happens to a file of a mirror on its way. */
export type Lie = { readonly mirror: string; readonly file: string; readonly times?: number } & (
	| { readonly kind: 'missing' | 'hang' | 'long' | 'short' | 'other-range' }
	| { readonly kind: 'flip' | 'cut' | 'pause'; readonly at: number }
	| { readonly kind: 'other'; readonly instead: string }
);

export interface Asked {
	readonly mirror: string;
	readonly file: string;
	readonly range: string | undefined;
}

export interface WebllmPage {
	readonly page: Page;
	/** Address of a mirror's folder. */
	mirror(name: string): string;
	/** What the mirrors serve, by the first part of their name (`a/…`), and how they lie. */
	serve(folders: Readonly<Record<string, Folder>>, lies?: readonly Lie[]): void;
	/** What was asked of the mirrors since the last call. */
	asked(): Asked[];
	/** Breaks off every answer that a `pause` holds. */
	breakOff(): void;
	/** Names of the built files, and their sizes. */
	readonly files: readonly string[];
	readonly folder: string;
	close(): Promise<void>;
}

/** Chromium's WebGPU without a graphics device: SwiftShader. */
const WEBGPU_FLAGS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

/** `flags` choose the graphics device; SwiftShader unless told otherwise. */
export async function openWebllmPage(flags: readonly string[] = WEBGPU_FLAGS): Promise<WebllmPage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-webllm-'));
	await build({
		root: path.join(import.meta.dirname, '../fixtures/webllm'),
		base: './',
		configFile: false,
		logLevel: 'error',
		resolve: {
			alias: { 'node:assert/strict': fileURLToPath(new URL('../fixtures/webllm/assert.ts', import.meta.url)) }
		},
		worker: { format: 'es' },
		// Minifying 7 MB twice would take longer than the tests.
		build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, minify: false }
	});
	let folders: Readonly<Record<string, Folder>> = {};
	let lies: readonly Lie[] = [];
	let asked: Asked[] = [];
	const told = new Map<Lie, number>();
	const paused = new Set<ServerResponse>();

	function answerMirror(mirror: string, file: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
		const { range } = incoming.headers;
		asked.push({ mirror, file, range });
		const lie = lies.find(
			(each) => each.mirror === mirror && each.file === file && (told.get(each) ?? 0) < (each.times ?? 1e9)
		);
		if (lie !== undefined) told.set(lie, (told.get(lie) ?? 0) + 1);
		const held = folders[mirror]?.get(lie?.kind === 'other' ? lie.instead : file);
		if (held === undefined || lie?.kind === 'missing') return void outgoing.writeHead(404).end();
		if (lie?.kind === 'hang') return void outgoing.writeHead(200, { 'content-length': held.length }).flushHeaders();
		const bytes = Buffer.from(spoilt(held, lie));
		const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
		const from = lie?.kind === 'other-range' ? start + 4 : start;
		const part = bytes.subarray(from);
		outgoing.writeHead(range === undefined ? 200 : 206, {
			'content-type': 'application/octet-stream',
			'content-length': part.length,
			...(range === undefined ? {} : { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
		});
		if (lie?.kind === 'pause') {
			paused.add(outgoing);
			return void outgoing.write(part.subarray(0, lie.at - start));
		}
		if (lie?.kind !== 'cut') return void outgoing.end(part);
		outgoing.write(part.subarray(0, lie.at - start), () => outgoing.destroy());
	}

	const server = createServer((incoming, outgoing) => {
		const whole = new URL(incoming.url ?? '/', 'http://local').pathname;
		const parts = /^\/models\/([^/]+)\/([^/]+)$/.exec(whole);
		if (parts !== null) return answerMirror(parts[1] as string, parts[2] as string, incoming, outgoing);
		const file = path.join(folder, whole === '/' ? 'index.html' : whole);
		readFile(file)
			.then((bytes) => {
				outgoing.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
				outgoing.end(bytes);
			})
			.catch(() => outgoing.writeHead(404).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
	const args = [...LAUNCH_FLAGS.filter((flag) => flag !== '--disable-gpu'), ...flags];
	const browser = await chromium.launch({ executablePath: findChromium({ install: false }), args });
	const page = await browser.newPage();
	await page.goto(base);
	await page.waitForFunction(() => 'harness' in globalThis);
	return {
		page,
		mirror: (name) => `${base}models/${name}/`,
		serve(served, told_ = []) {
			folders = served;
			lies = told_;
			told.clear();
			paused.clear();
			asked = [];
		},
		asked: () => asked.splice(0),
		breakOff() {
			for (const outgoing of paused) outgoing.destroy();
			paused.clear();
		},
		files: await readdir(folder, { recursive: true }),
		folder,
		async close() {
			await browser.close();
			server.closeAllConnections();
			server.close();
			await rm(folder, { recursive: true, force: true });
		}
	};
}

function spoilt(whole: Uint8Array, lie: Lie | undefined): Uint8Array {
	if (lie?.kind === 'short') return whole.subarray(0, -4);
	if (lie?.kind === 'long') return Buffer.concat([whole, Buffer.alloc(4)]);
	if (lie?.kind !== 'flip') return whole;
	const bytes = Uint8Array.from(whole);
	bytes[lie.at] = (bytes[lie.at] as number) ^ 1;
	return bytes;
}
