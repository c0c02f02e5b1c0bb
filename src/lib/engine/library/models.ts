/** The Models port: the built-in model, the library in the origin private file system, and lists of other engines, as one list. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry, Models, Room } from '#lib/ports/models.ts';
import type { Addresses, RecordedModel } from '#workers/messages.ts';
import { cpuEngine, startCpuWorker } from '../cpu.ts';
import { LIBRARY_CHANNEL, lockOf, type LibraryNews, type LibraryOptions, type Shelved } from './calls.ts';
import { openCourier, startLibraryWorker, type Courier } from './courier.ts';
import { builtInEntry, entryOf, inOrder } from './entry.ts';
import { fetchingEngine } from './fetching-engine.ts';
import type { DeviceFacts } from './fit.ts';
import { browserPlatform, deviceFacts, type LibraryPlatform } from './platform.ts';
import { idOf, isWhole, modelOf, type LibraryRecord } from './record.ts';
import { shareable, type Shareable } from './shared.ts';
import { openShelf, readShelf } from './shelf.ts';
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

/** A list that is drawn anew for every piece of a download would keep a phone from doing anything else. */
const SHOW_EVERY_MS = 100;

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
	readonly #channel: BroadcastChannel;
	readonly #listeners = new Set<(entries: readonly ModelEntry[]) => void>();
	/** By folder; what is listed but not on disk is here too. */
	#shelved: ReadonlyMap<string, Shelved> = new Map();
	/** Looked at where nothing can be kept. */
	readonly #loose = new Map<string, Shelved>();
	/** The name each folder was first shown by. */
	readonly #shown = new Map<string, string>();
	/** Folders whose model turned out to be there already, and where. */
	readonly #moved = new Map<string, string>();
	readonly #fetches = new Map<string, Shareable<void>>();
	#facts: DeviceFacts;
	#entries: readonly ModelEntry[] = [];
	#scan: Promise<void> = Promise.resolve();
	/** Until the progress of a download is shown in the list. */
	#showing: Promise<void> | undefined;
	readonly #closing = new AbortController();

	constructor(components: ModelsComponents) {
		const { clock, platform = browserPlatform(), others } = components;
		this.#components = components;
		this.#platform = platform;
		const startWorker = components.startLibraryWorker ?? startLibraryWorker;
		this.#courier = openCourier({ startWorker, clock, locks: platform.locks });
		this.#channel = new BroadcastChannel(LIBRARY_CHANNEL);
		this.#channel.onmessage = ({ data }: MessageEvent<LibraryNews>) => this.#hear(data);
		const { secure, memoryBytes } = platform;
		this.#facts = { secure, memoryBytes, canKeep: secure, quota: undefined, used: 0 };
		others?.observe(() => this.#show());
		this.#adopt([]);
		this.opened = this.#rescan();
	}

	get entries(): readonly ModelEntry[] {
		return this.#entries;
	}

	observe(listener: (entries: readonly ModelEntry[]) => void): () => void {
		// A function of its own, so that one listener given twice is two.
		const own = (entries: readonly ModelEntry[]) => listener(entries);
		this.#listeners.add(own);
		listener(this.#entries);
		return () => this.#listeners.delete(own);
	}

	async look(address: string, signal: AbortSignal): Promise<ModelEntry> {
		const options = await this.#options();
		const found = await this.#courier.carry(
			(worker, port) => worker.look(address, options, port),
			() => undefined,
			signal
		);
		if (!this.#facts.canKeep) this.#loose.set(found.folder, found);
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
		const { folder, record } = this.#find(id);
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
		const { folder } = this.#find(id);
		this.#fetches.get(folder)?.stop();
		this.#loose.delete(folder);
		const { storage, locks } = this.#platform;
		if (storage !== undefined && locks !== undefined && this.#facts.canKeep) {
			this.#channel.postMessage({ kind: 'removing', folder } satisfies LibraryNews);
			await locks.request(lockOf(folder), async () => {
				const shelf = await openShelf(() => storage.getDirectory());
				await shelf.removeEntry(folder, { recursive: true }).catch((error: unknown) => {
					// It was not there: a listed one of which nothing is kept.
					if (!(error instanceof DOMException) || error.name !== 'NotFoundError')
						throw new Refusal('storage-unavailable', 'remove');
				});
			});
			this.#channel.postMessage({ kind: 'changed', folder } satisfies LibraryNews);
		}
		await this.#rescan();
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
		const { folder: known } = this.#find(id);
		return fetchingEngine({
			// The name the list shows, which is what whoever asked for it knows; its card has the one that its bytes give.
			id: this.#shown.get(known) ?? id,
			fetch: (onProgress, signal) => this.fetch(id, onProgress, signal),
			check: async (signal) => {
				const { folder } = this.#find(id);
				const checked = await this.#courier.carry(
					(worker, port) => worker.check(folder, port),
					() => undefined,
					signal
				);
				this.#put(checked);
			},
			open: () => {
				const { folder, record } = this.#find(id);
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
		this.#closing.abort();
		for (const fetch of this.#fetches.values()) fetch.stop();
		this.#courier.close();
		this.#channel.close();
		this.#listeners.clear();
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
			if (got.folder !== folder) this.#moved.set(folder, got.folder);
			this.#put(got);
		} finally {
			await this.#rescan();
		}
	}

	async #options(): Promise<LibraryOptions> {
		this.#facts = await deviceFacts(this.#platform);
		return { facts: this.#facts, stallMs: this.#components.stallMs ?? STALL_MS };
	}

	#mustKeep(): void {
		if (!this.#facts.canKeep) throw new Refusal('storage-unavailable');
	}

	#isOther(id: string): boolean {
		return this.#components.others?.entries().some((entry) => entry.id === id) === true;
	}

	/** Refusal `engine-not-ready` for an id that is not in the list. */
	#find(id: string): Shelved {
		for (const [folder, shown] of this.#shown) {
			if (id !== shown && id !== folder) continue;
			const found = this.#shelved.get(this.#moved.get(folder) ?? folder);
			if (found !== undefined) return found;
		}
		const byHash = [...this.#shelved.values()].find(({ record }) => idOf(record) === id);
		if (byHash === undefined) throw new Refusal('engine-not-ready', id);
		return byHash;
	}

	async #added(found: Shelved): Promise<ModelEntry> {
		this.#put(found);
		await this.#rescan();
		const entry = this.#entries.find(({ id }) => id === this.#shown.get(found.folder));
		if (entry === undefined) throw new Refusal('engine-load-failed', 'deleted meanwhile');
		return entry;
	}

	#put(shelved: Shelved): void {
		this.#adopt([...this.#shelved.values()].filter(({ folder }) => folder !== shelved.folder).concat(shelved));
	}

	/** Reads the disk again. Scans follow each other, so that an older one never overwrites a newer one. */
	#rescan(): Promise<void> {
		this.#scan = this.#scan.then(async () => {
			this.#facts = await deviceFacts(this.#platform);
			const { storage, locks } = this.#platform;
			const found =
				storage !== undefined && locks !== undefined && this.#facts.canKeep
					? await openShelf(() => storage.getDirectory())
							.then((shelf) => readShelf(shelf, locks))
							.catch(() => [])
					: [];
			this.#adopt([...found, ...this.#loose.values()]);
		});
		return this.#scan;
	}

	#adopt(found: readonly Shelved[]): void {
		const listed = (this.#components.listed ?? []).map((record): Shelved => {
			const folder = idOf(record);
			if (folder === undefined) throw new Refusal('internal', 'a listed model without a hash');
			return { folder, record: { ...record, origin: 'listed' }, keptBytes: 0 };
		});
		this.#shelved = new Map([...listed, ...found].map((each) => [each.folder, each]));
		for (const { folder, record } of this.#shelved.values())
			if (!this.#shown.has(folder)) this.#shown.set(folder, idOf(record) ?? folder);
		for (const folder of this.#shown.keys())
			if (!this.#shelved.has(folder) && !this.#moved.has(folder)) this.#shown.delete(folder);
		this.#show();
	}

	#show(): void {
		const { builtIn, others } = this.#components;
		const entries = new Map<string, ModelEntry>();
		for (const shelved of this.#shelved.values()) {
			const id = this.#shown.get(shelved.folder) ?? shelved.folder;
			// Two tabs may have fetched the same weights from two places; the list shows the copy that is whole.
			if (entries.get(id)?.kept !== 'whole') entries.set(id, entryOf(id, shelved, this.#facts));
		}
		this.#entries = inOrder([
			builtInEntry(builtIn.model, builtIn.licence),
			...entries.values(),
			...(others?.entries() ?? [])
		]);
		for (const listener of this.#listeners) listener(this.#entries);
	}

	/** A hint of another tab or of our own worker. */
	#hear(news: LibraryNews): void {
		if (news.kind === 'changed') void this.#rescan();
		if (news.kind !== 'progress') return;
		const shelved = this.#shelved.get(news.folder);
		const { loadedBytes } = news.progress;
		if (shelved === undefined || isWhole(shelved.record) || !Number.isSafeInteger(loadedBytes)) return;
		this.#shelved = new Map(this.#shelved).set(news.folder, { ...shelved, keptBytes: Math.max(0, loadedBytes) });
		this.#showing ??= this.#components.clock.sleep(SHOW_EVERY_MS, this.#closing.signal).then(
			() => {
				this.#showing = undefined;
				this.#show();
			},
			() => undefined
		);
	}
}
