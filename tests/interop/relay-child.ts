/** A relay as the process it is: started, read, killed and started again by tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Metrics } from '../../relay/metrics.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface RelayChild {
	readonly addresses: readonly string[];
	readonly port: number;
	health(): Promise<Metrics>;
	/** SIGKILL: no goodbye to anyone. Resolves when the process is gone. */
	kill(): Promise<void>;
	/** SIGTERM, as an operator would. Resolves with its exit status. */
	stop(): Promise<number | null>;
}

/** Starts a relay with the given variables beside the tests' own; rejects with what it said when it refuses. */
export async function startRelayChild(environment: Readonly<Record<string, string>>): Promise<RelayChild> {
	const child: ChildProcess = spawn(process.execPath, ['relay/main.ts'], {
		cwd: ROOT,
		env: { ...process.env, FIREWEED_RELAY_HEALTH_PORT: '0', ...environment },
		stdio: ['ignore', 'pipe', 'inherit']
	});
	const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
	if (child.stdout === null) throw new Error('no output to read');
	const lines = createInterface({ input: child.stdout });
	const first = await new Promise<string>((resolve, reject) => {
		lines.once('line', resolve);
		void gone.then((status) => {
			reject(new Error(`the relay ended with status ${String(status)}`));
		});
	});
	const said = JSON.parse(first) as { event: string; addresses?: string[]; health?: string };
	if (said.event !== 'listening' || said.addresses === undefined || said.health === undefined) throw new Error(first);
	const { addresses, health } = said;
	return {
		addresses,
		port: Number(/\/tcp\/(\d+)\//.exec(addresses[0] ?? '')?.[1]),
		health: async () => (await (await fetch(health)).json()) as Metrics,
		async kill() {
			child.kill('SIGKILL');
			await gone;
		},
		async stop() {
			child.kill('SIGTERM');
			return gone;
		}
	};
}
