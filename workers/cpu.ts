/**
 * The CPU engine's worker: hands calls to workers/cpu/core and turns every failure into an Outcome. The page's side is
 * src/lib/engine/cpu.ts. One worker holds one model; to change it, the page starts another worker.
 */
import * as Comlink from 'comlink';
// Named here and not by the page: the library names this file too, and one build puts it out once. Two builds would each ship 14 MB.
import runtime from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { CODES, Refusal, type Code } from '#lib/protocol/errors.ts';
import { openCore, type CpuCore } from './cpu/core.ts';
import { download } from './cpu/download.ts';
import { openReader } from './cpu/reader.ts';
import type { CpuWorker, FromWorker, LoadRequest, Outcome } from './messages.ts';

/** Between two signs of life while a call is outstanding; the page gives up after many missing ones. */
const ALIVE_EVERY_MS = 1000;

const monotonic = () => performance.now();

/** One turn of the event loop. A message, because timers are clamped to 4 ms. */
function breather(): () => Promise<void> {
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
		if (error instanceof Refusal) return { ok: false, code: error.code, detail: detailOf(error) };
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

/** What the Refusal was made with; its message is the text of the code with this in brackets. */
function detailOf(error: Refusal): string | undefined {
	return error.message.slice(CODES[error.code].length + 2, -1) || undefined;
}

function makeWorker(): CpuWorker {
	const breathe = breather();
	let loading: Promise<CpuCore> | undefined;
	const core = () => loading ?? Promise.reject(new Refusal('engine-not-ready'));

	async function open({ model, addresses, lifeLock }: LoadRequest, port: MessagePort): Promise<CpuCore> {
		if (lifeLock !== undefined) await hold(lifeLock);
		const onProgress = (progress: Extract<FromWorker, { kind: 'progress' }>['progress']) =>
			post(port, { kind: 'progress', progress });
		const totalBytes = Object.values(model.files).reduce((sum, file) => sum + file.bytes, 0);
		const attempt = async (cache: RequestCache) => {
			const bytes = await download(model, { ...addresses, runtime }, cache, onProgress);
			onProgress({ stage: 'preparing', loadedBytes: totalBytes, totalBytes });
			const onChecking = () => onProgress({ stage: 'checking', loadedBytes: totalBytes, totalBytes });
			return openCore(bytes, model, { monotonic, breathe, onChecking });
		};
		return attempt('default').catch((error: unknown) => {
			// A damaged copy stays in the HTTP cache and would come again: ask the server once more, past the cache.
			if (error instanceof Refusal && error.code === 'weights-corrupt') return attempt('reload');
			throw error;
		});
	}

	return {
		load: (request, port) =>
			outcome(port, 'engine-load-failed', async () => {
				const started = monotonic();
				loading ??= open(request, port);
				const { card, tokensPerSecond } = await loading;
				return { card, tokensPerSecond, loadMs: monotonic() - started };
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

/** Takes a lock and keeps it for life: the browser gives it to the waiting page the moment this worker is gone, for whatever reason. */
function hold(name: string): Promise<void> {
	return new Promise((resolve, reject) => {
		navigator.locks
			.request(name, () => {
				resolve();
				return new Promise(() => {});
			})
			.catch(reject);
	});
}

Comlink.expose(makeWorker());
