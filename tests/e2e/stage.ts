/** A stage for whole-network tests: a real relay process, the built app on a real server, and one browser profile per person. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright/test';
import { expect } from 'playwright/test';
import { startRelay, type RelayProcess } from '../../scripts/relay-process.ts';
import { serve, type Serving } from '../../scripts/serve.ts';

/** Folder of the build under test; planted-fault runs point it elsewhere. */
export const BUILD = process.env['FIREWEED_BUILD'] ?? 'build';

export interface Stage {
	readonly url: string;
	readonly relayPort: number;
	relay(): RelayProcess;
	/** Kills the relay process without a word. */
	killRelay(): Promise<void>;
	/** Starts it again, with the same key. */
	startRelay(): Promise<void>;
	/** Every gossip payload the relay could read so far, as bytes. */
	relayed(): Promise<Buffer[]>;
	/** Counters of the relay's health endpoint. */
	health(): Promise<Record<string, unknown>>;
	/** A person: a profile of their own, with the app open at `where`. */
	person(where?: string): Promise<Person>;
	stop(): Promise<void>;
}

export interface Person {
	readonly context: BrowserContext;
	readonly page: Page;
	/** Uncaught errors and broken policies of every page of the profile. */
	readonly errors: string[];
	/** Requests to any host but the app's and the relay's; each was refused. */
	readonly strays: string[];
}

export async function openStage(browser: Browser): Promise<Stage> {
	const folder = await mkdtemp(path.join(tmpdir(), 'fireweed-stage-'));
	const trace = path.join(folder, 'trace');
	const [relayPort, healthPort] = [await freePort(), await freePort()];
	const env = { FIREWEED_RELAY_TRACE: trace, FIREWEED_RELAY_HEALTH_PORT: String(healthPort) };
	const start = () =>
		startRelay({ port: relayPort, key: path.join(folder, 'relay.key'), keepAlive: false, env, log: () => undefined });
	let relay = await start();
	const server: Serving = await serve({ root: BUILD, port: 0, relays: () => relay.addresses() });
	const contexts: BrowserContext[] = [];
	return {
		url: server.url,
		relayPort,
		relay: () => relay,
		killRelay: async () => {
			if (relay.pid !== undefined) process.kill(relay.pid, 'SIGKILL');
			await expect.poll(() => relay.addresses().length).toBe(0);
		},
		startRelay: async () => {
			relay = await start();
		},
		relayed: async () => {
			const lines = (await readFile(trace, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
			return lines.map((line) => Buffer.from(line.split(' ')[1] ?? '', 'hex'));
		},
		health: async () =>
			(await (await fetch(`http://127.0.0.1:${healthPort}/health`)).json()) as Record<string, unknown>,
		person: async (where = '') => {
			const context = await browser.newContext();
			contexts.push(context);
			const person = await watched(context, [new URL(server.url).host, `127.0.0.1:${relayPort}`]);
			await person.page.goto(server.url + where);
			return person;
		},
		stop: async () => {
			for (const context of contexts) await context.close();
			await server.close();
			await relay.stop();
			await rm(folder, { recursive: true, force: true });
		}
	};
}

/** A profile whose requests to other hosts are refused and remembered. */
async function watched(context: BrowserContext, hosts: readonly string[]): Promise<Person> {
	const errors: string[] = [];
	const strays: string[] = [];
	await context.route(
		(address) => /^(https?|wss?):$/.test(address.protocol) && !hosts.includes(address.host),
		(route) => {
			strays.push(route.request().url());
			return route.abort();
		}
	);
	context.on('page', (page) => {
		page.on('pageerror', (error) => errors.push(String(error)));
		page.on('console', (message) => {
			if (/content security policy/i.test(message.text())) errors.push(message.text());
		});
		page.on('websocket', (socket) => {
			if (!hosts.includes(new URL(socket.url()).host)) strays.push(socket.url());
		});
	});
	return { context, page: await context.newPage(), errors, strays };
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts contributing and waits until the tab says it is ready. */
export async function contribute(page: Page): Promise<void> {
	await page.getByRole('link', { name: 'Contribute' }).click();
	await page.getByRole('button', { name: 'Start contributing' }).click();
	await expect(page.getByRole('status').filter({ hasText: 'Ready' })).toBeVisible({ timeout: 30_000 });
}

/** Sends a message to the device or the mesh. */
export async function send(page: Page, text: string, place: 'This device' | 'The mesh'): Promise<void> {
	await page.getByRole('radio', { name: place }).check();
	await page.getByRole('textbox', { name: 'Message' }).fill(text);
	await page.getByRole('button', { name: 'Send' }).click();
}

/** Waits until no answer runs. */
export async function answered(page: Page): Promise<void> {
	await expect(page.getByRole('button', { name: 'Send' })).toBeVisible({ timeout: 45_000 });
	await expect(page.getByRole('button', { name: 'Stop' })).toHaveCount(0);
}

/** A table of the profile's store, newest last, bytes as arrays of numbers. */
export async function table<T>(page: Page, name: string): Promise<T[]> {
	const rows = await page.evaluate(async (wanted) => {
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			const request = indexedDB.open('fireweed:/');
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(request.error);
		});
		const rows = await new Promise<unknown[]>((resolve, reject) => {
			const request = database.transaction(wanted).objectStore(wanted).getAll();
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(request.error);
		});
		database.close();
		return rows;
	}, name);
	return rows as T[];
}
