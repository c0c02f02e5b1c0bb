/**
 * One conversation as a screen sees it: its messages, the answer under way, and what a person can do with them.
 * Everything is kept in the store as it happens, so that a reload or a closed tab loses no word.
 */
import type { App } from '#lib/node/app.ts';
import type { Attachment, Conversation, Manner, Message } from '#lib/ports/store.ts';
import { codeOfThrown } from '../words.ts';
import {
	abandon,
	answeredBy,
	emptyAnswer,
	end,
	fix,
	isAnswer,
	titleFrom,
	type AnswerMessage,
	type Place,
	type Running
} from './answering.ts';
import { Branches, NOTHING_SHOWN, type Versions } from './branches.ts';
import type { Claims } from './claims.ts';
import { tidy } from './manner.ts';
import { markdown } from './markdown-reader.svelte.ts';
import { Pace } from './pace.ts';
import { events, eventsAgain, unlessStopped } from './streams.ts';
import { wishFor } from './wish.ts';

/** What a chat needs from outside. */
export interface ChatComponents {
	/** Resolves when the tab runs; a message sent before waits for it. */
	readonly app: Promise<App>;
	readonly now: () => number;
	readonly id: () => string;
	/** Says who is writing an answer among the tabs of this profile. */
	readonly claims: Claims;
	/** Hears that keeping failed, with a code. */
	readonly notKept: (error: unknown) => void;
	/** Hears that a message of this conversation is kept: a reload finds it. */
	readonly kept?: (conversation: string) => void;
	/** Id of the model wished for on the mesh; undefined: any. */
	meshModel(): string | undefined;
}

/** What a person sends. */
export interface Sent {
	readonly text: string;
	readonly place: Place;
	readonly attachments?: readonly Attachment[] | undefined;
	/** Called when it has become a message: until then its words belong to whoever typed them. */
	readonly gone?: (() => void) | undefined;
	/** Called when that message is kept: until then a reload loses it, and its draft is to be had again. */
	readonly kept?: (() => void) | undefined;
}

export class Chat {
	conversation = $state.raw<Conversation | undefined>(undefined);
	/** The branch that is shown, first to last. */
	messages = $state.raw<readonly Message[]>([]);
	/** Messages of it that have more than one version. */
	versions = $state.raw<ReadonlyMap<string, Versions>>(NOTHING_SHOWN.versions);
	/** How a conversation that has not begun shall be answered. */
	#manner = $state.raw<Manner | undefined>(undefined);
	readonly #branches = new Branches();
	/** A message that was searched for and shall come into sight. */
	sought = $state.raw<string | undefined>(undefined);
	/** The answer under way, if any. */
	running = $state.raw<Running | undefined>(undefined);
	/** Sent before the messages kept were here: goes out behind them. */
	waiting = $state.raw<Sent | undefined>(undefined);
	/** Turns left out of the newest answer for want of room. */
	droppedTurns = $state(0);
	readonly #with: ChatComponents;
	#stop: AbortController | undefined;
	#discarded = false;
	/** Whether the messages kept are here; a new chat has none. */
	#loaded: boolean;
	/** Answers of other tabs that are waited for. */
	#awaited: readonly string[] = [];

	constructor(components: ChatComponents, conversation?: Conversation, manner?: Manner) {
		this.#with = components;
		this.conversation = conversation;
		this.#manner = manner;
		this.#loaded = conversation === undefined;
	}

	/** Its messages are kept somewhere and not here yet. */
	get unread(): boolean {
		return !this.#loaded;
	}

	/** Takes back what waits, so that it does not go out here. */
	takeBack(): Sent | undefined {
		const { waiting } = this;
		this.waiting = undefined;
		return waiting;
	}

	/** Reads the messages; an answer no tab is writing any more is taken up, or becomes lost with all its words. */
	async load(): Promise<void> {
		const id = this.conversation?.id;
		if (id === undefined || this.running) return;
		const { store } = await this.#with.app;
		const [messages] = await Promise.all([store.messages.of(id), markdown.soon()]);
		if (this.running) return;
		this.#branches.replaceAll(messages);
		this.#branch(this.conversation?.leaf);
		for (const message of messages.filter(isAnswer)) if (message.answer.status === 'running') this.#await(message.id);
		this.#loaded = true;
		const waited = this.takeBack();
		if (waited !== undefined) this.send(waited);
	}

