/** The tab still opens when nothing answers: at a server's root and under both addresses of an IPFS gateway. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, type BrowserContext, type Page } from 'playwright/test';
import { serve } from '../../scripts/serve.ts';
import { PARTS } from '#lib/survival/release.ts';
import { LANGUAGES } from '../../src/lib/ui/language/languages.ts';
import { ON_DEMAND } from '../../workers/precache.ts';
import { filesUnder, startGateway } from '../doubles/gateway.ts';

const BUILD = 'build';

/** English is in the app; the others are fetched by those who read them. */
const OTHER_LANGUAGES = LANGUAGES.length - 1;

/** One place the app is served from, and how to switch it off. */
interface Served {
	readonly url: string;
	close(): Promise<void>;
}

const PLACES: Record<string, () => Promise<Served>> = {
	'a server’s root': () => serve({ root: BUILD, port: 0 }),
	'a gateway’s path': async () => {
		const gateway = await startGateway(BUILD);
		return { url: gateway.pathUrl, close: gateway.close };
	},
	'a gateway’s subdomain': async () => {
		const gateway = await startGateway(BUILD);
		return { url: gateway.subdomainUrl, close: gateway.close };
	}
};

/** Watches a whole browser context: no error on any page, no request to any other host. Refuses such requests, so nothing gets out. */
async function guard(context: BrowserContext, url: string): Promise<{ errors: string[]; strays: string[] }> {
	const seen = { errors: [] as string[], strays: [] as string[] };
	const { host } = new URL(url);
	await context.route(
		(address) => /^(https?|wss?):$/.test(address.protocol) && address.host !== host,
		(route) => {
			seen.strays.push(route.request().url());
			return route.abort();
		}
	);
	const watch = (page: Page) => {
		page.on('pageerror', (error) => seen.errors.push(String(error)));
		page.on('console', (message) => {
			if (/content security policy/i.test(message.text())) seen.errors.push(message.text());
		});
		page.on('websocket', (socket) => {
			if (new URL(socket.url()).host !== host) seen.strays.push(socket.url());
		});
	};
	context.pages().forEach(watch);
	context.on('page', watch);
	return seen;
}

/** Files that the worker does not hold beside the others: itself and the signed documents. */
const NOT_HELD = ['service-worker.js', ...Object.values(PARTS).map(({ path }) => path)];

/** Waits until the worker holds every file of the build on disk that a first visit needs; resolves to the names of all caches of the origin. */
async function untilHeld(page: Page): Promise<string[]> {
	const files = [...(await filesUnder(BUILD)).keys()];
	const expected = files.filter((name) => !NOT_HELD.includes(name) && !ON_DEMAND.test(name));
	expect(files.length - expected.length, 'files left out').toBe(NOT_HELD.length + 1 + OTHER_LANGUAGES);
	const addresses = expected.map((name) => (name === 'index.html' ? './' : `./${name}`));
	await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
	const missing = () =>
		page.evaluate(async (wanted) => {
			const name = (await caches.keys()).find((each) =>
				each.startsWith(`fireweed-shell ${new URL('./', location.href)} `)
			);
			if (!name) return wanted;
			const cache = await caches.open(name);
			const held = new Set((await cache.keys()).map((request) => request.url));
			return wanted.filter((each) => !held.has(new URL(each, location.href).href));
		}, addresses);
	await expect.poll(missing, { timeout: 30_000 }).toEqual([]);
	return page.evaluate(() => caches.keys());
}

for (const [place, start] of Object.entries(PLACES)) {
	test(`served from ${place}, the shell loads, is held, and opens with the server gone`, async ({ context }) => {
		const served = await start();
		try {
			const seen = await guard(context, served.url);
			const page = await context.newPage();
			await page.goto(served.url);
			await expect(page.getByRole('link', { name: 'Contribute' })).toBeVisible();
			const scope = await page.evaluate(async () => (await navigator.serviceWorker.ready).scope);
			expect(scope).toBe(served.url);
			await untilHeld(page);

			await served.close();
			await expect(fetch(served.url.replace(/\/\/[^/]*localhost/, '//127.0.0.1'))).rejects.toThrow();

			await page.goto(`${served.url}#/contribute`);
			const contribute = page.getByRole('heading', { name: 'Contribute' });
			await expect(contribute).toBeVisible();
			await page.reload();
			await expect(contribute).toBeVisible();
			const second = await context.newPage();
			await second.goto(`${served.url}?relay=x#/receipts`);
			await expect(second.getByRole('heading', { name: 'Receipts' })).toBeVisible();
			expect(seen).toEqual({ errors: [], strays: [] });
		} finally {
			await served.close();
		}
	});
}

test('on a shared origin, the caches of another CID are left alone', async ({ context }) => {
	const gateway = await startGateway(BUILD);
	try {
		const page = await context.newPage();
		await page.goto(gateway.pathUrl);
		const other = gateway.pathUrl.replace(gateway.cid, 'bafybeianothercid');
		const names = [`fireweed-shell ${other} 00000000`, `fireweed-directory ${other}`, 'somebody-else'];
		const older = `fireweed-shell ${gateway.pathUrl} 00000000`;
		await page.evaluate(
			async (all) => {
				for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
				for (const name of all) await (await caches.open(name)).put('./x', new Response('x'));
			},
			[...names, older]
		);
		await page.reload();
		const held = await untilHeld(page);
		expect(held).toEqual(expect.arrayContaining(names));
		expect(held).not.toContain(older);
	} finally {
		await gateway.close();
	}
});

test('a file damaged in the cache is fetched anew, not served', async ({ context }) => {
	const served = await serve({ root: BUILD, port: 0 });
	try {
		const page = await context.newPage();
		await page.goto(served.url);
		await untilHeld(page);
		const answer = await page.evaluate(async () => {
			const name = (await caches.keys()).find((each) => each.startsWith('fireweed-shell')) ?? '';
			const address = new URL('./manifest.webmanifest', location.href).href;
			await (await caches.open(name)).put(address, new Response('poison'));
			return (await fetch(address)).text();
		});
		expect(answer).toContain('Fireweed');
	} finally {
		await served.close();
	}
});

test('the first screen is a few files, and the large ones are compiled while they come', async () => {
	const page = await readFile(path.join(BUILD, 'index.html'), 'utf8');
	const scripts = [...page.matchAll(/href="\.\/(\S+\.js)" rel="modulepreload"/g)].map(([, file = '']) => file);
	expect(scripts.length).toBeGreaterThan(5);
	// Split by use, as it was, there were 26.
	expect(scripts.length).toBeLessThan(17);
	const large = (await Promise.all(scripts.map((file) => readFile(path.join(BUILD, file), 'utf8')))).filter(
		(code) => code.length > 20_000
	);
	expect(large.length).toBeGreaterThan(2);
	for (const code of large) expect(code).toMatch(/^\/\/# allFunctionsCalledOnLoad\n/);
});
