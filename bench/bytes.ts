/**
 * What a fresh profile fetches until the built-in model has answered: counted at a door in front of the real server, where every request
 * passes, those of workers and of the service worker too. (A page's own view, CDP or Performance, misses some of those.)
 */
import { createServer, request as ask, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright';

/** One visit. `settled` counts until nothing was fetched any more: with a service worker, until the app is kept for a day without a server. */
export interface Visit {
	readonly compressed: boolean;
	readonly serviceWorker: boolean;
	/** From the start of navigation to the first word of the answer on the screen; the prompt is sent as soon as it can be typed. */
	readonly firstWordMs: number;
	readonly firstWord: Fetched;
	readonly settled: Fetched;
}

export interface Fetched {
	readonly requests: number;
	/** Bodies, as they were sent. */
	readonly bodyBytes: number;
	/** Everything the server wrote, heads included. */
	readonly wireBytes: number;
	/** Biggest first; one that was sent twice has both in its bytes, one asked for again and unchanged (304) only its times. */
	readonly files: readonly { readonly path: string; readonly bytes: number; readonly times: number }[];
}

/** Nothing asked for this long: whatever went on in the background is done. */
const QUIET_MS = 3_000;

export async function visit(
	browser: Browser,
	app: string,
	{ compressed, serviceWorker }: Pick<Visit, 'compressed' | 'serviceWorker'>
): Promise<Visit> {
	const door = await openDoor(new URL(app), compressed);
	const context = await browser.newContext({ serviceWorkers: serviceWorker ? 'allow' : 'block' });
	try {
		const page = await context.newPage();
		await page.goto(door.url);
		await page.getByRole('radio', { name: 'This device' }).check();
		await page.getByRole('textbox', { name: 'Message' }).fill('What is Fireweed?');
		await page.getByRole('button', { name: 'Send' }).click();
		const spoken = await page.waitForFunction(
			() => {
				const words = document.querySelector('[role=log] article[aria-label=Answer] .words');
				return (words?.textContent ?? '').trim() === '' ? undefined : performance.now();
			},
			undefined,
			{ polling: 'raf', timeout: 60_000 }
		);
		const firstWord = door.fetched();
		const firstWordMs = Number(await spoken.jsonValue());
		await door.quiet();
		return { compressed, serviceWorker, firstWordMs, firstWord, settled: door.fetched() };
	} finally {
		await context.close();
		await door.close();
	}
}

interface Door {
	readonly url: string;
	fetched(): Fetched;
	quiet(): Promise<void>;
	close(): Promise<void>;
}

/** Passes everything on to `server`; without `compressed` it hides that the browser takes compressed answers. */
async function openDoor(server: URL, compressed: boolean): Promise<Door> {
	const files = new Map<string, { bytes: number; times: number }>();
	let headBytes = 0;
	let under = 0;
	let last = performance.now();
	const door = createServer((request, response) => {
		const headers: IncomingHttpHeaders = { ...request.headers, host: server.host };
		if (!compressed) headers['accept-encoding'] = 'identity';
		const file = files.get(request.url ?? '') ?? { bytes: 0, times: 0 };
		files.set(request.url ?? '', file);
		file.times += 1;
		under += 1;
		response.once('close', () => {
			under -= 1;
			last = performance.now();
		});
		const onward = ask(new URL(request.url ?? '/', server), { method: request.method, headers }, (answer) => {
			response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
			// Status line, fields with their separators, blank line.
			headBytes += answer.rawHeaders.reduce((sum, each) => sum + each.length + 2, 19);
			answer.on('data', (piece: Buffer) => (file.bytes += piece.length));
			answer.pipe(response);
		});
		onward.once('error', () => response.destroy());
		request.pipe(onward);
	});
	await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${(door.address() as AddressInfo).port}/`,
		fetched: () => {
			const list = [...files].map(([path, { bytes, times }]) => ({ path, bytes, times }));
			const bodyBytes = list.reduce((sum, { bytes }) => sum + bytes, 0);
			return {
				requests: list.reduce((sum, { times }) => sum + times, 0),
				bodyBytes,
				wireBytes: bodyBytes + headBytes,
				files: list.sort((a, b) => b.bytes - a.bytes)
			};
		},
		quiet: async () => {
			while (under > 0 || performance.now() - last < QUIET_MS) {
				await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 10));
			}
		},
		close: () =>
			new Promise((resolve) => {
				door.close(() => resolve());
				door.closeAllConnections();
			})
	};
}
