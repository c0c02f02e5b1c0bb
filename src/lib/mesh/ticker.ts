/**
 * What drives heartbeats, reconnects and neighbour dials: one tick every TICK_MS.
 *
 * In a tab it comes from a worker, because a hidden tab's own timers slow down to one a second and its peers would take it for gone;
 * worker timers keep their pace (measured, docs/spec/mesh.md).
 */

/** Milliseconds between ticks. Also how much later than it could be a silence is seen. */
export const TICK_MS = 125;

export interface Ticker {
	/** Calls `onTick` about every TICK_MS until stop. Starting twice keeps the newest listener only. */
	start(onTick: () => void): void;
	stop(): void;
}

/** The part of a dedicated Worker a ticker needs; workers/heartbeat.ts is the other end. */
export interface TickingWorker {
	onmessage: ((event: MessageEvent) => unknown) | null;
	postMessage(message: number): void;
	terminate(): void;
}

/** A ticker driven by workers/heartbeat.ts. `make` is called on start, so that nothing runs before. */
export function workerTicker(make: () => TickingWorker): Ticker {
	let worker: TickingWorker | undefined;
	return {
		start(onTick) {
			worker?.terminate();
			worker = make();
			worker.onmessage = () => {
				onTick();
			};
			worker.postMessage(TICK_MS);
		},
		stop() {
			worker?.terminate();
			worker = undefined;
		}
	};
}

/** A ticker on the caller's own timers: right in Node, and in a page only where a worker cannot be had. */
export function timerTicker(): Ticker {
	let timer: ReturnType<typeof setInterval> | undefined;
	return {
		start(onTick) {
			clearInterval(timer);
			timer = setInterval(onTick, TICK_MS);
		},
		stop() {
			clearInterval(timer);
			timer = undefined;
		}
	};
}