	/** How this conversation is answered; undefined: as the model likes it. */
	get manner(): Manner | undefined {
		return this.conversation ? this.conversation.manner : this.#manner;
	}

	/** Sets it, from the next answer on. */
	set manner(manner: Manner | undefined) {
		const tidied = manner && tidy(manner);
		this.#manner = tidied;
		if (this.conversation) this.#keepHead({ ...this.conversation, manner: tidied });
	}

	/** Sends a message and answers it. Returns false when there is nothing to send or an answer is still running. */
	send(sent: Sent): boolean {
		const text = sent.text.trim();
		const nothing = text === '' && (sent.attachments ?? []).length === 0;
		if (nothing || this.running || this.waiting) return false;
		if (this.#loaded) return this.#say(this.messages.at(-1), { ...sent, text });
		this.waiting = { ...sent, text };
		return true;
	}

	/** Says something else in place of an own message, on a branch of its own; what was said and answered stays beside it. */
	edit(id: string, text: string, place: Place): boolean {
		const old = this.#branches.get(id);
		const words = text.trim();
		const { attachments = [] } = old ?? {};
		if (old?.role !== 'user' || this.running || (words === '' && attachments.length === 0)) return false;
		return this.#say(this.#before(old), { text: words, place, attachments });
	}

	/** The message before `message` on the branch that is shown. */
	#before(message: Message): Message | undefined {
		return this.messages[this.messages.findIndex(({ id }) => id === message.id) - 1];
	}

