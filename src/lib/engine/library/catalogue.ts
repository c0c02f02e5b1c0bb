/** The list of models as a tab knows it: what is on disk, what the app lists, what another library lists; by every name they ever had here. */
import { Refusal } from '#lib/protocol/errors.ts';
import type { Clock } from '#lib/ports/clock.ts';
import type { ModelEntry } from '#lib/ports/models.ts';
import type { RecordedModel } from '#workers/messages.ts';
import { LIBRARY_CHANNEL, type LibraryNews, type Shelved } from './calls.ts';
import { builtInEntry, entryOf, inOrder } from './entry.ts';
import type { DeviceFacts } from './fit.ts';
import { deviceFacts, type LibraryPlatform } from './platform.ts';
import { idOf, isWhole, type LibraryRecord } from './record.ts';
import { openShelf, readShelf } from './shelf.ts';
import type { ModelSourceList } from './source-list.ts';

/** A list that is drawn anew for every piece of a download would keep a phone from doing anything else. */
const SHOW_EVERY_MS = 100;

export interface CatalogueComponents {
	readonly clock: Clock;
	readonly platform: LibraryPlatform;
	readonly builtIn: { readonly model: RecordedModel; readonly licence: string };
	readonly listed: readonly LibraryRecord[];
	readonly others: ModelSourceList | undefined;
}

export class Catalogue {
	readonly #components: CatalogueComponents;
	readonly #channel = new BroadcastChannel(LIBRARY_CHANNEL);
	readonly #listeners = new Set<(entries: readonly ModelEntry[]) => void>();
	readonly #closing = new AbortController();
	readonly #unobserve: (() => void) | undefined;
	/** By folder; what is listed but not on disk is here too. */
	#shelved: ReadonlyMap<string, Shelved> = new Map();
	/** Looked at where nothing can be kept. */
	readonly #loose = new Map<string, Shelved>();
	/** The name each folder was first shown by. */
	readonly #shown = new Map<string, string>();
	/** Folders whose model turned out to be there already, and where. */
	readonly #moved = new Map<string, string>();
	#facts: DeviceFacts;
	#entries: readonly ModelEntry[] = [];
	#scan: Promise<void> = Promise.resolve();
	/** Until the progress of a download is shown in the list. */
	#showing: Promise<void> | undefined;

	constructor(components: CatalogueComponents) {
		this.#components = components;
		const { secure, memoryBytes } = components.platform;
		this.#facts = { secure, memoryBytes, canKeep: secure, quota: undefined, used: 0 };
		this.#channel.onmessage = ({ data }: MessageEvent<LibraryNews>) => this.#hear(data);
		this.#unobserve = components.others?.observe(() => this.#show());
		this.#adopt([]);
	}

	get entries(): readonly ModelEntry[] {
		return this.#entries;
	}

	/** What this device was like when it was last asked. */
	get facts(): DeviceFacts {
		return this.#facts;
	}

	observe(listener: (entries: readonly ModelEntry[]) => void): () => void {
		// A function of its own, so that one listener given twice is two.
		const own = (entries: readonly ModelEntry[]) => listener(entries);
		this.#listeners.add(own);
		listener(this.#entries);
		return () => this.#listeners.delete(own);
	}

	/** Asks what this device is like now. */
	async ask(): Promise<DeviceFacts> {
		return (this.#facts = await deviceFacts(this.#components.platform));
	}

	/** By any name it had in this tab. Refusal `engine-not-ready` for an id that is not in the list. */
	find(id: string): Shelved {
		for (const [folder, shown] of this.#shown) {
			if (id !== shown && id !== folder) continue;
			const found = this.#shelved.get(this.#moved.get(folder) ?? folder);
			if (found !== undefined) return found;
		}
		const byHash = [...this.#shelved.values()].find(({ record }) => idOf(record) === id);
		if (byHash === undefined) throw new Refusal('engine-not-ready', id);
		return byHash;
	}

	/** The id by which this tab shows a folder. */
	shownAs(folder: string): string {
		return this.#shown.get(folder) ?? folder;
	}

	put(shelved: Shelved): void {
		if (!this.#facts.canKeep) this.#loose.set(shelved.folder, shelved);
		this.#adopt([...this.#shelved.values()].filter(({ folder }) => folder !== shelved.folder).concat(shelved));
	}

	/** The model of `folder` was found to be in another one. */
	move(folder: string, to: string): void {
		if (folder !== to) this.#moved.set(folder, to);
	}

	/** Forgets what was only looked at. */
	forget(folder: string): void {
		this.#loose.delete(folder);
	}

	tell(news: LibraryNews): void {
		this.#channel.postMessage(news);
	}

	/** Reads the disk again; never rejects. Scans follow each other, so that an older one never overwrites a newer one. */
	rescan(): Promise<void> {
		this.#scan = this.#scan.then(async () => {
			const { canKeep } = await this.ask();
			const { storage, locks } = this.#components.platform;
			const found =
				storage !== undefined && locks !== undefined && canKeep
					? await openShelf(() => storage.getDirectory())
							.then((shelf) => readShelf(shelf, locks))
							.catch(() => [])
					: [];
			this.#adopt([...found, ...this.#loose.values()]);
		});
		return this.#scan;
	}

	close(): void {
		this.#closing.abort();
		this.#unobserve?.();
		this.#channel.close();
		this.#listeners.clear();
	}

	#adopt(found: readonly Shelved[]): void {
		const listed = this.#components.listed.map((record): Shelved => {
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
		if (news.kind === 'changed') void this.rescan();
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
