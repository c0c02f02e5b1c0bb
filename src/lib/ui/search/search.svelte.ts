/** A search through everything that was said on this device, in slices, so that typing stays smooth however much that is. */
import type { App } from '#lib/node/app.ts';
import type { Conversation, Message } from '#lib/ports/store.ts';
import { fits, fold, grouped, wordsOf, type Found } from './find.ts';

/** Begins when typing rests this long. */
const REST_MS = 120;
/** Works this long at a time; a key that is pressed meanwhile waits no longer. */
const SLICE_MS = 8;

export class Search {
	query = $state('');
	found = $state.raw<readonly Found[] | undefined>(undefined);
	readonly #app: Promise<App>;
	readonly #conversations: () => readonly Conversation[];
	#texts: readonly { readonly message: Message; readonly folded: string }[] | undefined;
	#stop: (() => void) | undefined;
	#turn = 0;

	constructor(app: Promise<App>, conversations: () => readonly Conversation[]) {
		this.#app = app;
		this.#conversations = conversations;
	}

	/** Searches for `query` once typing rests; what an earlier one finds later is dropped. An empty one ends the search and frees its memory. */
	async look(query: string): Promise<void> {
		const turn = ++this.#turn;
		this.query = query;
		const words = wordsOf(query);
		if (words.length === 0) {
			this.found = undefined;
			this.#forget();
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, REST_MS));
		if (turn !== this.#turn) return;
		const texts = this.#texts ?? (await this.#read(turn));
		const fitting: Message[] = [];
		let since = performance.now();
		for (const { message, folded } of texts) {
			if (fits(folded, words)) fitting.push(message);
			if (performance.now() - since < SLICE_MS) continue;
			await new Promise((resolve) => setTimeout(resolve));
			if (turn !== this.#turn) return;
			since = performance.now();
		}
		if (turn === this.#turn) this.found = grouped(this.#conversations(), fitting, words);
	}

	/** Every message, folded once; forgotten when any is written. */
	async #read(turn: number): Promise<readonly { readonly message: Message; readonly folded: string }[]> {
		const { store } = await this.#app;
		this.#stop ??= store.messages.observe(() => (this.#texts = undefined));
		const messages = await store.messages.list();
		const texts: { message: Message; folded: string }[] = [];
		let since = performance.now();
		for (const message of messages) {
			texts.push({ message, folded: fold(message.text) });
			if (performance.now() - since < SLICE_MS) continue;
			await new Promise((resolve) => setTimeout(resolve));
			if (turn !== this.#turn) return texts;
			since = performance.now();
		}
		this.#texts = texts;
		return texts;
	}

	#forget(): void {
		this.#stop?.();
		this.#stop = this.#texts = undefined;
	}
}
