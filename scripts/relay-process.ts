/**
 * The relay as a child process that is kept alive: started, read for its addresses, started again when it dies.
 *
 * It is a process of its own because it may be killed, and the app must go on (and a test kills it to see that).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../relay/main.ts', import.meta.url));

/** libp2p and its keys load in about a second; ten times that on a busy machine is still a start. */
const LISTENING_WITHIN_MS = 20_000;

/** Pauses before the relay is started again: quickly once, slowly when it keeps dying. */
const RESTART_PAUSES_MS = [250, 1000, 5000, 15_000];

/** A relay that stayed up this long had a good start; its next death counts as the first again. */
const STEADY_AFTER_MS = 30_000;

/** After a polite signal, how long until the relay is ended. */
const STOP_WITHIN_MS = 3000;

/** The relay did not come up. The message carries what it said. */
export class RelayFailed extends Error {
	readonly code = 'relay-failed';
}

/** How to run it. */
export interface RelayProcessInit {
	readonly port: number;
	/** File of its key; the same key means the same address after a restart. */
	readonly key: string;
	/** Whether it is started again when it dies. */
	readonly keepAlive: boolean;
	readonly env?: NodeJS.ProcessEnv;
	/** One line it wrote, without the line end. */
	readonly log: (line: string) => void;
	/** Ends it too, also while it is starting. */
	readonly signal?: AbortSignal;
}

/** A relay process. */
export interface RelayProcess {
	/** Where it can be reached now; empty while it is down. */
	addresses(): readonly string[];
	readonly pid: number | undefined;
	/** Ends it and does not start it again. */
	stop(): Promise<void>;
}

/** Starts the relay; resolves once it listens, rejects with RelayFailed when it does not. */
export async function startRelay(init: RelayProcessInit): Promise<RelayProcess> {
	if (!existsSync(MAIN)) throw new RelayFailed('This checkout has no relay (relay/main.ts is missing).');
	let child: ChildProcess | undefined;
	let addresses: readonly string[] = [];
	let stopping = false;
	let deaths = 0;
	let pause: NodeJS.Timeout | undefined;

	async function run(): Promise<void> {
		const started = Date.now();
		const running = spawn(process.execPath, [MAIN], {
			cwd: path.dirname(path.dirname(MAIN)),
			env: {
				// Its usual health port is the one after its own, which may be the app's.
				FIREWEED_RELAY_HEALTH_PORT: '0',
				...process.env,
				...init.env,
				FIREWEED_RELAY_PORT: String(init.port),
				FIREWEED_RELAY_KEY: path.resolve(init.key)
			},
			stdio: ['ignore', 'pipe', 'pipe']
		});
		child = running;
		running.on('close', () => {
			addresses = [];
			if (stopping || !init.keepAlive || deaths < 0) return;
			if (Date.now() - started > STEADY_AFTER_MS) deaths = 0;
			const wait = RESTART_PAUSES_MS[Math.min(deaths, RESTART_PAUSES_MS.length - 1)];
			deaths += 1;
			init.log(`the relay ended; it is started again in ${wait} ms`);
			pause = setTimeout(() => void run().catch((error: unknown) => init.log(String(error))), wait);
		});
		addresses = await listening(running, init.log);
	}

	// A relay that does not come up the first time will not the second: no restarts until it has.
	const stop = async () => {
		stopping = true;
		clearTimeout(pause);
		if (child) await end(child);
	};
	init.signal?.addEventListener('abort', () => void stop(), { once: true });

	deaths = -1;
	await run();
	deaths = 0;

	return {
		addresses: () => addresses,
		get pid() {
			return child?.pid;
		},
		stop
	};
}

/** Reads the relay's lines until it says where it listens; passes on all others. */
function listening(child: ChildProcess, log: (line: string) => void): Promise<readonly string[]> {
	return new Promise((resolve, reject) => {
		const said: string[] = [];
		const fail = (why: string) =>
			reject(new RelayFailed([`The relay did not start: ${why}.`, ...said.slice(-20)].join('\n')));
		const late = setTimeout(() => {
			fail(`it said nothing for ${LISTENING_WITHIN_MS / 1000} s`);
			child.kill('SIGKILL');
		}, LISTENING_WITHIN_MS);
		child.on('error', (error) => fail(error.message));
		child.on('close', (code, signal) => {
			clearTimeout(late);
			fail(`it ended with ${signal ?? `status ${code}`}`);
		});
		for (const stream of [child.stdout, child.stderr]) {
			if (!stream) continue;
			createInterface({ input: stream }).on('line', (line) => {
				const found = stream === child.stdout ? listeningAddresses(line) : undefined;
				if (found) {
					clearTimeout(late);
					resolve(found);
				} else {
					said.push(line);
					log(line);
				}
			});
		}
	});
}

/** The addresses in the relay's one line about them, or undefined when it is another line. */
export function listeningAddresses(line: string): readonly string[] | undefined {
	try {
		const { event, addresses } = JSON.parse(line) as { event?: unknown; addresses?: unknown };
		const isList = Array.isArray(addresses) && addresses.every((each) => typeof each === 'string');
		return event === 'listening' && isList ? (addresses as string[]) : undefined;
	} catch {
		return undefined;
	}
}

function end(child: ChildProcess): Promise<void> {
	return new Promise((resolve) => {
		if (child.exitCode !== null || child.signalCode !== null) return void resolve();
		const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
		child.once('close', () => {
			clearTimeout(force);
			resolve();
		});
		child.kill('SIGTERM');
	});
}
