/** Virtual time: nothing happens but what was scheduled, in the order of its time, so the same seed gives the same run. */
import type { Clock } from '#lib/ports/clock.ts';
import { Refusal } from '#lib/protocol/errors.ts';

interface Timer {
	readonly at: number;
	readonly order: number;
	/** Undefined once it was cancelled: it leaves the heap when its time comes, or when too many such are in it. */
	fire: (() => void) | undefined;
}

export class VirtualClock implements Clock {
	#time = 0;
	#order = 0;
	#cancelled = 0;
	/** A binary heap, the next on top. */
	#timers: Timer[] = [];
	/** Real work that virtual time waits for. */
	readonly #held = new Set<Promise<unknown>>();
	/** Wall time at monotonic 0. */
	readonly epoch = 1_800_000_000_000;

	/** Callbacks that were run. */
	steps = 0;

	now(): number {
		return this.epoch + Math.floor(this.#time);
	}

	monotonic(): number {
		return this.#time;
	}

	/** Callbacks that wait for their time. */
	get waiting(): number {
		return this.#timers.length - this.#cancelled;
	}

	/** Calls back once at monotonic `at` or, when that has passed, next. Returns how to cancel. */
	at(time: number, fire: () => void): () => void {
		const timer: Timer = { at: Math.max(time, this.#time), order: this.#order++, fire };
		this.#push(timer);
		return () => {
			if (timer.fire === undefined) return;
			timer.fire = undefined;
			if (++this.#cancelled > 1024 && this.#cancelled > this.#timers.length / 2) this.#sweep();
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
			const next = this.#next();
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
		const timer = this.#next();
		if (timer === undefined) return false;
		this.#pop();
		this.#time = timer.at;
		const { fire } = timer;
		// What was fired can no longer be cancelled.
		timer.fire = undefined;
		this.steps++;
		fire?.();
		return true;
	}

	/** The next that was not cancelled. */
	#next(): Timer | undefined {
		while (this.#timers[0] !== undefined && this.#timers[0].fire === undefined) {
			this.#pop();
			this.#cancelled--;
		}
		return this.#timers[0];
	}

	#sweep(): void {
		// A sorted list is a heap.
		this.#timers = this.#timers.filter(({ fire }) => fire !== undefined).sort((a, b) => (before(a, b) ? -1 : 1));
		this.#cancelled = 0;
	}

	#push(timer: Timer): void {
		const heap = this.#timers;
		let at = heap.length;
		heap.push(timer);
		while (at > 0) {
			const above = (at - 1) >> 1;
			const parent = heap[above] as Timer;
			if (!before(timer, parent)) break;
			heap[at] = parent;
			at = above;
		}
		heap[at] = timer;
	}

	#pop(): void {
		const heap = this.#timers;
		const last = heap.pop();
		if (last === undefined || heap.length === 0) return;
		let at = 0;
		for (;;) {
			let below = 2 * at + 1;
			if (below >= heap.length) break;
			if (below + 1 < heap.length && before(heap[below + 1] as Timer, heap[below] as Timer)) below++;
			const child = heap[below] as Timer;
			if (!before(child, last)) break;
			heap[at] = child;
			at = below;
		}
		heap[at] = last;
	}
}

function before(a: Timer, b: Timer): boolean {
	return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** All promise callbacks have run when an immediate does: nothing in the story waits for anything but promises and this clock. */
function settled(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

/** What is wrong with one node's sense of time. */
export interface Skew {
	/** Wall time runs ahead by this, ms; negative: behind. */
	readonly aheadMs: number;
	/** Wall and monotonic time run this much too fast, parts per million. */
	readonly driftPpm: number;
}

/**
 * One node's view of the world's time: its wall clock is wrong, and while its tab is frozen no timer of it fires. Timers that came due
 * meanwhile fire when it thaws, in their order, as those of a real tab do.
 */
export class NodeClock implements Clock {
	readonly #world: VirtualClock;
	readonly #rate: number;
	/** May jump in the middle of a run. */
	aheadMs: number;
	#frozen = false;
	readonly #missed: (() => void)[] = [];
	/** Timers of this node that wait. */
	waiting = 0;

	constructor(world: VirtualClock, skew: Skew = { aheadMs: 0, driftPpm: 0 }) {
		this.#world = world;
		this.aheadMs = skew.aheadMs;
		this.#rate = 1 + skew.driftPpm / 1e6;
	}

	get frozen(): boolean {
		return this.#frozen;
	}

	/** How wrong its wall time is just now, ms. */
	get errorMs(): number {
		return this.aheadMs + this.#world.monotonic() * (this.#rate - 1);
	}

	now(): number {
		return Math.floor(this.#world.epoch + this.#world.monotonic() * this.#rate + this.aheadMs);
	}

	monotonic(): number {
		return this.#world.monotonic() * this.#rate;
	}

	/** Runs `work` now, or when the tab thaws. */
	run(work: () => void): void {
		if (this.#frozen) this.#missed.push(work);
		else work();
	}

	sleep(ms: number, signal?: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			if (signal?.aborted === true) return reject(new Refusal('aborted'));
			this.waiting++;
			let over = false;
			const finish = (settle: () => void) => {
				if (over) return;
				over = true;
				this.waiting--;
				signal?.removeEventListener('abort', stop);
				settle();
			};
			const cancel = this.#world.at(this.#world.monotonic() + ms / this.#rate, () => this.run(() => finish(resolve)));
			const stop = () => {
				cancel();
				finish(() => reject(new Refusal('aborted')));
			};
			signal?.addEventListener('abort', stop, { once: true });
		});
	}

	freeze(): void {
		this.#frozen = true;
	}

	thaw(): void {
		this.#frozen = false;
		for (const work of this.#missed.splice(0)) work();
	}
}
