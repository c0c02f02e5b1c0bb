/** The pocket model on ONNX Runtime's WebGPU backend in Chromium, with the software adapter: builds tests/fixtures/self-test/page and serves it. */
import { createServer } from 'node:http';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright';
import { build } from 'vite';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import type { Found, harness as Harness, Trial } from '../fixtures/self-test/page/page.ts';
import { readReference } from '../vectors/pocket-reference.make.ts';

declare const harness: typeof Harness;

export interface SelfTestPage {
	/** What the browser says of its adapter; nothing where there is none. */
	adapter(): Promise<Awaited<ReturnType<typeof Harness.adapter>>>;
	/** In a page of its own: the library keeps one device for all sessions of a page. */
	trial(init: Trial): Promise<Found>;
	close(): Promise<void>;
}

/** Chromium's WebGPU without a graphics device. */
const WEBGPU_FLAGS = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
const MODELS = path.resolve(import.meta.dirname, '../../models/pocket');
const TYPES: Readonly<Record<string, string>> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.mjs': 'text/javascript',
	'.wasm': 'application/wasm'
};

export async function openSelfTestPage(): Promise<SelfTestPage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-self-test-'));
	await build({
		root: path.join(import.meta.dirname, '../fixtures/self-test/page'),
		base: './',
		configFile: false,
		logLevel: 'error',
		build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 }
	});
	const bytesOf = async (name: string) => {
		if (name === 'reference.json') return readReference('fp32');
		return readFile(name.endsWith('.onnx') ? path.join(MODELS, path.basename(name)) : path.join(folder, name));
	};
	const server = createServer((incoming, outgoing) => {
		const name = new URL(incoming.url ?? '/', 'http://local').pathname.slice(1) || 'index.html';
		bytesOf(name)
			.then((bytes) => {
				outgoing.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' });
				outgoing.end(bytes);
			})
			.catch(() => outgoing.writeHead(404).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	// With this flag Chromium would turn off what it computes WebGPU with.
	const flags = LAUNCH_FLAGS.filter((flag) => flag !== '--disable-gpu');
	const browser = await chromium.launch({
		executablePath: findChromium({ install: false }),
		args: [...flags, ...WEBGPU_FLAGS]
	});
	async function open() {
		const page = await browser.newPage();
		await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
		await page.waitForFunction(() => 'harness' in globalThis);
		return page;
	}
	return {
		async adapter() {
			const page = await open();
			return page.evaluate(() => harness.adapter()).finally(() => page.close());
		},
		async trial(init) {
			const page = await open();
			return page.evaluate((wanted) => harness.run(wanted), init).finally(() => page.close());
		},
		async close() {
			await browser.close();
			server.closeAllConnections();
			server.close();
			await rm(folder, { recursive: true, force: true });
		}
	};
}
