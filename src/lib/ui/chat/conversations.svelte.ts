/**
 * The list of conversations and the one that is open. Chats stay in memory once opened, so that an answer goes on while another is read.
 */
import type { Conversation, Message } from '#lib/ports/store.ts';
import { SvelteMap } from 'svelte/reactivity';
import { Chat, type ChatComponents } from './chat.svelte.ts';

/** A deleted conversation with all its messages, until it can no longer be brought back. */
export interface Deleted {
	readonly conversation: Conversation;
	readonly messages: readonly Message[];
}

/** What the list needs beyond what a chat needs. */
export interface ConversationsComponents extends ChatComponents {
	/** Remembers which conversation this tab had open, across a reload. */
	readonly place: { get(): string | undefined; set(id: string | undefined): void };
}

/** Deleting can be undone for this long. */
export const UNDO_MS = 8000;

export class Conversations {
	list = $state.raw<readonly Conversation[]>([]);
	open = $state.raw<Chat>() as Chat;
	deleted = $state.raw<Deleted | undefined>(undefined);
	/** False until the store was read once. */
	loaded = $state(false);
	readonly #with: ConversationsComponents;
	readonly #chats = new SvelteMap<string, Chat>();
	#forget: ReturnType<typeof setTimeout> | undefined;
	#refreshing = false;
	/** The last deletion, until everything of it is gone. */
	#removing: Promise<void> = Promise.resolve();

