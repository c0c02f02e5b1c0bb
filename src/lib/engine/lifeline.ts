/**
 * A worker that may die at any moment, and calls that settle all the same.
 *
 * `Worker.terminate()`, a crash and a renderer out of memory fire no event at the page, and comlink's promises then wait for ever (as
 * web-llm's do). Three signs are used: error events; a Web Lock that the worker holds while it lives, which the browser hands to us
 * the moment it is gone; and silence, for a worker that hangs and for pages without Web Locks.
 */
import * as Comlink from 'comlink';
import { Refusal } from '#lib/protocol/errors.ts';
import type { EngineWorker, FromWorker, LoadRequest } from '#workers/messages.ts';
import type { Clock } from '#lib/ports/clock.ts';

/** How often silence is looked at. Ticks are counted, not time: a tab that wakes from sleep has missed hours but only one tick. */
const TICK_MS = 1000;

export interface LifelineComponents {
	startWorker(): Worker;
	readonly clock: Clock;
	/** Undefined on insecure pages and old browsers; death is then noticed by silence alone. */
	readonly locks: Pick<LockManager, 'request'> | undefined;
}

export interface LifelineInit {
	/** Ticks without a sign of life, while a call is outstanding, after which the worker is given up. */
	readonly silentTicks: number;
	/** Told once, when the worker is found dead; not on `end`. */
	readonly onDeath: (refusal: Refusal) => void;
}

export interface Lifeline<Load extends LoadRequest> {
	readonly worker: EngineWorker<Load>;
	/** Name of the lock that the worker should take before anything else; undefined without Web Locks. */
	readonly lockName: string | undefined;
	/** Call when the worker holds the lock; again does nothing. */
	watchLock(): void;
	/** A port for one call; every message on it is a sign of life. */
	openPort(onMessage: (message: FromWorker) => void): { readonly mine: MessagePort; readonly theirs: MessagePort };
	/** Settles as `call` does, or rejects with a Refusal as soon as the worker is dead or ended. Watches for silence meanwhile. */
	guard<T>(call: Promise<T>): Promise<T>;
	/** Stops the worker; what is outstanding rejects with `refusal`. */
	end(refusal: Refusal): void;
}

export function startLifeline<Load extends LoadRequest>(
	{ startWorker, clock, locks }: LifelineComponents,
	init: LifelineInit
): Lifeline<Load> {
	const worker = startWorker();
	const ended = new AbortController();
	const outstanding = new Set<(refusal: Refusal) => void>();
	const lockName = locks === undefined ? undefined : `fireweed-engine-${crypto.randomUUID()}`;
	let silent = 0;
	let watching = false;
	let lockWatched = false;

	function end(refusal: Refusal): void {
		if (ended.signal.aborted) return;
		ended.abort();
		worker.terminate();
		for (const reject of outstanding) reject(refusal);
		outstanding.clear();
	}
	function die(why: string): void {
		if (ended.signal.aborted) return;
		const refusal = new Refusal('engine-failed', why);
		end(refusal);
		init.onDeath(refusal);
	}
	async function watchSilence(): Promise<void> {
		if (watching) return;
		watching = true;
		try {
			while (outstanding.size > 0) {
				await clock.sleep(TICK_MS, ended.signal);
				if (outstanding.size > 0 && ++silent >= init.silentTicks) die('the worker gave no sign of life');
			}
		} catch {
			// The sleep was ended with the worker.
		} finally {
			watching = false;
		}
	}
	// No detail from the events: a script error may quote what the worker was working on.
	worker.addEventListener('error', () => die('the worker broke'));
	worker.addEventListener('messageerror', () => die('a message could not be read'));

	return {
		// Every method returns a promise already, so the plain type is the true one; comlink's own spreads unions.
		worker: Comlink.wrap<EngineWorker<Load>>(worker) as unknown as EngineWorker<Load>,
		lockName,
		watchLock() {
			if (locks === undefined || lockName === undefined || lockWatched) return;
			lockWatched = true;
			// Rejects when `ended` withdraws the request; that is the ordinary way out.
			locks.request(lockName, { signal: ended.signal }, () => die('the worker is gone')).catch(() => {});
		},
		openPort(onMessage) {
			const { port1, port2 } = new MessageChannel();
			port1.onmessage = ({ data }: MessageEvent<FromWorker>) => {
				silent = 0;
				onMessage(data);
			};
			return { mine: port1, theirs: port2 };
		},
		guard(call) {
			return new Promise((resolve, reject) => {
				if (ended.signal.aborted) return reject(new Refusal('engine-not-ready'));
				if (outstanding.size === 0) silent = 0;
				outstanding.add(reject);
				void watchSilence();
				// comlink rejects when a message cannot be cloned or the worker's own code threw; neither brings a code.
				const broken = () => reject(new Refusal('engine-failed', 'the call did not come through'));
				void call.then(resolve, broken).finally(() => outstanding.delete(reject));
			});
		},
		end
	};
}
