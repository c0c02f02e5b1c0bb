/** The Engine port over ONNX Runtime's wasm backend: what runs is workers/cpu.ts. docs/spec/engine.md says what is bit-exact. */
import type { Engine } from '#lib/ports/engine.ts';
import type { Addresses, CpuLoad, ModelSource, RecordedModel } from '#workers/messages.ts';
import { silentSecondsFor, threadsFor, weightBytes } from './cpu-limits.ts';
import { workerEngine, type WorkerEngineComponents } from './worker-engine.ts';

export interface CpuEngineInit {
	readonly model: RecordedModel;
	/** Addresses may be relative to the page here. */
	readonly source: ModelSource;
	/** By default as many as the rule gives; more than one needs a cross-origin isolated page. */
	readonly threads?: number;
	/** Seconds of silence after which a worker is given up; for tests. */
	readonly silentTicks?: number;
}

/** The worker of this build. Vite finds it by exactly this expression. */
export function startCpuWorker(): Worker {
	return new Worker(new URL('../../../workers/cpu.ts', import.meta.url), { type: 'module', name: 'fireweed-cpu' });
}

/** An engine that has loaded nothing yet. `unload()` stops its worker. */
export function cpuEngine(components: WorkerEngineComponents, init: CpuEngineInit): Engine {
	const { model } = init;
	const bytes = weightBytes(model);
	const isolated = globalThis.crossOriginIsolated;
	const threads = isolated ? (init.threads ?? threadsFor(bytes, navigator.hardwareConcurrency, isolated)) : 1;
	const silentTicks = init.silentTicks ?? silentSecondsFor(bytes);
	const load = { model, source: seenFromHere(init.source), threads };
	return workerEngine<CpuLoad>(components, { id: model.id, load, silentTicks });
}

/** A worker's own base is its script, not the page. */
function seenFromHere(source: ModelSource): ModelSource {
	if (source.kind === 'kept') return source;
	const absolute = (address: string) => new URL(address, location.href).href;
	const { external, ...named } = source.addresses;
	const addresses = Object.fromEntries(Object.entries(named).map(([name, address]) => [name, absolute(address)]));
	return {
		kind: 'addresses',
		addresses: { ...addresses, external: external?.map(absolute) ?? [] } satisfies Addresses
	};
}
