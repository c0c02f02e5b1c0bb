/** Runs files of tests in a resident process (resident.ts), and replaces that process when a mutant never ends. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import type { Outcome } from './checks.ts';
import type { Order, Result } from './resident.ts';

/** One at a time. */
export class Watcher {
	readonly #root: string;
	#child: ChildProcess | undefined;

	/** `root` is the instrumented tree. */
	constructor(root: string) {
		this.#root = root;
	}

	/**
	 * Runs the tests of an order's file with its mutant awake. One that runs longer than `limitMs`, and when tried again longer than twice that, counts
	 * as noticed: once alone may be the machine.
	 */
	async perform(order: Order, limitMs: number): Promise<Outcome> {
		const once = await this.#attempt(order, limitMs);
		return once.timedOut ? this.#attempt(order, 2 * limitMs) : once;
	}

	async #attempt(order: Order, limitMs: number): Promise<Outcome> {
		const child = await this.#ready();
		const begun = performance.now();
		const stop = new AbortController();
		const timer = setTimeout(() => stop.abort(), limitMs);
		try {
			child.send(order);
			const [{ failed, why }] = (await once(child, 'message', { signal: stop.signal })) as [Result];
			return { noticed: failed, timedOut: false, ms: performance.now() - begun, output: why };
		} catch (error) {
			if (!stop.signal.aborted) throw error;
			this.close();
			return { noticed: true, timedOut: true, ms: performance.now() - begun, output: 'never ended' };
		} finally {
			clearTimeout(timer);
		}
	}

	/** Ends the process. */
	close(): void {
		// The whole group: a test runner's workers spin on when their parent goes.
		if (this.#child?.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
		this.#child = undefined;
	}

	async #ready(): Promise<ChildProcess> {
		if (this.#child !== undefined) return this.#child;
		const child = fork('tests/mutation/resident.ts', [], {
			cwd: this.#root,
			detached: true,
			stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
			env: { ...process.env, NODE_OPTIONS: '' }
		});
		const stop = new AbortController();
		const gone = once(child, 'exit', { signal: stop.signal }).then(() => {
			throw new Error('the process that runs the tests ended before it was ready');
		});
		await Promise.race([once(child, 'message', { signal: stop.signal }), gone]).finally(() => stop.abort());
		this.#child = child;
		return child;
	}
}
