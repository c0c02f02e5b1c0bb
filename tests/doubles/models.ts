/** Models of a device, in memory: entries that a test names, downloads that take as long as it says, engines that run no model. */
import { shareable, type Shareable } from '#lib/engine/library/shared.ts';
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry, Models, Room } from '#lib/ports/models.ts';
import { Refusal, type Code } from '#lib/protocol/errors.ts';

const MB = 1_000_000;
const MOST_ADDRESS = 2048;

/** An entry with everything said; `more` changes what a test is about. */
export function modelEntry(id: string, more: Partial<ModelEntry> = {}): ModelEntry {
	const bytes = more.bytes ?? 5 * MB;
	const kept = more.kept ?? 'whole';
	return {
		id,
		name: id,
		runs: 'cpu',
		origin: 'added',
		bytes,
		memoryBytes: bytes * 2,
		contextTokens: 1024,
		licence: 'MIT',
		precision: 'q4',
		fit: { fits: true },
		kept,
		keptBytes: kept === 'whole' ? bytes : 0,
		integrity: 'first-use',
		lendable: true,
		from: undefined,
		...more
	};
}

/** What a device of a newcomer with a graphics card might show. */
export const SOME_MODELS: readonly ModelEntry[] = [
	modelEntry('pocket-5m-q4', { name: 'Pocket', origin: 'built-in', integrity: 'released' }),
	modelEntry('smollm2-135m-q4-0a1b2c3d', {
		name: 'SmolLM2 135M Instruct',
		bytes: 118 * MB,
		memoryBytes: 260 * MB,
		contextTokens: 8192,
		licence: 'apache-2.0',
		from: 'models.example.org'
	}),
	modelEntry('tiny-int8-99887766', {
		name: 'TinyStories 33M',
		bytes: 70 * MB,
		precision: 'int8',
		lendable: false,
		contextTokens: 2048
	}),
	modelEntry('qwen3-0.6b-q4f16', {
		name: 'Qwen3 0.6B',
		runs: 'gpu',
		origin: 'listed',
		bytes: 352 * MB,
		memoryBytes: 1_400 * MB,
		contextTokens: 4096,
		licence: 'Apache-2.0',
		kept: 'partly',
		keptBytes: 120 * MB,
		from: 'weights.example.org'
	}),
	modelEntry('llama-3.2-1b-q4f16', {
		name: 'Llama 3.2 1B Instruct',
		runs: 'gpu',
		origin: 'listed',
		bytes: 713 * MB,
		memoryBytes: 879 * MB,
		contextTokens: 4096,
		licence: 'Llama 3.2 Community Licence',
		kept: 'no',
		from: 'weights.example.org'
	}),
	modelEntry('llama-3.1-70b-q3f16', {
		name: 'Llama 3.1 70B Instruct',
		runs: 'gpu',
		origin: 'listed',
		bytes: 31_153 * MB,
		memoryBytes: 31_153 * MB,
		contextTokens: 4096,
		licence: 'Llama 3.1 Community Licence',
		kept: 'no',
		from: 'weights.example.org',
		fit: { fits: false, why: 'out-of-memory' }
	})
];

export interface MemoryModelsInit {
	readonly entries?: readonly ModelEntry[];
	readonly engine?: (id: string) => Engine;
	/** How long a download takes; 0 is at once. */
	readonly fetchMs?: number;
	/** What looks and files give; else something made up from the address or the first file. */
	readonly found?: ModelEntry;
	/** What `fetch`, `look` and `take` end with. */
	readonly refuse?: Code;
	readonly room?: Room;
}

/** The port, and what a test may do to it. */
export class MemoryModels implements Models {
	entries: readonly ModelEntry[];
	readonly #init: MemoryModelsInit;
	readonly #fetches = new Map<string, Shareable<void>>();
	readonly #listeners = new Set<(entries: readonly ModelEntry[]) => void>();
	#persisted: boolean;

	constructor(init: MemoryModelsInit = {}) {
		this.#init = init;
		this.entries = init.entries ?? SOME_MODELS;
		this.#persisted = init.room?.persisted ?? false;
	}

