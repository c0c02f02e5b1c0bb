/** The Engine port over ONNX Runtime's wasm backend: what runs is workers/cpu.ts. docs/spec/engine.md says what is bit-exact. */
import type { Engine } from '#lib/ports/engine.ts';
import type { Addresses, CpuLoad, RecordedModel } from '#workers/messages.ts';
import { workerEngine, type WorkerEngineComponents } from './worker-engine.ts';

export interface CpuEngineInit {
	readonly model: RecordedModel;
	/** Absolute, or relative to the page. */
	readonly addresses: Addresses;
	/** Seconds of silence after which a worker is given up; for tests. */
	readonly silentTicks?: number;
}

/** The worker of this build. Vite finds it by exactly this expression. */
export function startCpuWorker(): Worker {
	return new Worker(new URL('../../../workers/cpu.ts', import.meta.url), { type: 'module', name: 'fireweed-cpu' });
}

/** An engine that has loaded nothing yet. `unload()` stops its worker. */
export function cpuEngine(
	components: WorkerEngineComponents,
	{ model, addresses, silentTicks }: CpuEngineInit
): Engine {
	const load = { model, addresses: absolute(addresses) };
	return workerEngine<CpuLoad>(components, { id: model.id, load, silentTicks });
}

/** A worker's own base is its script, not the page. */
function absolute(addresses: Addresses): Addresses {
	const entries = Object.entries(addresses).map(([name, address]) => [name, new URL(address, location.href).href]);
	return Object.fromEntries(entries) as Addresses;
}
