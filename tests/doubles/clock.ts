/** Virtual time: nothing happens but what was scheduled, in the order of its time, so the same seed gives the same run. */
import type { Clock } from '#lib/ports/clock.ts';
import { Refusal } from '#lib/protocol/errors.ts';

interface Timer {
	readonly at: number;
	readonly order: number;
	readonly fire: () => void;
}

export class VirtualClock implements Clock {
	#time = 0;
	#order = 0;
	readonly #timers: Timer[] = [];
	/** Real work that virtual time waits for. */
	readonly #held = new Set<Promise<unknown>>();
	/** Wall time at monotonic 0. */
	readonly epoch = 1_800_000_000_000;

	now(): number {
		return this.epoch + Math.floor(this.#time);
	}

	monotonic(): number {
		return this.#time;
	}

	/** Calls back once at monotonic `at` or, when that has passed, next. Returns how to cancel. */
	at(time: number, fire: () => void): () => void {
		const timer = { at: Math.max(time, this.#time), order: this.#order++, fire };
		let low = 0;
		let high = this.#timers.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			const other = this.#timers[middle] as Timer;
			if (other.at < timer.at || (other.at === timer.at && other.order < timer.order)) low = middle + 1;
			else high = middle;
		}
		this.#timers.splice(low, 0, timer);
		return () => {
			const index = this.#timers.indexOf(timer);
			if (index >= 0) this.#timers.splice(index, 1);
		};
	}

	sleep(ms: number, signal?: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			if (signal?.aborted === true) return reject(new Refusal('aborted'));
			const cancel = this.at(this.#time + ms, () => {
				signal?.removeEventListener('abort', stop);
				resolve();
			});
			const stop = () => {
				cancel();
				reject(new Refusal('aborted'));
			};
			signal?.addEventListener('abort', stop, { once: true });
		});
	}

	/** No virtual time passes until `work`, which takes real time, is done. */
	async hold<T>(work: Promise<T>): Promise<T> {
		this.#held.add(work);
		try {
			return await work;
		} finally {
			this.#held.delete(work);
		}
	}

	/** Runs until `work` settles and returns its value. Throws when nothing is left to happen before it does. */
	async until<T>(work: Promise<T>): Promise<T> {
		const state = { done: false };
		const watched = work.finally(() => (state.done = true));
		watched.catch(() => undefined);
		for (;;) {
			await this.#settled();
			if (state.done) return watched;
			if (!this.#step()) throw new Error('nothing is left to happen, and the work is not done');
		}
	}

	/** Runs whatever happens in the next `ms`. */
	async pass(ms: number): Promise<void> {
		const end = this.#time + ms;
		for (;;) {
			await this.#settled();
			const next = this.#timers[0];
			if (next === undefined || next.at > end) break;
			this.#step();
		}
		this.#time = end;
	}

	/** Everything that can happen without time passing has happened. */
	async #settled(): Promise<void> {
		await settled();
		while (this.#held.size > 0) {
			await Promise.allSettled(this.#held);
			await settled();
		}
	}

	#step(): boolean {
		const timer = this.#timers.shift();
		if (timer === undefined) return false;
		this.#time = timer.at;
		timer.fire();
		return true;
	}
}

/** All promise callbacks have run when an immediate does: nothing in the story waits for anything but promises and this clock. */
function settled(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
