/** WebLLM's models as a part of the library's one list: which could run on this graphics device, what is kept of them, an engine for each. */
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry } from '#lib/ports/models.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { ModelSourceList } from './library/source-list.ts';
import { lookAtAdapter, measureBandwidth, type AdapterFacts } from './webllm-adapter.ts';
import { forgetWebllm, keptWebllmModels, type WebllmKept } from './webllm-kept.ts';
import { chooseWebllm, webllmModel, webllmRows, type WebllmChoice, type WebllmRow } from './webllm-models.ts';
import { startWebllmWorker, webllmEngine } from './webllm.ts';

export interface WebllmSourceComponents {
	readonly clock: Clock;
	/** Each undefined where the browser has none: insecure contexts, old browsers. */
	readonly gpu: GPU | undefined;
	readonly caches: CacheStorage | undefined;
	readonly storage: Pick<StorageManager, 'estimate'> | undefined;
	readonly locks: LockManager | undefined;
	readonly startWorker?: () => Worker;
}

export interface WebllmSource extends ModelSourceList {
	/** Resolves when adapter, list and disk have been looked at; never rejects. Until then the list is empty. */
	readonly opened: Promise<void>;
}

export function webllmSource(components: WebllmSourceComponents): WebllmSource {
	const { clock, gpu, caches, storage, locks, startWorker = startWebllmWorker } = components;
	const listeners = new Set<() => void>();
	let rows: readonly WebllmRow[] = [];
	let adapter: AdapterFacts | undefined;
	let bytesPerSecond: number | undefined;
	let entries: readonly ModelEntry[] = [];

	async function show(): Promise<void> {
		const { quota, usage = 0 } = (await storage?.estimate().catch(() => undefined)) ?? {};
		const room = quota === undefined ? undefined : Math.max(0, quota - usage);
		const kept = await keptWebllmModels(caches);
		const choices = chooseWebllm(rows, { adapter, room, memoryBytes: undefined, bytesPerSecond });
		entries = choices.map((choice) => entryOf(choice, kept.get(choice.row.id)));
		for (const listener of listeners) listener();
	}
	async function open(): Promise<void> {
		[rows, adapter] = await Promise.all([webllmRows(), lookAtAdapter(gpu)]);
		await show();
		// A software adapter runs nothing, and measuring it takes seconds.
		if (adapter === undefined || adapter.software) return;
		bytesPerSecond = await measureBandwidth(gpu, () => clock.monotonic());
		await show();
	}
	function find(id: string): WebllmRow {
		const row = rows.find((each) => each.id === id);
		if (row === undefined) throw new Refusal('engine-not-ready', id);
		return row;
	}
	function engine(id: string): Engine {
		const made = webllmEngine({ startWorker, clock, locks }, { model: webllmModel(find(id), undefined) });
		// What a load has brought is on the disk, whether or not it came to its end.
		const load: Engine['load'] = (onProgress, signal) => made.load(onProgress, signal).finally(() => void show());
		return {
			id,
			get state() {
				return made.state;
			},
			load,
			generate: (request, signal) => made.generate(request, signal),
			logits: (tokens, signal) => made.logits(tokens, signal),
			countTokens: (turns) => made.countTokens(turns),
			unload: () => made.unload()
		};
	}

	return {
		opened: open().catch(() => undefined),
		entries: () => entries,
		observe(listener) {
			const own = () => listener();
			listeners.add(own);
			return () => listeners.delete(own);
		},
		engine,
		// Loaded once to its end: what is called here then was also proved to compute rightly on this device.
		async fetch(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal) {
			const once = engine(id);
			try {
				await once.load(onProgress, signal);
			} finally {
				await once.unload();
			}
		},
		async remove(id) {
			if (caches !== undefined) await forgetWebllm(caches, find(id).id);
			await show();
		}
	};
}

function entryOf({ row, fit, licence }: WebllmChoice, kept: WebllmKept | undefined): ModelEntry {
	const whole = kept?.whole === true;
	const keptBytes = kept?.bytes ?? 0;
	return {
		id: row.id,
		name: webllmModel(row, undefined).name,
		runs: 'gpu',
		origin: 'listed',
		bytes: kept?.total ?? row.memoryBytes,
		memoryBytes: row.memoryBytes,
		contextTokens: row.contextTokens === 0 ? undefined : row.contextTokens,
		licence,
		precision: /-(q\d)f\d+/.exec(row.id)?.[1],
		// What is here already needs no room.
		fit: whole && !fit.fits && fit.why === 'storage-full' ? { fits: true } : fit,
		kept: whole ? 'whole' : keptBytes > 0 ? 'partly' : 'no',
		keptBytes,
		integrity: 'first-use',
		lendable: true,
		from: new URL(row.folder).host
	};
}
