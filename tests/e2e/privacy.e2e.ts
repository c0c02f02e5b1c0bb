/** docs/privacy.md on real tabs, a real relay and the built app: what the server, the relay and the wire really got, and that nobody else got anything. */
import { expect, test, type Page } from 'playwright/test';
import { decode } from '@ipld/dag-cbor';
import { createServer, request as ask, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseDid, parsePeerId } from '#lib/protocol/did.ts';
import { filesUnder } from '../doubles/gateway.ts';
import { kindOf, privacyTable } from '../fixtures/privacy.ts';
import { everySection } from './settings.ts';
import { answered, BUILD, contribute, openStage, send, type Stage } from './stage.ts';

const PROMPT = 'the planted secret prompt about the capital of Peru';

/** One request as the server that the app came from got it. */
interface Asked {
	readonly method: string;
	readonly url: string;
	readonly headers: IncomingHttpHeaders;
	readonly bodyBytes: number;
}

let stage: Stage;
let door: { readonly url: string; readonly asked: Asked[]; close(): Promise<void> };
test.beforeEach(async ({ browser }) => {
	stage = await openStage(browser);
	door = await gatewayInFrontOf(stage.url);
});
test.afterEach(async () => {
	await door.close();
	await stage.stop();
});

/** A server that notes everything it is asked, and fetches the answer from `origin`. */
async function gatewayInFrontOf(origin: string): Promise<typeof door> {
	const asked: Asked[] = [];
	const server = createServer((incoming, outgoing) => {
		const { method = '', url = '', headers } = incoming;
		let bodyBytes = 0;
		incoming.on('data', (chunk: Buffer) => (bodyBytes += chunk.length));
		incoming.on('end', () => asked.push({ method, url, headers, bodyBytes }));
		const onward = ask(new URL(url, origin), { method }, (answer) => {
			outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
			answer.pipe(outgoing);
		});
		onward.on('error', () => outgoing.destroy());
		onward.end();
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	return {
		url: `http://127.0.0.1:${port}/`,
		asked,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
}

/** What the tab is called and owns, looked up in its own key database. */
const ownNames = (page: Page) =>
	page.evaluate(
		() =>
			new Promise<{ id: string; account: string }>((resolve, reject) => {
				const opening = indexedDB.open('fireweed-keys:/');
				opening.onerror = () => reject(opening.error);
				opening.onsuccess = () => {
					const all = opening.result.transaction('nodes').objectStore('nodes').getAll();
					all.onsuccess = () => {
						opening.result.close();
						const { id, account } = (all.result as { id: string; account: string }[])[0] ?? { id: '', account: '' };
						resolve({ id, account });
					};
				};
			})
	);

/** Headers that a browser sends with any request for a file; anything else would be ours. */
const ORDINARY_HEADERS =
	/^(host|connection|user-agent|accept|accept-encoding|accept-language|cache-control|pragma|sec-.*|upgrade-insecure-requests|origin|referer|service-worker|range|purpose|if-none-match|if-modified-since)$/;

test('server, relay and wire get what the page says they get; the whole walk asks nobody else', async ({ browser }) => {
	test.setTimeout(180_000);
	const table = privacyTable('When you ask the mesh');
	const lender = await stage.person();
	await contribute(lender.page);

	const context = await browser.newContext();
	const hosts = [new URL(door.url).host, `127.0.0.1:${stage.relayPort}`];
	const strays: string[] = [];
	await context.route(
		(address) => /^(https?|wss?):$/.test(address.protocol) && !hosts.includes(address.host),
		(route) => {
			strays.push(route.request().url());
			return route.abort();
		}
	);
	// The servers that WebRTC is told to ask are no requests: they are noted where they are named.
	await context.addInitScript(() => {
		const named: string[] = [];
		Object.assign(globalThis, { namedIceServers: named });
		const Real = globalThis.RTCPeerConnection;
		globalThis.RTCPeerConnection = class extends Real {
			constructor(configuration?: RTCConfiguration) {
				super(configuration);
				for (const { urls } of configuration?.iceServers ?? []) named.push(...[urls].flat());
			}
		};
	});
	const page = await context.newPage();
	const wire: Buffer[] = [];
	page.on('websocket', (socket) => {
		if (!hosts.includes(new URL(socket.url()).host)) strays.push(socket.url());
		socket.on('framesent', ({ payload }) => wire.push(Buffer.from(payload)));
		socket.on('framereceived', ({ payload }) => wire.push(Buffer.from(payload)));
	});
	try {
		await page.goto(door.url);
		await send(page, `${PROMPT}, at home`, 'This device');
		await answered(page);
		const before = (await stage.relayed()).length;
		expect(wire, 'nothing leaves while this device answers').toEqual([]);
		await send(page, PROMPT, 'The mesh');
		await answered(page);
		const answer = (await page.getByRole('article', { name: 'Answer' }).last().locator('.words').innerText()).slice(
			0,
			24
		);
		expect(answer.length).toBeGreaterThan(10);
		// The rest of the walk: every screen, and the lending of this tab too.
		for (const name of ['Receipts', 'Settings']) await page.getByRole('link', { name }).first().click();
		await everySection(page, async () => undefined);
		const self = await ownNames(page);
		const secrets = {
			'your prompt': Buffer.from('planted secret prompt'),
			'the answer': Buffer.from(answer),
			'your account': Buffer.from(parseDid(self.account)),
			"this tab's name": Buffer.from(parsePeerId(self.id))
		};
		const found = (bytes: Buffer, ...texts: string[]) =>
			Object.fromEntries(
				Object.entries(secrets).map(([name, secret]) => [
					name,
					bytes.includes(secret) || texts.some((text) => bytes.includes(text) && name === "this tab's name")
				])
			);
		const says = (party: string) => {
			const { 'your network address': _address, ...rest } = table.get(party)?.gets ?? {};
			return rest;
		};

		const relayed = await stage.relayed();
		expect(relayed.length).toBeGreaterThan(before);
		const kinds = [...new Set(relayed.map((bytes) => kindOf(decode(bytes))))].filter((kind) => kind !== undefined);
		expect(kinds.sort()).toEqual([...(table.get('Relay')?.messages ?? [])].sort());
		// It knows the tab as a connection; what passes through it does not name the tab.
		expect({ ...found(Buffer.concat(relayed)), "this tab's name": true }).toEqual(says('Relay'));

		expect(wire.length).toBeGreaterThan(10);
		expect(found(Buffer.concat(wire), self.id)).toEqual(says('Somebody watching your network'));

		const server = Buffer.from(JSON.stringify(door.asked));
		expect(found(server, self.id, self.account)).toEqual(says('Gateway or web server'));
		// The list of relays lies beside the app without being a part of it.
		const files = new Set(['/', '/directory.json', ...[...(await filesUnder(BUILD)).keys()].map((name) => `/${name}`)]);
		expect(door.asked.length).toBeGreaterThan(10);
		for (const { method, url, headers, bodyBytes } of door.asked) {
			expect([method, bodyBytes]).toEqual([expect.stringMatching(/^(GET|HEAD)$/), 0]);
			expect(files, url).toContain(url);
			for (const name of Object.keys(headers)) expect(name).toMatch(ORDINARY_HEADERS);
			expect(new URL(headers.referer ?? door.url).origin).toBe(new URL(door.url).origin);
		}

		const stun = await page.evaluate(() => (globalThis as unknown as { namedIceServers: string[] }).namedIceServers);
		expect(stun.length).toBeGreaterThan(0);
		for (const address of stun) expect(address).toMatch(/^stun:127\.0\.0\.1:\d+$/);
		expect([strays, lender.strays, lender.errors]).toEqual([[], [], []]);
	} finally {
		await context.close();
	}
});
