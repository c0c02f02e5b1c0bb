/** Time as a port, so that the same story runs in a tab and under a simulator's virtual clock. */
export interface Clock {
	/** Wall time, Unix milliseconds. May jump; use for stamps only. */
	now(): number;
	/** Milliseconds that never go back; use for durations and deadlines. */
	monotonic(): number;
	/** Resolves after `ms`; rejects with a Refusal `aborted` when the signal fires first. */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
