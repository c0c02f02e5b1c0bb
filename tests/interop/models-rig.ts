/** Chromium tabs over tests/fixtures/models, built once, and the server of models beside them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { build } from 'vite';
import { isCode, Refusal } from '#lib/protocol/errors.ts';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import type { harness as Harness } from '../fixtures/models/page.ts';
import type { Reply } from '../fixtures/page.ts';
import { startModelServer, type ModelServer } from './models-server.ts';

export type Harness = typeof Harness;

/** A page, a server of models, and a browser that are up. */
export interface ModelsRig {
	readonly origin: string;
	/** The same page under a name that is not loopback: no secure context. */
	readonly insecureOrigin: string;
	readonly browser: Browser;
	readonly server: ModelServer;
	tab(profile: BrowserContext, origin?: string): Promise<Page>;
	close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
	'.html': 'text/html',
	'.js': 'text/javascript',
	'.wasm': 'application/wasm',
	'.json': 'application/json'
};

export async function startModelsRig(): Promise<ModelsRig> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-models-'));
	await build({
		root: path.join(import.meta.dirname, '../fixtures/models'),
		base: './',
		configFile: false,
		logLevel: 'error',
		worker: { format: 'es' },
		build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 }
	});
	const server = createServer((incoming, outgoing) => {
		const { pathname } = new URL(incoming.url ?? '/', 'http://local');
		const file = path.join(folder, pathname === '/' ? 'index.html' : pathname);
		readFile(file)
			.then((bytes) => {
				outgoing.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
				outgoing.end(bytes);
			})
			.catch(() => outgoing.writeHead(404).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const browser = await chromium.launch({
		executablePath: findChromium(),
		args: [...LAUNCH_FLAGS, '--host-resolver-rules=MAP insecure.test 127.0.0.1']
	});
	const models = await startModelServer();
	const origin = `http://127.0.0.1:${port}`;
	return {
		origin,
		insecureOrigin: `http://insecure.test:${port}`,
		browser,
		server: models,
		async tab(profile, at = origin) {
			const page = await profile.newPage();
			await page.goto(at);
			await page.waitForFunction(() => 'harness' in globalThis);
			return page;
		},
		async close() {
			await browser.close();
			server.closeAllConnections();
			server.close();
			await models.close();
			await rm(folder, { recursive: true, force: true });
		}
	};
}

/** Calls one of the tab's functions. */
export function ask<N extends keyof Harness>(
	tab: Page,
	name: N,
	...args: Parameters<Harness[N]>
): Promise<Awaited<ReturnType<Harness[N]>>> {
	return tab.evaluate(
		([called, given]) =>
			(globalThis as unknown as { harness: Record<string, (...all: unknown[]) => never> }).harness[called]?.(
				...given
			) as never,
		[name, args] as const
	);
}

/** The value of a reply, or its Refusal. */
export function opened<T>(reply: Reply<T>): T {
	if (reply.ok) return reply.value;
	throw new Refusal(isCode(reply.code) ? reply.code : 'internal', reply.message);
}

/** `done` or the code of the refusal. */
export function outcomeOf(reply: Reply<unknown>): string {
	return reply.ok ? 'done' : reply.code;
}
