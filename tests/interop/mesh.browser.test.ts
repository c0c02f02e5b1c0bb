/**
 * Real Chromium tabs through a real relay process. Chromium gathers no loopback ICE candidates, so this machine needs an interface
 * besides loopback; nothing outside it is contacted.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { findChromium, LAUNCH_FLAGS } from '../../scripts/chromium.mjs';
import { until } from '../compliance/mesh.ts';
import { THOROUGH } from '../thorough.ts';
import type { TestScope } from './mesh-page/page.ts';
import { startRelayChild, type RelayChild } from './relay-child.ts';

const PAGE_ROOT = fileURLToPath(new URL('./mesh-page', import.meta.url));
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

let folder: string;
let server: Server;
let browser: Browser;
let origin: string;
let relay: RelayChild;
const contexts: BrowserContext[] = [];
const strangers = new Set<string>();

/** What a closed or dead tab may take to be noticed, ms (issue 2, point 4). */
const NOTICED_WITHIN_MS = 2_000;

function relayWith(port: string): Promise<RelayChild> {
	return startRelayChild({
		FIREWEED_RELAY_PORT: port,
		FIREWEED_RELAY_KEY: path.join(folder, 'relay.key'),
		FIREWEED_RELAY_TRACE: path.join(folder, 'trace')
	});
}

beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'fireweed-mesh-'));
	await build({
		configFile: false,
		root: PAGE_ROOT,
		base: './',
		logLevel: 'warn',
		worker: { format: 'es' },
		build: {
			outDir: path.join(folder, 'page'),
			emptyOutDir: true,
			target: 'es2022',
			minify: false,
			modulePreload: false
		}
	});
	server = createServer((request, response) => {
		const name = new URL(request.url ?? '/', 'http://x').pathname;
		const file = path.join(folder, 'page', name === '/' ? 'index.html' : path.normalize(name));
		readFile(file).then(
			(bytes) =>
				response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' }).end(bytes),
			() => response.writeHead(404).end()
		);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
	relay = await relayWith('0');
	browser = await chromium.launch({ executablePath: findChromium({ install: false }), args: LAUNCH_FLAGS });
}, 120_000);

afterEach(async () => {
	await Promise.all(contexts.splice(0).map((context) => context.close()));
});

afterAll(async () => {
	await browser?.close();
	await relay?.stop();
	server?.close();
	if (folder !== undefined) await rm(folder, { recursive: true, force: true });
	expect([...strangers], 'hosts outside this machine').toEqual([]);
});

interface TabUnderTest {
	readonly page: Page;
	readonly self: string;
	/** Runs in the page, with the tab as its first argument. */
	run<A, R>(work: (tab: TestScope['tab'], argument: A) => R | Promise<R>, argument: A): Promise<R>;
}

/** A tab in a profile of its own, so that every tab has a process of its own and may be killed alone. */
async function openTab(how = '', relays: readonly string[] = relay.addresses): Promise<TabUnderTest> {
	const context = await browser.newContext();
	contexts.push(context);
	const page = await context.newPage();
	page.on('request', (request) => {
		const { hostname } = new URL(request.url());
		if (hostname !== '127.0.0.1') strangers.add(hostname);
	});
	if (process.env['FIREWEED_TEST_VERBOSE'] !== undefined)
		page.on('console', (line) => process.stderr.write(`[tab] ${line.text()}\n`));
	await page.goto(`${origin}/${how}`);
	const self = await page.evaluate(async (list) => (globalThis as unknown as TestScope).startTab(list), [...relays]);
	const tab = await page.evaluateHandle(() => (globalThis as unknown as TestScope).tab);
	return { page, self, run: (work, argument) => tab.evaluate(work as never, argument as never) };
}

const addressesOf = (tab: TabUnderTest): Promise<string[]> => tab.run((t) => [...t.mesh.addresses()], undefined);
const ready = (tab: TabUnderTest): Promise<string[]> =>
	until(async () => {
		const [up, addresses] = [
			await tab.run((t) => t.mesh.relays().every((one) => one.up), undefined),
			await addressesOf(tab)
		];
		return up && addresses.length > 0 ? addresses : undefined;
	}, 'a relay and an address');

async function link(from: TabUnderTest, to: TabUnderTest): Promise<{ channel: number; ms: number }> {
	const opened = await from.run((t, [peer, addresses]) => t.open(peer, addresses), [to.self, await ready(to)] as [
		string,
		string[]
	]);
	expect(opened.code).toBe('none');
	return opened;
}

/** Waits for gossip from one to the other: published anew until heard; the time from the last publish to its arrival, ms. */
async function gossip(from: TabUnderTest, to: TabUnderTest): Promise<number> {
	return until(
		async () => {
			const published = Date.now();
			const job = await from.run((t) => t.announce(), undefined);
			for (let turn = 0; turn < 40; turn += 1) {
				const at = await to.run((t, name) => t.heard.find((one) => one.job === name)?.at, job);
				if (at !== undefined) return Math.max(1, at - published);
				await new Promise((resolve) => setTimeout(resolve, 25));
			}
			return undefined;
		},
		'gossip',
		20_000
	);
}

