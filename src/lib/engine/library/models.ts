/** The Models port: the built-in model, the library in the origin private file system, and lists of other engines, as one list. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry, Models, Room } from '#lib/ports/models.ts';
import type { Addresses, RecordedModel } from '#workers/messages.ts';
import { cpuEngine, startCpuWorker } from '../cpu.ts';
import { lockOf, type LibraryOptions, type Shelved } from './calls.ts';
import { Catalogue } from './catalogue.ts';
import { openCourier, startLibraryWorker, type Courier } from './courier.ts';
import { fetchingEngine } from './fetching-engine.ts';
import { browserPlatform, type LibraryPlatform } from './platform.ts';
import { isWhole, modelOf, type LibraryRecord } from './record.ts';
import { shareable, type Shareable } from './shared.ts';
import { openShelf } from './shelf.ts';
import type { ModelSourceList } from './source-list.ts';

/** A slow server is given half a minute for its next byte. */
const STALL_MS = 30_000;

export interface ModelsComponents {
	readonly clock: Clock;
	/** The model that is part of the app, and where its files lie. */
	readonly builtIn: { readonly model: RecordedModel; readonly addresses: Addresses; readonly licence: string };
	/** Models that the app knows, every hash of them released with it; none as yet. */
	readonly listed?: readonly LibraryRecord[];
	/** Models of another engine library. */
	readonly others?: ModelSourceList;
	readonly platform?: LibraryPlatform;
	readonly startLibraryWorker?: () => Worker;
	readonly startCpuWorker?: () => Worker;
	/** Milliseconds without a byte after which a connection counts as broken; for tests. */
	readonly stallMs?: number;
}

/** The port, and what the tab does with it. */
export interface DeviceModels extends Models {
	/** Resolves when what is kept has been read; never rejects. Until then the list holds what needs no reading. */
	readonly opened: Promise<void>;
	/** Stops what is under way. Engines that were handed out go on. */
	close(): void;
}

/**
 * Opens the library. A model that is looked at has a name of its address until its weights are here and hashed; a tab goes on using the name
 * it first showed, so that no screen loses what it points at, and `fetch`, `remove` and `engine` know every name it ever had.
 */
export function createModels(components: ModelsComponents): DeviceModels {
	return new LibraryModels(components);
}

class LibraryModels implements DeviceModels {
	readonly opened: Promise<void>;
	readonly #components: ModelsComponents;
	readonly #platform: LibraryPlatform;
	readonly #courier: Courier;
	readonly #catalogue: Catalogue;
	readonly #fetches = new Map<string, Shareable<void>>();

	constructor(components: ModelsComponents) {
		const { clock, builtIn, listed = [], others, platform = browserPlatform() } = components;
		this.#components = components;
		this.#platform = platform;
		const startWorker = components.startLibraryWorker ?? startLibraryWorker;
		this.#courier = openCourier({ startWorker, clock, locks: platform.locks });
		this.#catalogue = new Catalogue({ clock, platform, builtIn, listed, others });
		this.opened = this.#catalogue.rescan();
	}

	get entries(): readonly ModelEntry[] {
		return this.#catalogue.entries;
	}

	observe(listener: (entries: readonly ModelEntry[]) => void): () => void {
		return this.#catalogue.observe(listener);
	}

