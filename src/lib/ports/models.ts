/**
 * What the story needs of the models on this device: which are here, which could be, and an engine for each.
 *
 * Every failure is a `Refusal` with a code. Nothing unverified is kept: a file that fails its check is deleted before the call rejects.
 */
import type { Code } from '#lib/protocol/errors.ts';
import type { Engine, LoadProgress } from './engine.ts';

/** Whether this device can hold and run a model, before anything large is fetched. */
export type Fit =
	| { readonly fits: true }
	/** `no-graphics`, `out-of-memory`, `storage-full`, `model-unsupported`, `insecure-context`. */
	| { readonly fits: false; readonly why: Code };

/** By what a file is known to be the right one. */
export type Integrity =
	/** Its hash came with this app's release. */
	| 'released'
	/** Its hash is that of what came first; a later copy must be the same. */
	| 'first-use';

/** One model that is here or could be. */
export interface ModelEntry {
	/** Unique, and the same on every device that has the same weights: what offers and policies name. */
	readonly id: string;
	readonly name: string;
	readonly runs: 'cpu' | 'gpu';
	/** `built-in`: part of the app; `listed`: known to the app or its engine library; `added`: by the person, from an address or files. */
	readonly origin: 'built-in' | 'listed' | 'added';
	/** To fetch in all; undefined until it was looked at. */
	readonly bytes: number | undefined;
	/** While it runs, estimated. */
	readonly memoryBytes: number | undefined;
	readonly contextTokens: number | undefined;
	/** As its publisher states it, e.g. `Apache-2.0`. */
	readonly licence: string | undefined;
	/** e.g. `fp32`, `fp16`, `q4`, `int8`. */
	readonly precision: string | undefined;
	readonly fit: Fit;
	readonly kept: 'no' | 'partly' | 'whole';
	readonly keptBytes: number;
	readonly integrity: Integrity;
	/** Whether it may answer others: see ModelCard.verifiable. */
	readonly lendable: boolean;
	/** Host it comes from; undefined for the built-in one and for files from this device. */
	readonly from: string | undefined;
}

/** Room for what this origin keeps, as the browser estimates it. Bytes. */
export interface Room {
	readonly used: number;
	readonly quota: number | undefined;
	/** Whether the browser promised not to clear it when space is short; undefined where it cannot say. */
	readonly persisted: boolean | undefined;
}

export interface Models {
	/** Built-in first, then what is kept, then what could be, best fit first. */
	readonly entries: readonly ModelEntry[];
	/** Calls back at once and on every change. */
	observe(listener: (entries: readonly ModelEntry[]) => void): () => void;
	/**
	 * Looks at what lies at an address (a folder or a weights file of a Hugging Face-like repository): reads the small files and the sizes of
	 * the large ones, and adds it to the list. Refusals: `model-unsupported`, `engine-load-failed`, `oversized`, `aborted`.
	 */
	look(address: string, signal: AbortSignal): Promise<ModelEntry>;
	/** Takes a model from files that a person chose or dropped, copies them and keeps them. Refusals as `look`, and `storage-full`. */
	take(files: readonly File[], onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<ModelEntry>;
	/**
	 * Fetches what is missing of a model and keeps it, verified; goes on where an earlier call stopped. Refusals: `engine-load-failed`,
	 * `weights-corrupt`, `storage-full`, `storage-unavailable`, `aborted` (what came so far stays).
	 */
	fetch(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void>;
	/** Deletes what is kept of it; one that was added goes from the list too. The built-in one cannot be deleted: `malformed`. */
	remove(id: string): Promise<void>;
	/** A new engine for it, nothing loaded. Loading fetches what is missing. Refusal `engine-not-ready` for an id that is not in the list. */
	engine(id: string): Engine;
	room(): Promise<Room>;
	/** Asks the browser not to clear what is kept; true when it promised. */
	persist(): Promise<boolean>;
}
