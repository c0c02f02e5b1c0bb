/** A page of tests/fixtures/decoders in Chromium, beside files that a test made in memory; cross-origin isolated if wished. */
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Page } from 'playwright';
import { build } from 'vite';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';

export interface DecodersPage {
	/** A new page; with `isolated`, threads can share memory in it. */
	open(isolated: boolean): Promise<Page>;
	close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.wasm': 'application/wasm'
};
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** `files` by their path from the root, beside the page; each in the plain tree and in the isolated one. */
export async function openDecodersPage(files: ReadonlyMap<string, Uint8Array>): Promise<DecodersPage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-decoders-'));
	await build({
		root: path.join(import.meta.dirname, '../fixtures/decoders'),
		base: './',
		configFile: false,
		logLevel: 'error',
		worker: { format: 'es', rollupOptions: { output: { assetFileNames: 'workers/assets/[name]-[hash][extname]' } } },
		build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 }
	});
	const server = createServer((incoming, outgoing) => {
		const [, tree, ...rest] = new URL(incoming.url ?? '/', 'http://local').pathname.split('/');
		const name = rest.join('/') || 'index.html';
		const made = files.get(name);
		Promise.resolve(made ?? readFile(path.join(folder, name)))
			.then((bytes) => {
				const type = TYPES[path.extname(name)] ?? 'application/octet-stream';
				outgoing.writeHead(200, { 'content-type': type, ...(tree === 'isolated' ? ISOLATION : {}) });
				outgoing.end(bytes);
			})
			.catch(() => outgoing.writeHead(404).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const browser = await chromium.launch({ executablePath: findChromium({ install: false }), args: [...LAUNCH_FLAGS] });
	return {
		async open(isolated) {
			const page = await browser.newPage();
			const { port } = server.address() as AddressInfo;
			await page.goto(`http://127.0.0.1:${port}/${isolated ? 'isolated' : 'plain'}/`);
			await page.waitForFunction(() => 'decoders' in globalThis);
			return page;
		},
		async close() {
			await browser.close();
			server.closeAllConnections();
			server.close();
			await rm(folder, { recursive: true, force: true });
		}
	};
}
