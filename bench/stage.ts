/** Where it is measured: a real relay process, the built app and the bench's page on real servers, one browser profile per person. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { chromium, type Browser, type Page } from 'playwright';
import { build } from 'vite';
import { ROOT } from '../scripts/bootstrap.mjs';
import { findChromium, LAUNCH_FLAGS } from '../scripts/chromium.mjs';
import { startRelay } from '../scripts/relay-process.ts';
import { serve } from '../scripts/serve.ts';

export interface Stage {
	readonly browser: Browser;
	/** The built app; empty when it was not wanted, as is the next. */
	readonly app: string;
	/** The plain server that streams the same engine's tokens. */
	readonly server: string;
	/** The app without its screens (bench/page), in a profile of its own, in the stage's browser or another. */
	person(browser?: Browser): Promise<Page>;
	/** Another browser: processes of its own, for a page that is to be killed. */
	launch(): Promise<Browser>;
	/** What the relay has counted so far. */
	relayed(): Promise<Relayed>;
	stop(): Promise<void>;
}

/** The part of the relay's health that is about traffic. */
export interface Relayed {
	/** Between the two of a pair, both directions, and for how many pairs. */
	readonly pairBytes: number;
	readonly pairs: number;
	readonly gossipBytes: number;
}

/** Nothing but loopback has a name or a way: a stray request fails instead of being measured. */
const NOWHERE_ELSE = ['--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1', '--no-proxy-server'];

/** `served` is whether the plain server and the built app are wanted beside the bench's page. */
export async function openStage({ served = true } = {}): Promise<Stage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-bench-'));
	const undo: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
	const stop = async () => {
		for (const step of undo.reverse().splice(0)) await step();
	};
	try {
		const pageFolder = path.join(folder, 'page');
		await buildPage(pageFolder);
		const healthPort = await freePort();
		const relay = await startRelay({
			port: await freePort(),
			key: path.join(folder, 'relay.key'),
			keepAlive: false,
			env: { FIREWEED_RELAY_HEALTH_PORT: String(healthPort) },
			log: () => undefined
		});
		undo.push(() => relay.stop());
		const relays = () => relay.addresses();
		const appServer = served ? await serve({ root: path.join(ROOT, 'build'), port: 0, relays }) : undefined;
		if (appServer !== undefined) undo.push(() => appServer.close());
		const pageServer = await serve({ root: pageFolder, port: 0, relays });
		undo.push(() => pageServer.close());
		const plain = served ? await startPlainServer() : undefined;
		if (plain !== undefined) undo.push(plain.stop);
		const executablePath = findChromium({ install: false });
		const launch = async () => {
			const launched = await chromium.launch({ executablePath, args: [...LAUNCH_FLAGS, ...NOWHERE_ELSE] });
			undo.push(() => launched.close());
			return launched;
		};
		const browser = await launch();
		return {
			browser,
			app: appServer?.url ?? '',
			server: plain?.address ?? '',
			launch,
			person: async (other = browser) => {
				const page = await (await other.newContext()).newPage();
				await page.goto(pageServer.url);
				await page.waitForFunction(() => 'bench' in globalThis);
				return page;
			},
			relayed: async () => {
				const counted = (await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()) as Health;
				const { relayedBytes, introductions } = counted.introductions;
				return { pairBytes: relayedBytes, pairs: introductions, gossipBytes: counted.gossipBytes };
			},
			stop
		};
	} catch (error) {
		await stop();
		throw error;
	}
}

interface Health {
	readonly introductions: { readonly relayedBytes: number; readonly introductions: number };
	readonly gossipBytes: number;
}

/** As vite.config.ts builds the product, without Svelte and the service worker. */
async function buildPage(folder: string): Promise<void> {
	await build({
		root: path.join(ROOT, 'bench/page'),
		base: './',
		configFile: false,
		logLevel: 'error',
		worker: { format: 'es' },
		build: { outDir: folder, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 }
	});
}

/** bench/server.ts as a process of its own, so that its engine shares no event loop with what drives the browser. */
function startPlainServer(): Promise<{ readonly address: string; readonly stop: () => Promise<void> }> {
	const child = spawn(process.execPath, [path.join(ROOT, 'bench/server.ts')], {
		cwd: ROOT,
		stdio: ['ignore', 'pipe', 'inherit', 'ipc']
	});
	const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
	const stop = async () => {
		child.kill();
		await ended;
	};
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('close', () => reject(new Error('the plain server did not start')));
		if (child.stdout !== null) {
			createInterface({ input: child.stdout }).once('line', (address) => resolve({ address, stop }));
		}
	});
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	return port;
}
