/**
 * Real Chromium tabs over a page of ours, for the tests of store and keys: the page's code is bundled here, served from
 * loopback, and every profile is a browser context of its own.
 */
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';

/** A server and a browser that are up. Any path of the origin is the page. */
export interface Rig {
	/** `http://127.0.0.1:<port>`; a secure context. */
	readonly origin: string;
	/** The same page under a name that is not loopback: no secure context. */
	readonly insecureOrigin: string;
	readonly browser: Browser;
	/** A new tab of `profile`, with the page's functions ready. */
	tab(profile: BrowserContext, path?: string, origin?: string): Promise<Page>;
	close(): Promise<void>;
}

/** Bundles `entry` (relative to this folder), serves it and starts Chromium. */
export async function startRig(entry: string): Promise<Rig> {
	const script = await bundle(fileURLToPath(new URL(entry, import.meta.url)));
	const server = createServer((request, response) => {
		const isScript = request.url?.endsWith('/page.js') === true;
		response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
		response.end(isScript ? script : '<!doctype html><title>tab</title><script type="module" src="/page.js"></script>');
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const browser = await chromium.launch({
		executablePath: findChromium(),
		args: [...LAUNCH_FLAGS, '--host-resolver-rules=MAP insecure.test 127.0.0.1']
	});
	const origin = `http://127.0.0.1:${port}`;
	return {
		origin,
		insecureOrigin: `http://insecure.test:${port}`,
		browser,
		tab: async (profile, path = '/', at = origin) => {
			const page = await profile.newPage();
			await page.goto(at + path);
			await page.waitForFunction(() => 'page' in globalThis);
			return page;
		},
		close: async () => {
			await browser.close();
			await new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			});
		}
	};
}

async function bundle(entry: string): Promise<string> {
	const result = await build({
		configFile: false,
		logLevel: 'warn',
		build: {
			write: false,
			target: 'es2024',
			minify: false,
			// A library build keeps the entry's own statements; the page reads nothing from its exports.
			lib: { entry, formats: ['es'], fileName: 'page' }
		}
	});
	const [output] = Array.isArray(result) ? result : [result];
	if (output === undefined || !('output' in output)) throw new Error('the page was not bundled');
	return output.output[0].code;
}
