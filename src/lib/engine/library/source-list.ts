/** Models that another engine library lists, keeps and runs by itself (WebLLM's on the GPU), so that one list shows them all. */
import type { Engine, LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry } from '#lib/ports/models.ts';

/** The part of the Models port that such a list does for its own entries; refusals as there. */
export interface ModelSourceList {
	/** Best fit first. */
	entries(): readonly ModelEntry[];
	/** Calls back on every change. Returns how to stop. */
	observe(listener: () => void): () => void;
	engine(id: string): Engine;
	fetch(id: string, onProgress: (progress: LoadProgress) => void, signal: AbortSignal): Promise<void>;
	remove(id: string): Promise<void>;
}
