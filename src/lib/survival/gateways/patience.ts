/** Ends what brings nothing for a while. Slow is not dead: every piece that comes begins the time anew. */
export interface Patience {
	/** Aborts when patience ends, or with the signal handed in. */
	readonly signal: AbortSignal;
	/** Resolves as `work` does, which is a piece that comes; rejects when patience ends first. */
	piece<T>(work: Promise<T>): Promise<T>;
	/** It is over, well or not. */
	end(): void;
}

/** ms: whoever is busy answers within seconds; one that hangs would hold the app for minutes. */
export const PATIENCE_MS = 15_000;

/** Waits `ms` from one piece to the next. */
export function patience(ms: number, outer?: AbortSignal): Patience {
	const controller = new AbortController();
	const giveUp = () => controller.abort(new DOMException('nothing came', 'TimeoutError'));
	const stop = () => controller.abort(outer?.reason);
	let timer = setTimeout(giveUp, ms);
	const ended = new Promise<never>((_, reject) =>
		controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true })
	);
	// Nobody may be waiting when it ends.
	ended.catch(() => undefined);
	if (outer?.aborted) stop();
	outer?.addEventListener('abort', stop, { once: true });
	return {
		signal: controller.signal,
		async piece(work) {
			const came = await Promise.race([work, ended]);
			clearTimeout(timer);
			timer = setTimeout(giveUp, ms);
			return came;
		},
		end() {
			clearTimeout(timer);
			outer?.removeEventListener('abort', stop);
		}
	};
}
