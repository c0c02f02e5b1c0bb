/**
 * One conversation as a screen sees it: its messages, the answer under way, and what a person can do with them.
 * Everything is kept in the store as it happens, so that a reload or a closed tab loses no word.
 */
import type { App, Wish } from '#lib/node/app.ts';
import type { Conversation, Message } from '#lib/ports/store.ts';
import { codeOfThrown } from '../words.ts';
import {
	answeredBy,
	emptyAnswer,
	end,
	fix,
	isAnswer,
	titleFrom,
	turnsBefore,
	type AnswerMessage,
	type Place,
	type Running
} from './answering.ts';
import { events, unlessStopped } from './streams.ts';

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
	/** Id of the model wished for on the mesh; undefined: any. */
	meshModel(): string | undefined;
}

/** Which answers some tab is writing: an answer left as running by a closed tab must not wait for ever. */
export interface Claims {
	/** Claims an answer until the returned function is called or the tab ends. */
	hold(message: string): () => void;
	/** Calls back once nobody writes this answer. */
	whenFree(message: string, then: () => void): void;
}

/** A running answer is written down this often; what came since is all that a crash can cost. */
const SAVE_EVERY_MS = 1000;
/** Words are shown in batches: faster than this nobody reads, and parsing for every token would slow a long answer. */
const SHOW_EVERY_MS = 40;
/** Half of the pocket model's context, so that a prompt has room. */
const MAX_ANSWER_TOKENS = 512;
/** The pocket model is made for greedy decoding (its card). */
const GREEDY = { temperatureMilli: 0, topK: 1, topPMilli: 1000 } as const;
/** A little chance makes answers of larger models read better; less than their usual 1.0, because there are no settings yet. */
const NATURAL = { temperatureMilli: 700, topK: 20, topPMilli: 950 } as const;
/** The length wish of tests goes with temperature 1, because a greedy answer forced to go on repeats itself. */
const OPEN = { temperatureMilli: 1000, topK: 20, topPMilli: 1000 } as const;

export class Chat {
	conversation = $state.raw<Conversation | undefined>(undefined);
	messages = $state.raw<readonly Message[]>([]);
	/** The answer under way, if any. */
	running = $state.raw<Running | undefined>(undefined);
	/** Turns left out of the newest answer for want of room. */
	droppedTurns = $state(0);
	readonly #with: ChatComponents;
	#stop: AbortController | undefined;
	#newest: Running | undefined;
	#later: ReturnType<typeof setTimeout> | undefined;
	#discarded = false;
	#showAt = 0;
	#saveAt = 0;
	/** Whether the messages kept are here; a new chat has none. */
	#loaded: boolean;
	/** Sent before they were: goes out behind them. */
	#early: { readonly text: string; readonly place: Place } | undefined;

	constructor(components: ChatComponents, conversation?: Conversation) {
		this.#with = components;
		this.conversation = conversation;
		this.#loaded = conversation === undefined;
	}

	/** Its messages are kept somewhere and not here yet. */
	get unread(): boolean {
		return !this.#loaded;
	}

	/** What was sent before the messages were here, for a chat that turns out not to exist. */
	takeEarly(): { readonly text: string; readonly place: Place } | undefined {
		const early = this.#early;
		this.#early = undefined;
		return early;
	}

	/** Reads the messages; answers no tab is writing any more become lost, with all their words. */
	async load(): Promise<void> {
		const id = this.conversation?.id;
		if (id === undefined || this.running) return;
		const { store } = await this.#with.app;
		const messages = await store.messages.of(id);
		if (this.running) return;
		this.messages = messages;
		for (const message of messages.filter(isAnswer))
			if (message.answer.status === 'running')
				this.#with.claims.whenFree(message.id, () => void this.#orphan(message.id));
		this.#loaded = true;
		const early = this.takeEarly();
		if (early !== undefined) this.send(early.text, early.place);
	}