	constructor(components: ConversationsComponents) {
		const { place } = components;
		// A conversation that is not kept yet is not what a reload shall look for: the draft it came from is.
		const kept = (id: string) => {
			if (this.open.conversation?.id === id) place.set(id);
		};
		this.#with = { ...components, kept };
		// What this tab had open is open at once, so that a reload neither shows an empty chat first nor loses a draft on the way.
		const id = place.get();
		this.open = new Chat(this.#with, id === undefined ? undefined : { id, title: '', createdAt: 0, updatedAt: 0 });
	}

	/** Reads the list, opens what this tab had open, and follows changes of all tabs. Returns how to stop. */
	async start(): Promise<() => void> {
		const { store } = await this.#with.app;
		await this.refresh();
		await this.#resume();
		void this.#takeUp().catch(this.#with.notKept);
		const stops = [
			store.conversations.observe(() => void this.#refreshSoon()),
			store.messages.observe(({ key }) => this.#messageChanged(key))
		];
		return () => stops.forEach((stop) => stop());
	}

	/** Fills the chat that was open before a reload; without it, what was sent meanwhile begins a new one. */
	async #resume(): Promise<void> {
		const chat = this.open;
		const id = chat.conversation?.id;
		if (id === undefined || chat.messages.length > 0) return;
		const found = this.list.find((one) => one.id === id);
		if (found) {
			chat.conversation = found;
			this.#chats.set(id, chat);
			await chat.load();
		} else this.giveUp();
	}

	/** Answers over the mesh that were under way when their page ended go on, also those of conversations that are not open. */
	async #takeUp(): Promise<void> {
		const { store, unfinished } = await this.#with.app;
		for (const message of await unfinished()) {
			const id = (await store.messages.get(message))?.conversation;
			const conversation = this.list.find((one) => one.id === id);
			if (!conversation || this.open.conversation?.id === id || this.#chats.has(conversation.id)) continue;
			const chat = new Chat(this.#with, conversation);
			this.#chats.set(conversation.id, chat);
			await chat.load();
		}
	}

	/** Nothing can be read: an empty chat, and what was sent into the one that was expected goes out there. */
	giveUp(): void {
		if (!this.open.unread) return;
		const waited = this.open.takeBack();
		this.startNew();
		if (waited && this.open.send(waited)) this.began();
	}

	/** Reads the list again. */
	async refresh(): Promise<void> {
		const { store } = await this.#with.app;
		this.list = await store.conversations.list();
		this.loaded = true;
	}

	/** Opens a conversation. */
	async choose(id: string): Promise<void> {
		const running = this.open.conversation?.id === id ? this.open : this.#chats.get(id);
		const conversation = this.list.find((one) => one.id === id);
		if (!running && !conversation) return;
		const chat = running ?? new Chat(this.#with, conversation);
		this.#leave();
		this.#chats.set(id, chat);
		this.open = chat;
		this.#with.place.set(id);
		await chat.load();
	}

	/** Opens a conversation where a message stands, on whatever branch. */
	async find(id: string, message: string | undefined): Promise<void> {
		await this.choose(id);
		if (message === undefined || this.open.conversation?.id !== id) return;
		this.open.show(message);
		this.open.sought = message;
	}

	/** An empty chat; it becomes a conversation with its first message. */
	startNew(): void {
		this.#leave();
		this.open = new Chat(this.#with);
		this.#with.place.set(undefined);
	}

	/** To be called when a first message made a conversation of the open chat. */
	began(): void {
		const id = this.open.conversation?.id;
		if (id !== undefined) this.#chats.set(id, this.open);
	}

	/** Gives a conversation another name; an empty one changes nothing. */
	async rename(id: string, title: string): Promise<void> {
		const old = this.list.find((one) => one.id === id);
		const words = title.trim();
		if (!old || words === '' || words === old.title) return;
		const renamed = { ...old, title: words };
		this.list = this.list.map((one) => (one.id === id ? renamed : one));
		for (const chat of [this.open, this.#chats.get(id)])
			if (chat?.conversation?.id === id) chat.conversation = { ...chat.conversation, title: words };
		await this.#keep(async ({ store }) => store.conversations.put(renamed));
	}

	/** Deletes a conversation at once; what it held stays in memory for the time of an undo. */
	async remove(id: string): Promise<void> {
		const conversation = this.list.find((one) => one.id === id);
		if (!conversation) return;
		this.#chats.get(id)?.discard();
		if (this.open.conversation?.id === id) this.open.discard();
		this.list = this.list.filter((one) => one.id !== id);
		if (this.open.conversation?.id === id) this.startNew();
		this.#chats.delete(id);
		this.#removing = this.#keep(async ({ store }) => {
			const messages = await store.messages.of(id);
			this.deleted = { conversation, messages };
			clearTimeout(this.#forget);
			this.#forget = setTimeout(() => (this.deleted = undefined), UNDO_MS);
			await store.conversations.delete(id);
			for (const message of messages) await store.messages.delete(message.id);
		});
		await this.#removing;
	}

	/** Brings the last deleted conversation back. */
	async undo(): Promise<void> {
		const { deleted } = this;
		if (!deleted) return;
		clearTimeout(this.#forget);
		this.deleted = undefined;
		// What is still being deleted would take away what is brought back.
		await this.#removing;
		await this.#keep(async ({ store }) => {
			for (const message of deleted.messages) await store.messages.put(message);
			await store.conversations.put(deleted.conversation);
		});
		await this.refresh();
		await this.choose(deleted.conversation.id);
	}

	/** Chats that are not answering need not stay in memory. */
	#leave(): void {
		const id = this.open.conversation?.id;
		if (id !== undefined && !this.open.running) this.#chats.delete(id);
	}

	async #keep(write: (app: Awaited<ChatComponents['app']>) => Promise<void>): Promise<void> {
		try {
			await write(await this.#with.app);
		} catch (error) {
			this.#with.notKept(error);
		}
	}

	#messageChanged(key: string): void {
		// Our own writes come back too; while an answer runs here, what is shown is newer than what is stored.
		if (this.open.running) return;
		const known = this.open.messages.some((message) => message.id === key);
		if (known || this.open.conversation) void this.#reload();
	}

	async #reload(): Promise<void> {
		if (this.#refreshing) return;
		this.#refreshing = true;
		await new Promise((resolve) => setTimeout(resolve, 150));
		this.#refreshing = false;
		await this.open.load();
	}

	async #refreshSoon(): Promise<void> {
		await this.refresh();
		const id = this.open.conversation?.id;
		const now = this.list.find((one) => one.id === id);
		if (now && this.open.conversation && now.title !== this.open.conversation.title)
			this.open.conversation = { ...this.open.conversation, title: now.title };
	}
}
