/** The Engine port over WebLLM: what runs is workers/webllm.ts. docs/spec/webllm.md says what was tried. */
import { codeOf, type Code } from '#lib/protocol/errors.ts';
import type { Engine } from '#lib/ports/engine.ts';
import type { WebllmLoad, WebllmModel } from '#workers/messages.ts';
import { workerEngine, type WorkerEngineComponents } from './worker-engine.ts';

export interface WebllmEngineInit {
	readonly model: WebllmModel;
	/** Tests run on software adapters; people's devices must not. */
	readonly softwareAllowed?: boolean;
	/** Milliseconds without a byte after which a server is given up. */
	readonly stallMs?: number;
	/** Seconds of silence after which a worker is given up; for tests. */
	readonly silentTicks?: number;
}

/** A slow mobile connection pauses for seconds; half a minute of nothing is a dead one. */
const STALL_MS = 30_000;

/** After these the package's state is unknown or gone, so its worker goes too and the next load starts another. */
const FATAL: readonly Code[] = ['device-lost', 'out-of-memory', 'engine-failed'];

/** The worker of this build. Vite finds it by exactly this expression. */
export function startWebllmWorker(): Worker {
	return new Worker(new URL('../../../workers/webllm.ts', import.meta.url), {
		type: 'module',
		name: 'fireweed-webllm'
	});
}

/** An engine that has loaded nothing yet. `unload()` stops its worker, and with it everything on the graphics device. */
export function webllmEngine(components: WorkerEngineComponents, init: WebllmEngineInit): Engine {
	const { model, softwareAllowed = false, stallMs = STALL_MS, silentTicks } = init;
	const load = { model, softwareAllowed, stallMs };
	return recovering(workerEngine<WebllmLoad>(components, { id: model.id, load, silentTicks }));
}

/** An engine that can be loaded again after it lost its device: it counts as failed then, not as ready. */
function recovering(inner: Engine): Engine {
	let lost = false;
	async function watched(error: unknown): Promise<never> {
		if (FATAL.includes(codeOf(error)) && inner.state !== 'failed') {
			await inner.unload();
			lost = true;
		}
		throw error;
	}
	return {
		get id() {
			return inner.id;
		},
		get state() {
			return lost ? 'failed' : inner.state;
		},
		load(onProgress, signal) {
			lost &&= signal.aborted;
			return inner.load(onProgress, signal);
		},
		async *generate(request, signal) {
			try {
				return yield* inner.generate(request, signal);
			} catch (error) {
				return watched(error);
			}
		},
		logits: (tokens, signal) => inner.logits(tokens, signal).catch(watched),
		countTokens: (turns) => inner.countTokens(turns),
		async unload() {
			lost = false;
			await inner.unload();
		}
	};
}
