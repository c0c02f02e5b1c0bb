/** How fast a load goes and how long it will take, from the bytes it reports. */
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { WorkerProgress } from '#workers/messages.ts';

/** Speed is that of the last seconds: long enough not to flicker, short enough to show that a connection became slow. */
const WINDOW_MS = 5_000;
/** Before this much time a speed is chance. */
const LEAST_MS = 500;

/** Adds speed and time left to reports that come in order. `monotonic` in milliseconds. */
export function paced(monotonic: () => number): (progress: WorkerProgress) => LoadProgress {
	let seen: { readonly at: number; readonly bytes: number }[] = [];
	return (progress) => {
		const { stage, loadedBytes, totalBytes } = progress;
		if (stage !== 'fetching') return { ...progress, bytesPerSecond: undefined, secondsLeft: undefined };
		const at = monotonic();
		// Fewer bytes than before: it began anew.
		if ((seen.at(-1)?.bytes ?? 0) > loadedBytes) seen = [];
		const firstWithin = seen.findIndex((each) => at - each.at <= WINDOW_MS);
		seen = [...(firstWithin === -1 ? seen.slice(-1) : seen.slice(firstWithin)), { at, bytes: loadedBytes }];
		const [first] = seen;
		const ms = at - (first?.at ?? at);
		const bytesPerSecond = ms < LEAST_MS ? undefined : (1000 * (loadedBytes - (first?.bytes ?? 0))) / ms;
		const known = bytesPerSecond !== undefined && bytesPerSecond > 0 && totalBytes !== undefined;
		const secondsLeft = known ? Math.max(0, totalBytes - loadedBytes) / bytesPerSecond : undefined;
		return { ...progress, bytesPerSecond, secondsLeft };
	};
}