	#say(parent: Message | undefined, { text, place, attachments = [], gone, kept }: Sent): true {
		const { now, id } = this.#with;
		const title = titleFrom(text === '' ? (attachments[0]?.name ?? '') : text);
		const begun = { id: id(), title, createdAt: now(), updatedAt: now(), manner: this.#manner };
		const conversation = this.conversation ?? begun;
		const question: Message = {
			id: id(),
			conversation: conversation.id,
			role: 'user',
			text,
			createdAt: now(),
			order: (parent?.order ?? -1) + 1,
			...(parent && { parent: parent.id }),
			...(attachments.length > 0 && { attachments })
		};
		const answer = this.#answerAfter(question, place);
		this.#add(conversation, [question, answer]);
		gone?.();
		this.#keep(question, () => {
			kept?.();
			this.#with.kept?.(conversation.id);
		});
		void this.#answer(answer, place);
		return true;
	}

	#answerAfter(question: Message, place: Place): AnswerMessage {
		return {
			id: this.#with.id(),
			conversation: question.conversation,
			createdAt: this.#with.now(),
			role: 'assistant',
			text: '',
			order: question.order + 1,
			parent: question.id,
			answer: emptyAnswer(place)
		};
	}

	/** Puts new messages at the end of a branch, and shows that branch. */
	#add(conversation: Conversation, messages: readonly Message[]): void {
		this.#branches.put(...messages);
		const leaf = messages.at(-1)?.id;
		this.#keepHead({ ...conversation, leaf });
		this.#branch(leaf);
	}

	/** Shows the branch through `leaf`. */
	#branch(leaf: string | undefined): void {
		const { path, versions } = this.#branches.shown(leaf);
		this.versions = versions;
		this.messages = path;
	}

	/** Shows the branch that `id` is on. Not while an answer runs: its words must stay in sight. */
	show(id: string): void {
		if (this.running || this.#branches.get(id) === undefined) return;
		if (!this.messages.some((message) => message.id === id)) this.#branch(id);
		if (this.conversation) this.#keepHead({ ...this.conversation, leaf: this.messages.at(-1)?.id });
	}

	/**
	 * Answers a question once more, from the beginning, beside the answer that is there; in its place when that one has no words. `model`
	 * is the wish for the mesh.
	 */
	retry(id: string, place: Place, model?: string): void {
		const old = this.#find(id);
		if (!old || this.running || !this.conversation) return;
		const question = this.#before(old);
		const empty = { ...old, text: '', answer: emptyAnswer(place) };
		if (old.text === '' || question === undefined) return void this.#answer(empty, place, model);
		const answer = this.#answerAfter(question, place);
		this.#add(this.conversation, [answer]);
		void this.#answer(answer, place, model);
	}

	/** Goes on after the last word of an answer that was lost or stopped. */
	goOn(id: string, place: Place): void {
		const message = this.#find(id);
		if (!message || this.running) return;
		const seams = message.text === '' ? message.answer.seams : [...message.answer.seams, message.text.length];
		const answer = { ...message.answer, by: place, status: 'running', code: undefined, seams } as const;
		void this.#answer({ ...message, answer }, place);
	}

	/** Stops the answer under way; what came stays. */
	stop(): void {
		if (!this.running || this.#stop?.signal.aborted) return;
		this.running = { ...this.running, phase: { kind: 'stopping' } };
		this.#stop?.abort();
	}

	/** The conversation is deleted: the answer under way ends, and nothing more is written down. */
	discard(): void {
		this.#discarded = true;
		this.stop();
	}

	#find = (id: string): AnswerMessage | undefined =>
		this.messages.filter(isAnswer).find((message) => message.id === id);

	/** One answer from its first event to its last; `orphan`: one that a page before this one began, claimed already. */
	async #answer(message: AnswerMessage, place: Place, model?: string, orphan = false): Promise<void> {
		const stop = (this.#stop = new AbortController());
		const release = orphan ? () => undefined : this.#with.claims.hold(message.id);
		this.droppedTurns = 0;
		let state: Running = { message, phase: { kind: 'starting' }, droppedTurns: 0 };
		const pace = new Pace<Running>({
			now: this.#with.now,
			evenly: place === 'mesh',
			show: (newest) => {
				this.running = newest;
				this.#replace(newest.message);
			},
			keep: (newest) => this.#keep(newest.message)
		});
		pace.hear(state);
		try {
			const app = await unlessStopped(this.#with.app, stop.signal);
			const question = this.#before(message)?.text ?? '';
			const fixed = orphan ? undefined : app.fixedAnswer(question);
			if (fixed) state = fix(state, fixed.text);
			else {
				if (place === 'device') state = answeredBy(state, app.chosen.value);
				const { manner, messages } = this;
				const wanted = { answer: message, messages, place, manner, model: model ?? this.#with.meshModel() };
				const { wish, unsent } = wishFor(app, wanted);
				const told = orphan ? eventsAgain(app, message, stop.signal) : events(app, wish, place, stop.signal);
				for await (const hear of told) {
					state = hear(state);
					if (stop.signal.aborted) state = { ...state, phase: { kind: 'stopping' } };
					pace.hear(state);
				}
				state = { ...state, droppedTurns: state.droppedTurns + unsent };
			}
			if (state.message.answer.status === 'running') state = orphan ? abandon(state) : end(state, 'internal');
		} catch (error) {
			state = end(state, stop.signal.aborted ? 'aborted' : codeOfThrown(error));
		} finally {
			// What failed on this side goes on nowhere else.
			stop.abort();
			pace.end();
			this.running = undefined;
			this.droppedTurns = state.droppedTurns;
			this.#replace(state.message);
			this.#keep(state.message);
			if (this.conversation) this.#keepHead({ ...this.conversation, updatedAt: this.#with.now() });
			release();
		}
	}

	#replace(message: Message): void {
		this.#branches.put(message);
		this.messages = this.messages.map((other) => (other.id === message.id ? message : other));
	}

	/** Waits until no other tab writes this answer; once, however often the messages are read. */
	#await(id: string): void {
		if (this.#awaited.includes(id)) return;
		this.#awaited = [...this.#awaited, id];
		this.#with.claims.whenFree(id, async () => {
			this.#awaited = this.#awaited.filter((other) => other !== id);
			await this.#takeUp(id).catch(this.#with.notKept);
		});
	}

	/** An answer whose tab is gone: over the mesh it may go on; else its words stay and it can be continued. */
	async #takeUp(id: string): Promise<void> {
		const { store } = await this.#with.app;
		const message = await store.messages.get(id);
		if (!message || !isAnswer(message) || message.answer.status !== 'running' || this.running) return;
		if (this.#discarded) return;
		await this.#answer(message, message.answer.by === 'mesh' ? 'mesh' : 'device', undefined, true);
	}

	#keepHead(conversation: Conversation): void {
		this.conversation = conversation;
		if (this.#discarded) return;
		void this.#with.app.then(({ store }) => store.conversations.put(conversation)).catch(this.#with.notKept);
	}

	/** `kept` is called when it is, or when its conversation was deleted. */
	#keep(message: Message, kept?: () => void): void {
		if (this.#discarded) return kept?.();
		const { app, notKept } = this.#with;
		void app
			.then(({ store }) => store.messages.put(message))
			.then(kept)
			.catch(notKept);
	}
}
