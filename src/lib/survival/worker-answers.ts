/** One question to the service worker, and its answer. */

/** A worker has to start, read its caches and check signatures first; a phone takes seconds. Fetching the rest of a release has no limit. */
const ANSWER_WITHIN_MS = 60_000;
const UNLIMITED = new Set(['complete', 'check']);

/** The worker's answer, whatever it is; undefined when none comes in time or the caller has ended. */
export function askWorker(
	worker: ServiceWorker,
	question: string,
	more: object,
	signal: AbortSignal
): Promise<unknown> {
	return new Promise((resolve) => {
		const { port1, port2 } = new MessageChannel();
		const timer = UNLIMITED.has(question) ? undefined : setTimeout(() => end(undefined), ANSWER_WITHIN_MS);
		const stop = () => end(undefined);
		function end(answer: unknown): void {
			clearTimeout(timer);
			signal.removeEventListener('abort', stop);
			port1.close();
			resolve(answer);
		}
		port1.onmessage = ({ data }: MessageEvent<unknown>) => end(data);
		signal.addEventListener('abort', stop, { once: true });
		worker.postMessage({ ...more, fireweed: question }, [port2]);
	});
}