	/** Replaces the list. */
	change(entries: readonly ModelEntry[]): void {
		this.entries = entries;
		for (const listener of this.#listeners) listener(entries);
	}

	observe(listener: (entries: readonly ModelEntry[]) => void): () => void {
		this.#listeners.add(listener);
		listener(this.entries);
		return () => this.#listeners.delete(listener);
	}

	async look(address: string, signal: AbortSignal): Promise<ModelEntry> {
		this.#perhapsRefuse(signal);
		if (address.length > MOST_ADDRESS) throw new Refusal('oversized', 'address');
		if (!/^https?:\/\/[^@]+$/.test(address)) throw new Refusal('malformed', 'address');
		const { host } = new URL(address);
		const made = modelEntry(`looked-${host}`, { name: 'Looked at', bytes: 250 * MB, licence: undefined });
		const found: ModelEntry = { ...(this.#init.found ?? made), kept: 'no', keptBytes: 0, from: host };
		const known = this.entries.find(({ id }) => id === found.id);
		if (known === undefined) this.change([...this.entries, found]);
		return known ?? found;
	}

	async take(
		files: readonly File[],
		onProgress: (progress: LoadProgress) => void,
		signal: AbortSignal
	): Promise<ModelEntry> {
		this.#perhapsRefuse(signal);
		if (files.length === 0) throw new Refusal('model-unsupported', 'files');
		const size = files.reduce((sum, file) => sum + file.size, 0);
		const made = modelEntry(`taken-${files[0]?.name ?? ''}`, { name: files[0]?.name ?? 'Taken', bytes: size });
		const { bytes = size, ...rest } = this.#init.found ?? made;
		const taken: ModelEntry = { ...rest, bytes, kept: 'whole', keptBytes: bytes, from: undefined };
		onProgress(at(bytes, bytes));
		this.change([...this.entries, taken]);
		return taken;
	}

	/** Shared by all who ask for it; each may leave. */
	async fetch(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
		if (signal.aborted) throw new Refusal('aborted');
		if (this.#find(id).kept === 'whole') return;
		const running = this.#fetches.get(id);
		const joined =
			running?.stopped === false ? running : shareable<void>((report, stop) => this.#fetchNow(id, report, stop));
		this.#fetches.set(id, joined);
		const over = () => void (this.#fetches.get(id) === joined && this.#fetches.delete(id));
		joined.result.then(over, over);
		await joined.join(onProgress, signal);
	}

	async #fetchNow(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void> {
		const total = this.#find(id).bytes ?? 0;
		const steps = 40;
		for (let step = 1; step <= steps; step++) {
			if (step > steps / 3) this.#perhapsRefuse(signal);
			if (signal.aborted) throw new Refusal('aborted');
			const { fetchMs = 0 } = this.#init;
			await (fetchMs > 0 ? new Promise((resolve) => setTimeout(resolve, fetchMs / steps)) : undefined);
			const keptBytes = Math.max(this.#find(id).keptBytes, Math.round((total * step) / steps));
			onProgress(at(keptBytes, total, total / Math.max(1, fetchMs / 1000)));
			this.#set(id, { keptBytes, kept: step === steps ? 'whole' : 'partly' });
		}
	}

	async remove(id: string): Promise<void> {
		const entry = this.#find(id);
		if (entry.origin === 'built-in') throw new Refusal('malformed', 'built in');
		if (entry.origin === 'added') this.change(this.entries.filter((each) => each.id !== id));
		else this.#set(id, { kept: 'no', keptBytes: 0 });
	}

	engine(id: string): Engine {
		this.#find(id);
		const made = this.#init.engine?.(id);
		if (made === undefined) throw new Refusal('engine-not-ready', id);
		return made;
	}

	async room(): Promise<Room> {
		return { used: 620 * MB, quota: 12_000 * MB, ...this.#init.room, persisted: this.#persisted };
	}

	async persist(): Promise<boolean> {
		return (this.#persisted = true);
	}

	#find(id: string): ModelEntry {
		const entry = this.entries.find((each) => each.id === id);
		if (entry === undefined) throw new Refusal('engine-not-ready', id);
		return entry;
	}

	#set(id: string, change: Partial<ModelEntry>): void {
		this.change(this.entries.map((entry) => (entry.id === id ? { ...entry, ...change } : entry)));
	}

	#perhapsRefuse(signal: AbortSignal): void {
		if (signal.aborted) throw new Refusal('aborted');
		if (this.#init.refuse !== undefined) throw new Refusal(this.#init.refuse);
	}
}

const at = (loadedBytes: number, totalBytes: number, bytesPerSecond?: number): LoadProgress => ({
	stage: 'fetching',
	loadedBytes,
	totalBytes,
	bytesPerSecond,
	secondsLeft: bytesPerSecond === undefined ? undefined : (totalBytes - loadedBytes) / bytesPerSecond
});