	/** Sends a message and answers it. Returns false when there is nothing to send or an answer is still running. */
	send(text: string, place: Place): boolean {
		const words = text.trim();
		if (words === '' || this.running || this.#early !== undefined) return false;
		if (!this.#loaded) {
			this.#early = { text: words, place };
			return true;
		}
		const { now, id } = this.#with;
		const conversation = this.conversation ?? { id: id(), title: titleFrom(words), createdAt: now(), updatedAt: now() };
		this.#keepHead(conversation);
		const order = (this.messages.at(-1)?.order ?? -1) + 1;
		const message = { conversation: conversation.id, createdAt: now() };
		const question: Message = { ...message, id: id(), role: 'user', text: words, order };
		const answer: AnswerMessage = {
			...message,
			id: id(),
			role: 'assistant',
			text: '',
			order: order + 1,
			answer: emptyAnswer(place)
		};
		this.messages = [...this.messages, question, answer];
		this.#keep(question);
		void this.#answer(answer, place);
		return true;
	}

	/** Answers the newest question once more, from the beginning. */
	retry(id: string, place: Place): void {
		const message = this.#find(id);
		if (!message || this.running) return;
		void this.#answer({ ...message, text: '', answer: emptyAnswer(place) }, place);
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

	/** One answer from its first event to its last. */
	async #answer(message: AnswerMessage, place: Place): Promise<void> {
		const stop = (this.#stop = new AbortController());
		const release = this.#with.claims.hold(message.id);
		this.droppedTurns = 0;
		let state: Running = { message, phase: { kind: 'starting' }, droppedTurns: 0 };
		this.#show(state, true);
		try {
			const app = await unlessStopped(this.#with.app, stop.signal);
			const question = this.messages.find((other) => other.order === message.order - 1)?.text ?? '';
			const fixed = app.fixedAnswer(question);
			if (fixed) state = fix(state, fixed.text);
			else {
				if (place === 'device') state = answeredBy(state, app.chosen.value);
				for await (const hear of events(app, this.#wish(app, message, place), place, stop.signal)) {
					state = hear(state);
					if (stop.signal.aborted) state = { ...state, phase: { kind: 'stopping' } };
					this.#show(state, false);
				}
			}
			if (state.message.answer.status === 'running') state = end(state, 'internal');
		} catch (error) {
			state = end(state, stop.signal.aborted ? 'aborted' : codeOfThrown(error));
		} finally {
			clearTimeout(this.#later);
			this.#later = this.#newest = undefined;
			this.running = undefined;
			this.droppedTurns = state.droppedTurns;
			this.#replace(state.message);
			this.#keep(state.message);
			if (this.conversation) this.#keepHead({ ...this.conversation, updatedAt: this.#with.now() });
			release();
		}
	}

	#wish(app: App, message: AnswerMessage, place: Place): Wish {
		// Token ids of one model mean nothing to another.
		const begunBy = message.answer.tokens.length > 0 ? message.answer.modelId : undefined;
		const model = begunBy ?? (place === 'mesh' ? this.#with.meshModel() : undefined);
		const pocket = app.models.entries.find(({ origin }) => origin === 'built-in')?.id;
		const answering = model ?? (place === 'device' ? app.chosen.value : pocket);
		return {
			turns: turnsBefore(this.messages, message.order),
			continueFrom: message.answer.tokens,
			model,
			sampling: app.minTokens > 0 ? OPEN : answering === pocket ? GREEDY : NATURAL,
			minTokens: app.minTokens,
			// Counted with what is there already; whoever goes on from the very end gets as much again.
			maxTokens: Math.max(
				app.minTokens,
				MAX_ANSWER_TOKENS * Math.ceil((message.answer.tokens.length + 1) / MAX_ANSWER_TOKENS)
			),
			message: message.id
		};
	}

	/** Shows and saves a running answer, each no oftener than its pace. */
	#show(state: Running, atOnce: boolean): void {
		const now = this.#with.now();
		const phaseChanged = this.running?.phase.kind !== state.phase.kind;
		this.#newest = state;
		if (atOnce || phaseChanged || now - this.#showAt >= SHOW_EVERY_MS) this.#showNewest();
		// The last words before a pause must not wait for the next ones.
		else this.#later ??= setTimeout(() => this.#showNewest(), SHOW_EVERY_MS);
		if (atOnce || now - this.#saveAt >= SAVE_EVERY_MS) {
			this.#saveAt = now;
			this.#keep(state.message);
		}
	}

	#showNewest(): void {
		clearTimeout(this.#later);
		this.#later = undefined;
		if (!this.#newest) return;
		this.#showAt = this.#with.now();
		this.running = this.#newest;
		this.#replace(this.#newest.message);
	}

	#replace(message: Message): void {
		this.messages = this.messages.map((other) => (other.id === message.id ? message : other));
	}

	/** An answer whose tab is gone: its words stay and it can go on. */
	async #orphan(id: string): Promise<void> {
		const { store } = await this.#with.app;
		const message = await store.messages.get(id);
		if (!message || !isAnswer(message) || message.answer.status !== 'running' || this.running) return;
		const closed: Message = { ...message, answer: { ...message.answer, status: 'lost', code: 'aborted' } };
		this.#replace(closed);
		this.#keep(closed);
	}

	#keepHead(conversation: Conversation): void {
		this.conversation = conversation;
		if (this.#discarded) return;
		void this.#with.app.then(({ store }) => store.conversations.put(conversation)).catch(this.#with.notKept);
	}

	#keep(message: Message): void {
		if (this.#discarded) return;
		void this.#with.app.then(({ store }) => store.messages.put(message)).catch(this.#with.notKept);
	}
}