const median = (values: readonly number[]): number =>
	[...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (what: string): void => void process.stdout.write(`    measured: ${what}\n`);

test('two tabs: a direct link, messages back and forth, a megabyte intact', async () => {
	const before = await relay.health();
	const [a, b] = [await openTab(), await openTab()];
	await ready(a);
	const { channel, ms } = await link(a, b);
	const peers = await a.run((t) => [...t.mesh.peers()], undefined);
	expect(peers.find(({ id }) => id === b.self)?.path).toBe('direct');
	expect(peers.some(({ path: way }) => way === 'relay')).toBe(true);
	const small = await a.run((t, n) => t.ping(n, 100, 64), channel);
	expect(small).toMatchObject({ ok: true });
	const second = await link(a, b);
	const large = await a.run((t, n) => t.transfer(n, 16, 65_536), second.channel);
	expect(large).toMatchObject({ ok: true, got: 16 });
	const used = await a.run((t) => t.mesh.stats().rtcConnectionsUsed, undefined);
	expect(used, 'the second channel reuses the connection').toBe(1);
	const after = await relay.health();
	expect(after.introductions.introductions - before.introductions.introductions).toBe(1);
	say(
		`dial ${ms.toFixed(0)} ms; 64 B round trip p50 ${median(small.ms).toFixed(1)} ms; 1 MiB there and back ${large.ms.toFixed(0)} ms`
	);
	say(
		`introduction ${String(after.introductions.relayedBytes - before.introductions.relayedBytes)} bytes; STUN answers ${String(after.stun.answered)}`
	);
}, 60_000);

test('no third party: the relay answers STUN, and it is the only server named', async () => {
	const [a, b] = [await openTab(), await openTab()];
	const before = await relay.health();
	await link(a, b);
	await until(async () => (await relay.health()).stun.answered > before.stun.answered, 'a STUN answer');
}, 60_000);

test('a tab that is closed says goodbye; one that dies is found silent: both within two seconds', async () => {
	const [a, polite, dead] = [await openTab(), await openTab(), await openTab('?rude')];
	await ready(a);
	for (const [other, why] of [
		[polite, 'goodbye'],
		[dead, 'silent']
	] as const) {
		const { channel } = await link(a, other);
		expect(await a.run((t, n) => t.ping(n, 1, 16), channel)).toMatchObject({ ok: true });
		await until(
			() => a.run((t, id) => t.mesh.peers().find((peer) => peer.id === id)?.roundTripMs, other.self),
			'a beat'
		);
		const broke = a.run((t, n) => t.readToEnd(n), channel);
		const began = Date.now();
		if (why === 'goodbye') {
			await other.page.close({ runBeforeUnload: false });
		} else {
			// The renderer is killed in the middle of whatever it does.
			await other.page.goto('chrome://crash').catch(() => undefined);
		}
		const { at, code } = await broke;
		const down = await until(
			() => a.run((t, id) => t.events.find(({ event }) => event.type === 'peer-down' && event.peer === id), other.self),
			'peer-down'
		);
		expect(code).toBe('peer-lost');
		expect(down.event).toMatchObject({ type: 'peer-down', why });
		say(`${why}: channel broke after ${String(at - began)} ms, peer-down after ${String(down.at - began)} ms`);
		expect(at - began).toBeLessThan(NOTICED_WITHIN_MS);
		expect(down.at - began).toBeLessThan(NOTICED_WITHIN_MS);
	}
}, 60_000);

test('the relay dies: channels and gossip go on; it comes back: so do the tabs', async () => {
	const [a, b, c] = [await openTab(), await openTab(), await openTab()];
	await Promise.all([a, b, c].map(ready));
	const { channel } = await link(a, b);
	// c is no party to any job; it is a neighbour of b, and hears a only through it.
	await c.run((t, [peer, addresses]) => t.mesh.suggest(peer, addresses), [b.self, await addressesOf(b)] as [
		string,
		string[]
	]);
	await until(
		() => c.run((t, id) => t.mesh.peers().some((peer) => peer.id === id && peer.path === 'direct'), b.self),
		'neighbours'
	);
	say(`gossip through the relay ${String(await gossip(a, c))} ms`);
	const { port } = relay;
	await relay.kill();
	await until(() => a.run((t) => t.mesh.relays().every((one) => !one.up), undefined), 'relay-down');
	expect(await a.run((t, n) => t.ping(n, 50, 1_000), channel)).toMatchObject({ ok: true });
	say(`gossip without a relay ${String(await gossip(a, c))} ms`);
	expect(await a.run((t, id) => t.mesh.peers().find((peer) => peer.id === id)?.path, b.self)).toBe('direct');
	expect(await addressesOf(a)).toEqual([]);
	relay = await relayWith(String(port));
	const began = Date.now();
	await Promise.all([a, b, c].map(ready));
	say(`all three tabs back ${String(Date.now() - began)} ms after the relay listened`);
	expect(Date.now() - began).toBeLessThan(10_000);
	expect(await a.run((t, n) => t.ping(n, 5, 100), channel)).toMatchObject({ ok: true });
	const d = await openTab();
	await link(d, b);
	expect(await a.run((t) => t.events.filter(({ event }) => event.type === 'relay-up').length, undefined)).toBe(2);
}, 90_000);

test('a newcomer hears at once what was said before it came, and nothing of who has left', async () => {
	const before = (await relay.health()).recent;
	const [contributor, leaver] = [await openTab(), await openTab()];
	await Promise.all([contributor, leaver].map(ready));
	// Once each: nothing but the relay's memory can tell a newcomer.
	await contributor.run((t) => t.state(), undefined);
	await leaver.run((t) => t.state(), undefined);
	await until(async () => (await relay.health()).recent.kept === before.kept + 2, 'both statements');
	await leaver.page.close();
	await until(async () => (await relay.health()).recent.kept === before.kept + 1, 'one to be forgotten');
	const times: number[] = [];
	for (let n = 0; n < 5; n += 1) {
		const newcomer = await openTab();
		times.push(await until(() => newcomer.run((t, id) => t.offered.get(id), contributor.self), 'the offer'));
		expect(await newcomer.run((t) => t.offered.size, undefined)).toBe(1);
		await contexts.pop()?.close();
	}
	say(`first offer ${times.map((ms) => ms.toFixed(0)).join(', ')} ms after navigation`);
	// What it took to wait for the next statement; the tab itself is there in well under two.
	expect(Math.max(...times)).toBeLessThan(5_000);
}, 60_000);

test('a dead relay at the start throws nothing, and a living one beside it serves', async () => {
	const dead = '/ip4/127.0.0.1/tcp/9/ws/p2p/12D3KooWEC5hTP72TCKRr5ybEk3dupSkvzSdgPyTZ7AEENGXpxVZ';
	const a = await openTab('', [dead, ...relay.addresses]);
	const b = await openTab();
	const addresses = await until(async () => {
		const found = await addressesOf(a);
		return found.length > 0 ? found : undefined;
	}, 'an address');
	await ready(b);
	const opened = await b.run((t, [peer, list]) => t.open(peer, list), [a.self, addresses] as [string, string[]]);
	expect(opened.code).toBe('none');
	expect(await a.run((t) => t.mesh.relays().map((one) => one.up), undefined)).toEqual([false, true]);
}, 60_000);

test.runIf(THOROUGH)(
	'a machine with more to do than it can: no living peer is taken for gone',
	async () => {
		const seconds = Number(process.env['FIREWEED_TEST_LOAD_SECONDS'] ?? 8);
		const [a, b, c] = [await openTab(), await openTab(), await openTab()];
		await Promise.all([a, b, c].map(ready));
		await link(a, b);
		await link(b, c);
		await link(c, a);
		const burners = Array.from({ length: 2 * availableParallelism() }, () =>
			spawn(process.execPath, ['-e', `const end = Date.now() + ${String(seconds * 1000)}; while (Date.now() < end);`])
		);
		await Promise.all(burners.map((burner) => new Promise((resolve) => burner.once('exit', resolve))));
		const downs = await Promise.all(
			[a, b, c].map((tab) =>
				tab.run((t) => t.events.filter(({ event }) => event.type === 'peer-down').length, undefined)
			)
		);
		say(`false alarms in ${String(seconds)} s of full load, three tabs: ${downs.join(', ')}`);
		expect(downs).toEqual([0, 0, 0]);
	},
	300_000
);

test('dials in a row all succeed (the patched race, which hung one in five)', async () => {
	const dials = THOROUGH ? 20 : 10;
	const hub = await openTab();
	const addresses = await ready(hub);
	const times: number[] = [];
	for (let n = 0; n < dials; n += 1) {
		const tab = await openTab();
		await ready(tab);
		// One try only: a retry would hide the race.
		const opened = await tab.run((t, [peer, list]) => t.open(peer, list), [hub.self, addresses] as [string, string[]]);
		expect(opened.code, `dial ${String(n + 1)}`).toBe('none');
		expect(
			await tab.run((t) => t.mesh.stats().rtcConnectionsUsed, undefined),
			`dial ${String(n + 1)} took one try`
		).toBe(1);
		times.push(opened.ms);
		await contexts.pop()?.close();
	}
	say(
		`${String(dials)} of ${String(dials)} dials; p50 ${median(times).toFixed(0)} ms, longest ${Math.max(...times).toFixed(0)} ms`
	);
	const { introductions } = await relay.health();
	say(
		`introductions ${String(introductions.introductions)}, largest ${String(introductions.largestIntroduction)} bytes, over the limit ${String(introductions.overLimit)}`
	);
	expect(introductions.overLimit).toBe(0);
}, 180_000);
