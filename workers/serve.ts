/**
 * The worker's side of an engine, whatever computes: hands calls to a Core and turns every failure into an Outcome. The page's side is
 * src/lib/engine/worker-engine.ts. One worker holds one model; to change it, the page starts another worker.
 */
import * as Comlink from 'comlink';
import { Refusal, type Code } from '#lib/protocol/errors.ts';
import type { EngineReady, GenerateEnd, GenerateRequest, Step, TopLogits, Turn } from '#lib/ports/engine.ts';
import type { EngineWorker, FromWorker, LoadRequest, Outcome, WorkerProgress } from './messages.ts';
import { openReader } from './reader.ts';

/** Between two signs of life while a call is outstanding; the page gives up after many missing ones. */
const ALIVE_EVERY_MS = 1000;

/** Raised by the page in the midst of a call. */
export interface Aborted {
	readonly aborted: boolean;
}

/** One loaded model that passed its self-test. Runs one call at a time. */
export interface Core {
	/** Everything but how long it took. */
	readonly ready: Omit<EngineReady, 'loadMs'>;
	generate(request: GenerateRequest, signal: Aborted): AsyncGenerator<Step, GenerateEnd, void>;
	logits(tokens: readonly number[], signal: Aborted): Promise<readonly TopLogits[]>;
	countTokens(turns: readonly Turn[]): number | Promise<number>;
	close(): Promise<void>;
}

/** Loads what was asked for. Rejects with a Refusal; a RangeError counts as `out-of-memory`, anything else as `engine-load-failed`. */
export type OpenCore<Load extends LoadRequest> = (
	request: Load,
	onProgress: (progress: WorkerProgress) => void
) => Promise<Core>;

const monotonic = () => performance.now();

/** One turn of the event loop. A message, because timers are clamped to 4 ms. */
export function breather(): () => Promise<void> {
	const { port1, port2 } = new MessageChannel();
	const waiting: (() => void)[] = [];
	port2.onmessage = () => waiting.shift()?.();
	return () =>
		new Promise((resolve) => {
			waiting.push(resolve);
			port1.postMessage(null);
		});
}

function post(port: MessagePort, message: FromWorker): void {
	port.postMessage(message);
}

/** Runs work under a heartbeat, and never rejects. `fallback` is the code of errors that bring none. */
async function outcome<T>(port: MessagePort | undefined, fallback: Code, work: () => Promise<T>): Promise<Outcome<T>> {
	const beat = port === undefined ? undefined : setInterval(() => post(port, { kind: 'alive' }), ALIVE_EVERY_MS);
	try {
		return { ok: true, value: await work() };
	} catch (error) {
		// instanceof is right here: nothing has crossed a boundary yet. Other errors are reported by name only: their text may quote a prompt.
		if (error instanceof Refusal) return { ok: false, code: error.code, detail: error.detail };
		const memory = error instanceof RangeError;
		return {
			ok: false,
			code: memory ? 'out-of-memory' : fallback,
			detail: error instanceof Error ? error.name : undefined
		};
	} finally {
		clearInterval(beat);
	}
}

/** Exposes an engine to the page that started this worker. */
export function serve<Load extends LoadRequest>(open: OpenCore<Load>): void {
	Comlink.expose(engineWorker(open));
}

function engineWorker<Load extends LoadRequest>(open: OpenCore<Load>): EngineWorker<Load> {
	let loading: Promise<Core> | undefined;
	const core = () => loading ?? Promise.reject(new Refusal('engine-not-ready'));
	const begin = async (request: Load, port: MessagePort): Promise<Core> => {
		if (request.lifeLock !== undefined) await hold(request.lifeLock);
		return open(request, (progress) => post(port, { kind: 'progress', progress }));
	};

	return {
		load: (request, port) =>
			outcome(port, 'engine-load-failed', async () => {
				const started = monotonic();
				loading ??= begin(request, port);
				const { ready } = await loading;
				return { ...ready, loadMs: monotonic() - started };
			}),
		async generate(request, port) {
			const page = openReader(port);
			const ended = outcome(port, 'engine-failed', async () => {
				const steps = (await core()).generate(request, page);
				for (let made = 1; ; made++) {
					const next = await steps.next();
					if (next.done === true) return next.value;
					// Cloned, not transferred: two columns of 80 bytes are cheaper to copy than to hand over.
					post(port, { kind: 'step', step: next.value });
					await page.keepUp(made);
				}
			});
			// Not awaited: the call answers at once, which tells the page that the worker is there.
			void ended.then((outcome) => {
				post(port, { kind: 'end', outcome });
				port.close();
			});
		},
		logits(tokens, port) {
			const page = openReader(port);
			return outcome(port, 'engine-failed', async () => (await core()).logits(tokens, page));
		},
		countTokens: (turns) => outcome(undefined, 'engine-failed', async () => (await core()).countTokens(turns))
	};
}

/**
 * Takes a lock and keeps it for life: the browser gives it to the waiting page the moment this worker is gone, for whatever reason. A browser
 * that keeps nothing for this site refuses locks as well, to the page too; then death is noticed by silence.
 */
function hold(name: string): Promise<void> {
	return new Promise((resolve) => {
		navigator.locks
			.request(name, () => {
				resolve();
				return new Promise(() => {});
			})
			.catch(() => resolve());
	});
}
