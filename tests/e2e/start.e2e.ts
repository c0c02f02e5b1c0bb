/** `npm start` as a person runs it: one line when both are up, a relay that comes back, nothing left behind. */
import { expect, test } from 'playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { readDirectory } from '#lib/doors/directory.ts';
import { readCoSigned } from '#lib/protocol/co-signed.ts';
import { decodeSignedDirectory, directory } from '#lib/protocol/directory.ts';

interface Started {
	readonly process: ChildProcess;
	/** Lines on stdout so far. */
	readonly out: string[];
	readonly err: string[];
	readonly ended: Promise<number | null>;
}

function start(...args: string[]): Started {
	const child = spawn('node', ['scripts/start.mjs', '--no-open', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
	const out: string[] = [];
	const err: string[] = [];
	createInterface({ input: child.stdout }).on('line', (line) => out.push(line));
	createInterface({ input: child.stderr }).on('line', (line) => err.push(line));
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	return { process: child, out, err, ended };
}

async function freePorts(): Promise<[number, number]> {
	const servers = [createServer(), createServer()] as const;
	const ports: number[] = [];
	for (const server of servers) {
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		ports.push((server.address() as { port: number }).port);
	}
	for (const server of servers) await new Promise((resolve) => server.close(resolve));
	return [ports[0] ?? 0, ports[1] ?? 0];
}

async function relays(port: number): Promise<string[]> {
	const text = await (await fetch(`http://127.0.0.1:${port}/directory.json`)).text();
	// No relay is up yet: then no list is served at all.
	if (!text.startsWith('{')) return [];
	return [...readCoSigned(directory, decodeSignedDirectory(readDirectory(text)).document).body.relays];
}

function areUp(ports: number[]): Promise<boolean[]> {
	const isUp = (port: number) =>
		fetch(`http://127.0.0.1:${port}/`).then(
			() => true,
			() => false
		);
	return Promise.all(ports.map(isUp));
}

/** Pid of the relay below `pid`, found in /proc: what a person would kill. */
async function relayPid(pid: number): Promise<number> {
	const { readFileSync, readdirSync } = await import('node:fs');
	const children = (parent: number) =>
		readdirSync('/proc')
			.filter((name) => /^\d+$/.test(name))
			.map(Number)
			.filter((each) => {
				try {
					return (
						readFileSync(`/proc/${each}/stat`, 'utf8')
							.replace(/^.*\) /s, '')
							.split(' ')[1] === String(parent)
					);
				} catch {
					return false;
				}
			});
	const all = [...children(pid)];
	for (const each of all) all.push(...children(each));
	const found = all.find((each) => readFileSync(`/proc/${each}/cmdline`, 'utf8').includes('relay/main.ts'));
	if (!found) throw new Error('no relay is running');
	return found;
}

test('comes up with one line, brings a killed relay back at the same address, and leaves nothing running', async () => {
	const [port, relayPort] = await freePorts();
	const started = start('--port', String(port), '--relay-port', String(relayPort));
	try {
		await expect
			.poll(() => started.out, { timeout: 40_000 })
			.toEqual([`Fireweed is ready at http://127.0.0.1:${port}/`]);
		expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
		const before = await relays(port);
		expect(before.join()).toContain(`/tcp/${relayPort}/ws/p2p/`);

		process.kill(await relayPid(started.process.pid ?? 0), 'SIGKILL');
		await expect.poll(() => relays(port)).not.toEqual(before);
		await expect.poll(() => relays(port), { timeout: 20_000 }).toEqual(before);
	} finally {
		started.process.kill('SIGINT');
	}
	expect(await started.ended).toBe(0);
	for (const each of [port, relayPort]) await expect(fetch(`http://127.0.0.1:${each}/`)).rejects.toThrow();
	expect(started.out).toHaveLength(1);
});

test('killed without a chance to tidy up, it takes its relay with it', async () => {
	const [port, relayPort] = await freePorts();
	const started = start('--port', String(port), '--relay-port', String(relayPort));
	await expect.poll(() => started.out.length, { timeout: 40_000 }).toBe(1);
	started.process.kill('SIGKILL');
	await expect.poll(() => areUp([port, relayPort]), { timeout: 10_000 }).toEqual([false, false]);
});

test('ended by whoever ends npm, which passes no signal on', async () => {
	const [port, relayPort] = await freePorts();
	const npm = spawn('npm', ['start', '--', '--no-open', '--port', String(port), '--relay-port', String(relayPort)], {
		stdio: ['ignore', 'pipe', 'ignore']
	});
	const out: string[] = [];
	createInterface({ input: npm.stdout }).on('line', (line) => out.push(line));
	await expect.poll(() => out.at(-1), { timeout: 40_000 }).toBe(`Fireweed is ready at http://127.0.0.1:${port}/`);
	npm.kill('SIGTERM');
	await expect.poll(() => areUp([port, relayPort]), { timeout: 10_000 }).toEqual([false, false]);
});

test('a named port that is taken is said; words it does not know are refused', async () => {
	const taken = createServer();
	await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
	try {
		const { port } = taken.address() as { port: number };
		const busy = start('--port', String(port));
		expect(await busy.ended).toBe(1);
		expect(busy.err.join('\n')).toContain(`Port ${port} is in use`);
		for (const words of [['--port', 'x'], ['--port', '70000'], ['--what'], ['extra']]) {
			const refused = start(...words);
			expect([await refused.ended, refused.out]).toEqual([1, []]);
			expect(refused.err.join('\n')).toContain('Usage: npm start');
		}
	} finally {
		await new Promise((resolve) => taken.close(resolve));
	}
});
