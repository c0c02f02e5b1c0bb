/** Models of this device as the screens see them: the list, downloads that go on whatever page is open, room, and what was just added. */
import type { App } from '#lib/node/app.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { ModelEntry, Room } from '#lib/ports/models.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { codeOfThrown } from '../words.ts';

/** A download under way, or why the last one ended. */
export type Transfer =
	| { readonly state: 'running'; readonly progress: LoadProgress | undefined }
	| { readonly state: 'failed'; readonly code: Code };

export class Library {
	entries = $state.raw<readonly ModelEntry[]>([]);
	chosen = $state<string | undefined>(undefined);
	/** By model id. */
	transfers = $state.raw<Readonly<Record<string, Transfer>>>({});
	room = $state.raw<Room | undefined>(undefined);
	/** What became of the last address or files. */
	adding = $state.raw<
		| { readonly state: 'idle' | 'running' }
		| { readonly state: 'found'; readonly id: string }
		| { readonly state: 'failed'; readonly code: Code }
	>({ state: 'idle' });
	/** The answer to "keep my models"; undefined before it was asked. */
	promised = $state<boolean | undefined>(undefined);
	/** Tokens per second measured here, by model. */
	speeds = $state.raw<Readonly<Record<string, number>>>({});
	readonly #app: Promise<App>;
	readonly #stops: Record<string, AbortController> = {};
	#adding: AbortController | undefined;

	constructor(app: Promise<App>) {
		this.#app = app;
	}

	/** Follows the tab. Returns how to stop. */
	follow(app: App): () => void {
		const stops = [
			app.models.observe((entries) => (this.entries = entries)),
			app.chosen.observe((id) => (this.chosen = id)),
			app.engine.observe((engine) => {
				if (engine.state !== 'ready') return;
				const { card, tokensPerSecond } = engine.ready;
				this.speeds = { ...this.speeds, [card.id]: tokensPerSecond };
			})
		];
		void this.look();
		return () => stops.forEach((stop) => stop());
	}

	find = (id: string | undefined): ModelEntry | undefined => this.entries.find((entry) => entry.id === id);

	/** Asks the browser for the room that is left. */
	async look(): Promise<void> {
		this.room = await (await this.#app).models.room().catch(() => undefined);
	}

	async choose(id: string): Promise<void> {
		await (await this.#app).choose(id).catch(() => {});
	}

	/** Frees the memory of the model that answers here. */
	async free(): Promise<void> {
		await (await this.#app).unload();
	}

	/** Downloads, or goes on where an earlier download stopped. */
	async fetch(id: string): Promise<void> {
		if (this.transfers[id]?.state === 'running') return;
		const stop = new AbortController();
		this.#stops[id] = stop;
		this.#set(id, { state: 'running', progress: undefined });
		try {
			const { models } = await this.#app;
			await models.fetch(id, (progress) => this.#set(id, { state: 'running', progress }), stop.signal);
			this.#set(id, undefined);
		} catch (error) {
			const code = codeOfThrown(error);
			this.#set(id, code === 'aborted' ? undefined : { state: 'failed', code });
		} finally {
			delete this.#stops[id];
			void this.look();
		}
	}

	/** Stops a download; what came stays. */
	cancel(id: string): void {
		this.#stops[id]?.abort();
	}

	async remove(id: string): Promise<void> {
		this.cancel(id);
		try {
			await (await this.#app).models.remove(id);
			this.#set(id, undefined);
		} catch (error) {
			this.#set(id, { state: 'failed', code: codeOfThrown(error) });
		}
		void this.look();
	}

	/** Looks at an address; nothing large is fetched. */
	address(address: string): Promise<void> {
		return this.#add(async (app, signal) => app.models.look(address, signal));
	}

	/** Copies files in. */
	files(files: readonly File[]): Promise<void> {
		return this.#add(async (app, signal) => app.models.take(files, () => undefined, signal));
	}

	stopAdding(): void {
		this.#adding?.abort();
	}

	async #add(work: (app: App, signal: AbortSignal) => Promise<ModelEntry>): Promise<void> {
		const stop = (this.#adding = new AbortController());
		this.adding = { state: 'running' };
		try {
			const { id } = await work(await this.#app, stop.signal);
			this.adding = { state: 'found', id };
		} catch (error) {
			const code = codeOfThrown(error);
			this.adding = code === 'aborted' ? { state: 'idle' } : { state: 'failed', code };
		}
		void this.look();
	}

	/** Asks the browser not to clear what is kept. */
	async persist(): Promise<void> {
		this.promised = await (await this.#app).models.persist().catch(() => false);
		await this.look();
	}

	#set(id: string, transfer: Transfer | undefined): void {
		const { [id]: _before, ...rest } = this.transfers;
		this.transfers = transfer === undefined ? rest : { ...rest, [id]: transfer };
	}
}
