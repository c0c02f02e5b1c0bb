/** Conversations out to files and in from them. */
import type { App } from '#lib/node/app.ts';
import { codeOfThrown, wordsFor } from '../words.ts';
import { bundleOf, MAX_FILE, readBundle, TROUBLES, type Whole } from './bundle.ts';
import { readMarkdown } from './markdown-file.ts';

export type Import =
	| { readonly state: 'idle' }
	| { readonly state: 'running'; readonly done: number; readonly of: number }
	| { readonly state: 'done'; readonly conversations: number; readonly messages: number }
	| { readonly state: 'failed'; readonly why: string };

/** Written this many at once: one by one a long conversation would take a minute, all at once would hold everything up. */
const AT_ONCE = 50;

export class Transfer {
	importing = $state.raw<Import>({ state: 'idle' });
	readonly #app: Promise<App>;
	readonly #id: () => string;

	constructor(app: Promise<App>, id: () => string) {
		this.#app = app;
		this.#id = id;
	}

	/** All conversations of this device with all their branches, as the text of a file. */
	async everything(): Promise<string> {
		const { store } = await this.#app;
		const wholes: Whole[] = [];
		for (const conversation of await store.conversations.list())
			wholes.push({ conversation, messages: await store.messages.of(conversation.id) });
		return bundleOf(wholes, Date.now());
	}

	/** One of them. */
	async one(id: string): Promise<string | undefined> {
		const { store } = await this.#app;
		const conversation = await store.conversations.get(id);
		return conversation && bundleOf([{ conversation, messages: await store.messages.of(id) }], Date.now());
	}

	/** Reads a file and keeps what is in it beside what is here. Resolves to the id of the conversation spoken in last. */
	async read(file: File): Promise<string | undefined> {
		if (this.importing.state === 'running') return undefined;
		this.importing = { state: 'running', done: 0, of: 0 };
		try {
			const app = await this.#app;
			if (file.size > MAX_FILE) return this.#fail(TROUBLES['too-large']);
			const text = await file.text();
			const reading = {
				id: this.#id,
				now: Date.now(),
				fixed: (question: string, answer: string) => app.fixedAnswer(question)?.text === answer
			};
			const json = /^\s*[[{]/.test(text);
			const found = json ? readBundle(text, reading) : readMarkdown(text, reading);
			if (typeof found === 'string') return this.#fail(TROUBLES[found]);
			return await this.#keep(app, 'messages' in found ? [found] : found);
		} catch (error) {
			const { happened, safe, todo } = wordsFor(codeOfThrown(error));
			return this.#fail([happened, safe, todo].join(' ').trim());
		}
	}

	async #keep({ store }: App, wholes: readonly Whole[]): Promise<string | undefined> {
		const of = wholes.reduce((sum, { messages }) => sum + messages.length, 0);
		let done = 0;
		for (const { conversation, messages } of wholes) {
			for (let at = 0; at < messages.length; at += AT_ONCE) {
				const some = messages.slice(at, at + AT_ONCE);
				await Promise.all(some.map((message) => store.messages.put(message)));
				done += some.length;
				this.importing = { state: 'running', done, of };
			}
			// The head last: a conversation that is listed is whole.
			await store.conversations.put(conversation);
		}
		this.importing = { state: 'done', conversations: wholes.length, messages: of };
		return wholes.reduce((a, b) => (b.conversation.updatedAt > a.conversation.updatedAt ? b : a)).conversation.id;
	}

	#fail(why: string): undefined {
		this.importing = { state: 'failed', why };
	}
}
