/**
 * What `npm start` runs once everything is installed: build when stale, a relay, the app on loopback, one line when both are up.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { ROOT } from './bootstrap.mjs';
import { BuildFailed, buildWhenStale } from './build.mjs';
import { RelayFailed, startRelay } from './relay-process.ts';
import { serve } from './serve.ts';

const APP_PORT = 8420;
const RELAY_PORT = 8421;

/** How many ports after the usual one are tried when it is taken and none was named. */
const PORTS_TRIED = 20;

const USAGE = 'Usage: npm start -- [--port P] [--relay-port R] [--no-open]';

/** What was asked cannot be done; the message says why. */
class Refused extends Error {}

interface Options {
	readonly port: number | undefined;
	readonly relayPort: number | undefined;
	readonly open: boolean;
}

/** Reads the command line and FIREWEED_RELAY_PORT; throws Refused with the usage on anything unknown. */
function options(argv: string[], env: NodeJS.ProcessEnv): Options {
	try {
		const { values } = parseArgs({
			args: argv,
			options: {
				port: { type: 'string' },
				'relay-port': { type: 'string' },
				open: { type: 'boolean', default: true }
			},
			allowNegative: true
		});
		return {
			port: portNumber('--port', values.port),
			relayPort: portNumber('--relay-port', values['relay-port'] ?? env['FIREWEED_RELAY_PORT']),
			open: values.open
		};
	} catch (error) {
		throw new Refused(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
	}
}

function portNumber(name: string, text: string | undefined): number | undefined {
	if (text === undefined || text === '') return undefined;
	const port = Number(text);
	if (!/^\d+$/.test(text) || port > 65_535)
		throw new Refused(`${name} must be a number from 0 to 65535, not "${text}".`);
	return port;
}

/** The named port, or the first free one from the usual one on. Throws Refused when it is taken. */
async function freePort(
	named: number | undefined,
	usual: number,
	option: string,
	taken: readonly number[]
): Promise<number> {
	if (named !== undefined) {
		if (taken.includes(named) || !(await isFree(named))) {
			throw new Refused(`Port ${named} is in use. End what uses it, or name another with ${option}.`);
		}
		return named;
	}
	for (let port = usual; port < usual + PORTS_TRIED; port += 1) {
		if (!taken.includes(port) && (await isFree(port))) return port;
	}
	throw new Refused(`Ports ${usual} to ${usual + PORTS_TRIED - 1} are all in use. Name a free one with ${option}.`);
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = createServer();
		probe.once('error', () => resolve(false));
		probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
	});
}

/** Shows the app in the person's browser, when there is one; a machine without a screen is no error. */
function open(url: string): void {
	const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
	spawn(opener, [url], { stdio: 'ignore', detached: true })
		.on('error', () => {})
		.unref();
}

async function up(argv: string[]): Promise<void> {
	/** What runs, to be ended in any case. */
	const running: { end(): Promise<void> }[] = [];
	const ending = new AbortController();
	const stop = async () => {
		if (ending.signal.aborted) return;
		ending.abort();
		await Promise.all(running.map((each) => each.end()));
		process.exit(process.exitCode ?? 0);
	};
	for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.on(event, () => void stop());

	try {
		const asked = options(argv, process.env);
		const relayPort = await freePort(asked.relayPort, RELAY_PORT, '--relay-port', asked.port ? [asked.port] : []);
		const port = await freePort(asked.port, APP_PORT, '--port', [relayPort]);
		await buildWhenStale();
		const relay = await startRelay({
			port: relayPort,
			key: process.env['FIREWEED_RELAY_KEY'] ?? path.join(ROOT, '.fireweed/relay.key'),
			keepAlive: true,
			log: (line) => {
				// Its minute-by-minute counts are for whoever runs a relay, not for whoever wants to chat.
				if (!line.includes('"event":"counts"')) console.error(`relay: ${line}`);
			},
			signal: ending.signal
		});
		running.push({ end: () => relay.stop() });
		const app = await serve({
			root: path.join(ROOT, 'build'),
			port,
			cache: path.join(ROOT, '.fireweed/compressed'),
			relays: () => relay.addresses()
		});
		running.push({ end: () => app.close() });
		if (ending.signal.aborted) return;
		console.log(`Fireweed is ready at ${app.url}`);
		if (asked.open) open(app.url);
	} catch (error) {
		if (ending.signal.aborted) return;
		const known = error instanceof Refused || error instanceof BuildFailed || error instanceof RelayFailed;
		console.error(known ? error.message : error);
		process.exitCode = 1;
		await stop();
	}
}

await up(process.argv.slice(2));