	async look(address: string, signal: AbortSignal): Promise<ModelEntry> {
		const options = await this.#options();
		const found = await this.#courier.carry(
			(worker, port) => worker.look(address, options, port),
			() => undefined,
			signal
		);
		return this.#added(found);
	}

	async take(
		files: readonly File[],
		onProgress: (progress: LoadProgress) => void,
		signal: AbortSignal
	): Promise<ModelEntry> {
		const options = await this.#options();
		this.#mustKeep();
		const taken = await this.#courier.carry((worker, port) => worker.take(files, options, port), onProgress, signal);
		return this.#added(taken);
	}

	async fetch(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
		if (signal.aborted) throw new Refusal('aborted');
		if (id === this.#components.builtIn.model.id) return;
		if (this.#isOther(id)) return this.#components.others?.fetch(id, onProgress, signal);
		const { folder, record } = this.#catalogue.find(id);
		if (isWhole(record)) return;
		this.#mustKeep();
		let shared = this.#fetches.get(folder);
		if (shared === undefined || shared.stopped) {
			const own = shareable((report, stop) => this.#fetchNow(folder, record, report, stop));
			this.#fetches.set(folder, own);
			const over = () => {
				if (this.#fetches.get(folder) === own) this.#fetches.delete(folder);
			};
			own.result.then(over, over);
			shared = own;
		}
		await shared.join(onProgress, signal);
	}

	async remove(id: string): Promise<void> {
		if (id === this.#components.builtIn.model.id) throw new Refusal('malformed', 'built in');
		if (this.#isOther(id)) return this.#components.others?.remove(id);
		const { folder } = this.#catalogue.find(id);
		this.#fetches.get(folder)?.stop();
		this.#catalogue.forget(folder);
		const { storage, locks } = this.#platform;
		if (storage !== undefined && locks !== undefined && this.#catalogue.facts.canKeep) {
			this.#catalogue.tell({ kind: 'removing', folder });
			await locks.request(lockOf(folder), async () => {
				const shelf = await openShelf(() => storage.getDirectory());
				await shelf.removeEntry(folder, { recursive: true }).catch((error: unknown) => {
					// It was not there: a listed one of which nothing is kept.
					if (!(error instanceof DOMException) || error.name !== 'NotFoundError')
						throw new Refusal('storage-unavailable', 'remove');
				});
			});
			this.#catalogue.tell({ kind: 'changed', folder });
		}
		await this.#catalogue.rescan();
	}

	engine(id: string): Engine {
		const { builtIn, clock } = this.#components;
		const cpu = {
			startWorker: this.#components.startCpuWorker ?? startCpuWorker,
			clock,
			locks: this.#platform.locks
		};
		if (id === builtIn.model.id) {
			return cpuEngine(cpu, { model: builtIn.model, source: { kind: 'addresses', addresses: builtIn.addresses } });
		}
		if (this.#isOther(id) && this.#components.others !== undefined) return this.#components.others.engine(id);
		const { folder: known } = this.#catalogue.find(id);
		return fetchingEngine({
			// The name the list shows, which is what whoever asked for it knows; its card has the one that its bytes give.
			id: this.#catalogue.shownAs(known),
			fetch: (onProgress, signal) => this.fetch(id, onProgress, signal),
			check: async (signal) => {
				const { folder } = this.#catalogue.find(id);
				const checked = await this.#courier.carry(
					(worker, port) => worker.check(folder, port),
					() => undefined,
					signal
				);
				this.#catalogue.put(checked);
			},
			open: () => {
				const { folder, record } = this.#catalogue.find(id);
				const model = modelOf(record);
				if (model === undefined) throw new Refusal('engine-load-failed', 'a file is missing');
				return cpuEngine(cpu, { model, source: { kind: 'kept', folder } });
			}
		});
	}

	async room(): Promise<Room> {
		const { storage } = this.#platform;
		const { quota, usage = 0 } = (await storage?.estimate().catch(() => undefined)) ?? {};
		const persisted = await storage?.persisted().catch(() => undefined);
		return { used: usage, quota, persisted };
	}

	async persist(): Promise<boolean> {
		return (await this.#platform.storage?.persist().catch(() => false)) ?? false;
	}

	close(): void {
		for (const fetch of this.#fetches.values()) fetch.stop();
		this.#courier.close();
		this.#catalogue.close();
	}

	async #fetchNow(
		folder: string,
		record: LibraryRecord,
		report: (progress: LoadProgress) => void,
		signal: AbortSignal
	): Promise<void> {
		const options = await this.#options();
		if (record.origin === 'listed') {
			const entering = { folder, record, keptBytes: 0 };
			await this.#courier.carry(
				(worker, port) => worker.enter(entering, port),
				() => undefined,
				signal
			);
		}
		try {
			const got = await this.#courier.carry((worker, port) => worker.fetch(folder, options, port), report, signal);
			this.#catalogue.move(folder, got.folder);
			this.#catalogue.put(got);
		} finally {
			await this.#catalogue.rescan();
		}
	}

	async #options(): Promise<LibraryOptions> {
		return { facts: await this.#catalogue.ask(), stallMs: this.#components.stallMs ?? STALL_MS };
	}

	#mustKeep(): void {
		if (!this.#catalogue.facts.canKeep) throw new Refusal('storage-unavailable');
	}

	#isOther(id: string): boolean {
		return this.#components.others?.entries().some((entry) => entry.id === id) === true;
	}

	async #added(found: Shelved): Promise<ModelEntry> {
		this.#catalogue.put(found);
		await this.#catalogue.rescan();
		const shown = this.#catalogue.shownAs(found.folder);
		const entry = this.entries.find(({ id }) => id === shown);
		if (entry === undefined) throw new Refusal('engine-load-failed', 'deleted meanwhile');
		return entry;
	}
}
