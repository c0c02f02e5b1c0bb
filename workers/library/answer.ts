/** One call of the page: runs it under a heartbeat, lets the page stop it, and never rejects. */
import { codeOf, Refusal } from '#lib/protocol/errors.ts';
import type { FromWorker, Outcome, ToWorker, WorkerProgress } from '../messages.ts';

/** Between two signs of life; the page gives up after twenty missing ones. */
const ALIVE_EVERY_MS = 1000;

export async function answer<T>(
	port: MessagePort,
	work: (signal: AbortSignal, report: (progress: WorkerProgress) => void) => Promise<T>
): Promise<Outcome<T>> {
	const post = (message: FromWorker) => port.postMessage(message);
	const stop = new AbortController();
	port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
		if (data.kind === 'abort') stop.abort();
	};
	const beat = setInterval(() => post({ kind: 'alive' }), ALIVE_EVERY_MS);
	try {
		return { ok: true, value: await work(stop.signal, (progress) => post({ kind: 'progress', progress })) };
	} catch (error) {
		if (stop.signal.aborted) return { ok: false, code: 'aborted', detail: undefined };
		const code = codeOf(error);
		const name = error instanceof Error ? error.name : undefined;
		const detail = error instanceof Refusal ? error.detail : name;
		return { ok: false, code: code === 'internal' ? 'engine-load-failed' : code, detail };
	} finally {
		clearInterval(beat);
		port.onmessage = null;
	}
}
