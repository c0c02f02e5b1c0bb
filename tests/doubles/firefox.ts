/** Debian's Firefox, driven over WebDriver BiDi (W3C) with nothing but a WebSocket: Playwright drives only a Firefox of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** How long Firefox may take to come up, ms; it shares two cores. */
const START_PATIENCE_MS = 60_000;

/** Settings of Firefox by name, as `about:config` lists them. */
export type Preferences = Readonly<Record<string, string | number | boolean>>;

/** Nothing may leave this machine: no updates, no reports, no portal probes. */
const PREFERENCES: Preferences = {
	'app.update.enabled': false,
	'browser.shell.checkDefaultBrowser': false,
	'browser.startup.homepage': 'about:blank',
	'browser.safebrowsing.malware.enabled': false,
	'browser.safebrowsing.phishing.enabled': false,
	'captivedetect.canonicalURL': '',
	'network.captive-portal-service.enabled': false,
	'network.connectivity-service.enabled': false,
	'datareporting.policy.dataSubmissionEnabled': false,
	'toolkit.telemetry.enabled': false,
	'extensions.update.enabled': false,
	'extensions.getAddons.cache.enabled': false,
	'services.settings.server': 'data:,#remote-settings-dummy/v1',
	'media.gmp-manager.updateEnabled': false
};

export interface Firefox {
	goto(address: string): Promise<void>;
	/** Evaluates an expression, waits for its promise, and gives its JSON value. */
	evaluate<T>(expression: string): Promise<T>;
	/** What the window shows at this size in CSS pixels, as a PNG. */
	screenshot(viewport: { readonly width: number; readonly height: number }): Promise<Buffer>;
	/** Everything the console said as an error, and uncaught errors. */
	readonly errors: string[];
	close(): Promise<void>;
}

interface Reply {
	readonly id?: number;
	readonly type: string;
	readonly method?: string;
	readonly result?: unknown;
	readonly message?: string;
	readonly params?: { readonly level?: string; readonly text?: string };
}

/** Starts it without a window, with a profile of its own and, if need be, more settings than those of every run. */
export async function startFirefox(program: string, preferences: Preferences = {}): Promise<Firefox> {
	const profile = await mkdtemp(path.join(tmpdir(), 'fireweed-firefox-'));
	const lines = Object.entries({ ...PREFERENCES, ...preferences }).map(
		([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`
	);
	await writeFile(path.join(profile, 'user.js'), lines.join('\n'));
	const child = spawn(program, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { ...process.env, MOZ_HEADLESS: '1', HOME: profile }
	});
	const socket = await connected(await endpointOf(child));
	const errors: string[] = [];
	const waiting = new Map<number, (reply: Reply) => void>();
	socket.addEventListener('message', ({ data }) => {
		const reply = JSON.parse(String(data)) as Reply;
		if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
		else if (reply.method === 'log.entryAdded' && reply.params?.level === 'error') errors.push(reply.params.text ?? '');
	});
	let last = 0;
	const call = <T>(method: string, params: object): Promise<T> =>
		new Promise((resolve, reject) => {
			const id = (last += 1);
			waiting.set(id, (reply) => {
				waiting.delete(id);
				if (reply.type === 'success') resolve(reply.result as T);
				else reject(new Error(`${method}: ${reply.message ?? 'failed'}`));
			});
			socket.send(JSON.stringify({ id, method, params }));
		});
	await call('session.new', { capabilities: {} });
	await call('session.subscribe', { events: ['log.entryAdded'] });
	const tree = await call<{ contexts: { context: string }[] }>('browsingContext.getTree', {});
	const context = tree.contexts[0]?.context ?? '';
	return {
		errors,
		goto: async (url) => {
			await call('browsingContext.navigate', { context, url, wait: 'complete' });
		},
		evaluate: async <T>(expression: string) => {
			const { result, exceptionDetails } = await call<{
				result?: { value?: string };
				exceptionDetails?: { text: string };
			}>('script.evaluate', {
				expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`,
				target: { context },
				awaitPromise: true
			});
			if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
			return JSON.parse(result?.value ?? 'null') as T;
		},
		screenshot: async (viewport) => {
			await call('browsingContext.setViewport', { context, viewport });
			const { data } = await call<{ data: string }>('browsingContext.captureScreenshot', { context });
			return Buffer.from(data, 'base64');
		},
		close: async () => {
			socket.close();
			const gone = new Promise((resolve) => child.once('exit', resolve));
			child.kill('SIGKILL');
			await gone;
			await rm(profile, { recursive: true, force: true, maxRetries: 5 });
		}
	};
}

function endpointOf(child: ChildProcess): Promise<string> {
	return new Promise((resolve, reject) => {
		let said = '';
		const timer = setTimeout(
			() => reject(new Error(`Firefox did not come up: ${said.slice(-500)}`)),
			START_PATIENCE_MS
		);
		child.stderr?.on('data', (piece: Buffer) => {
			said += piece.toString();
			const found = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(said)?.[1];
			if (found === undefined) return;
			clearTimeout(timer);
			resolve(`${found}/session`);
		});
		child.once('exit', () => reject(new Error(`Firefox ended: ${said.slice(-500)}`)));
	});
}

function connected(address: string): Promise<WebSocket> {
	return new Promise((resolve, reject) => {
		const socket = new WebSocket(address);
		socket.addEventListener('open', () => resolve(socket), { once: true });
		socket.addEventListener('error', () => reject(new Error(`no connection to ${address}`)), { once: true });
	});
}
