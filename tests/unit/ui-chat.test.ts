/** A conversation's life without a browser: send, stop, lose, continue, reload, rename, delete, undo. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Message } from '#lib/ports/store.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import type { OriginateEvent } from '#lib/node/events.ts';
import { emptyAnswer, hearMesh, titleFrom, type AnswerMessage, type Running } from '#lib/ui/chat/answering.ts';
import { Chat } from '#lib/ui/chat/chat.svelte.ts';
import type { Claims } from '#lib/ui/chat/claims.ts';
import { turnsBefore } from '#lib/ui/chat/turns.ts';
import { Conversations, UNDO_MS } from '#lib/ui/chat/conversations.svelte.ts';
import { hearJob } from '#lib/ui/contribute/contribution.svelte.ts';
import { fakeApp, fakeStore, pieces, type Script } from '../doubles/app.ts';

/** Claims of a profile: what a tab held is free once the tab is closed. */
function profileClaims() {
	const held = new Set<string>();
	const waiting = new Map<string, () => void | Promise<void>>();
	const claims: Claims = {
		hold(message) {
			held.add(message);
			return () => held.delete(message);
		},
		whenFree: (message, then) => void (held.has(message) ? waiting.set(message, then) : then())
	};
	const closeTab = () => {
		held.clear();
		for (const then of waiting.values()) void then();
	};
	return { claims, closeTab };
}

let ids = 0;
function profile(script: Partial<Script> = {}, store = fakeStore()) {
	const double = fakeApp({ loadMs: 60, tokenMs: 20, ...script }, store);
	const { claims, closeTab } = profileClaims();
	const problems: unknown[] = [];
	let open: string | undefined;
	const wished: { model: string | undefined } = { model: undefined };
	const components = {
		app: Promise.resolve(double.app),
		now: Date.now,
		id: () => `id${++ids}`,
		claims,
		notKept: (error: unknown) => problems.push(error),
		place: { get: () => open, set: (id: string | undefined) => (open = id) },
		meshModel: () => wished.model
	};
	return { ...double, components, wished, closeTab, problems, chat: new Chat(components), remembered: () => open };
}

const answerOf = (chat: Chat) => chat.messages.at(-1)?.answer;
const textOf = (chat: Chat) => chat.messages.at(-1)?.text;
const settle = () => vi.advanceTimersByTimeAsync(10_000);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a chat', () => {
	test('a wish for the mesh names the chosen model; here and while going on it does not', async () => {
		const { chat, wishes, wished } = profile({ loseAfter: 4 });
		wished.model = 'other-model';
		chat.send({ text: 'Hello?', place: 'mesh' });
		await settle();
		expect(wishes.at(-1)?.wish.model).toBe('other-model');
		const id = chat.messages.at(-1)?.id ?? '';
		chat.goOn(id, 'mesh');
		await settle();
		// Its tokens are those of the model that answered, whatever was wished for.
		expect(wishes.at(-1)?.wish.continueFrom.length).toBeGreaterThan(0);
		expect(wishes.at(-1)?.wish.model).toBe('pocket-5m-q4');
		chat.send({ text: 'And here?', place: 'device' });
		await settle();
		expect(wishes.at(-1)?.wish.model).toBeUndefined();
	});

	test('answers on this device, streams, and keeps everything', async () => {
		const { chat, store, wishes } = profile();
		expect(chat.send({ text: '  What is the capital of Peru?\n', place: 'device' })).toBe(true);
		expect(chat.messages.map(({ role, text }) => [role, text])).toEqual([
			['user', 'What is the capital of Peru?'],
			['assistant', '']
		]);
		expect(chat.send({ text: 'again', place: 'device' }), 'one at a time').toBe(false);
		const seen = new Set<string>();
		for (let i = 0; i < 40; i++) {
			await vi.advanceTimersByTimeAsync(20);
			seen.add(textOf(chat) ?? '');
		}
		await settle();
		expect(seen.size, 'it streams').toBeGreaterThan(3);
		expect(textOf(chat)).toBe('The capital of Peru is Lima.');
		expect(answerOf(chat)).toMatchObject({ by: 'device', status: 'done', model: 'Pocket model', price: 0 });
		expect(chat.running).toBeUndefined();
		expect((await store.messages.of(chat.conversation?.id ?? '')).map(({ text }) => text)).toEqual(
			chat.messages.map(({ text }) => text)
		);
		expect((await store.conversations.list()).map(({ title }) => title)).toEqual(['What is the capital of Peru?']);
		expect(wishes[0]?.wish).toMatchObject({ continueFrom: [], minTokens: 0, sampling: { temperatureMilli: 0 } });
	});

	test('answers over the mesh with who, price and receipt', async () => {
		const { chat } = profile();
		chat.send({ text: 'What is Fireweed?', place: 'mesh' });
		const phases = new Set<string>();
		for (let i = 0; i < 60; i++) {
			await vi.advanceTimersByTimeAsync(20);
			if (chat.running) phases.add(chat.running.phase.kind);
		}
		await settle();
		expect([...phases]).toEqual(expect.arrayContaining(['starting', 'asking', 'reaching', 'writing']));
		expect(answerOf(chat)).toMatchObject({ by: 'mesh', status: 'done', region: 'Lisbon', sameAccount: false });
		expect(answerOf(chat)?.receipt).toMatch(/^bafy/);
		expect(answerOf(chat)?.price).toBeGreaterThan(0);
	});

	test('Stop keeps the words and goes on from them', async () => {
		const { app, chat, wishes } = profile();
		chat.send({ text: 'What is Fireweed?', place: 'device' });
		await vi.advanceTimersByTimeAsync(400);
		const before = answerOf(chat)?.tokens.length ?? 0;
		expect(before).toBeGreaterThan(2);
		chat.stop();
		expect(chat.running?.phase.kind).toBe('stopping');
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'stopped', code: undefined });
		const words = textOf(chat) ?? '';
		chat.goOn(chat.messages.at(-1)?.id ?? '', 'mesh');
		await settle();
		expect(wishes.at(-1)).toMatchObject({
			place: 'mesh',
			wish: {
				// Its token ids are those of the model that began.
				model: app.chosen.value,
				continueFrom: { length: answerOf(chat)?.seams[0] === undefined ? 0 : pieces(words).length }
			}
		});
		expect(textOf(chat)?.startsWith(words)).toBe(true);
		expect(textOf(chat)).toMatch(/switch it off\.$/);
		expect(answerOf(chat)).toMatchObject({ status: 'done', by: 'mesh', seams: [words.length] });
		expect(chat.messages).toHaveLength(2);
	});

	test('an answer that another computer took over: every word, the place, and who went on', () => {
		const to = {
			id: 'second',
			account: 'a',
			sameAccount: false,
			region: 'Porto',
			model: 'm',
			modelName: 'M',
			pricePer1k: 1
		};
		const message: AnswerMessage = {
			...{ id: 'a', conversation: 'c', role: 'assistant', text: '', createdAt: 0, order: 1 },
			answer: emptyAnswer('mesh')
		};
		const over = {
			type: 'handed-over',
			from: 'first',
			to,
			why: 'peer-lost',
			reason: 'new here, one of 2 offers'
		} as const;
		const events: OriginateEvent[] = [
			{ type: 'words', text: 'one ', tokens: [1], position: 0 },
			{ ...over, position: 1, exact: true },
			{ type: 'accepted' },
			{ type: 'words', text: 'two ', tokens: [2], position: 1 },
			{ ...over, position: 2, exact: false },
			{ type: 'accepted' },
			{ type: 'words', text: 'three', tokens: [3], position: 2 }
		];
		const start: Running = { message, phase: { kind: 'writing' }, droppedTurns: 0 };
		const { message: after, phase } = events.reduce(hearMesh, start);
		expect(after).toMatchObject({
			text: 'one two three',
			answer: {
				chosen: over.reason,
				tokens: [1, 2, 3],
				seams: [4, 8],
				roughSeams: [8],
				executor: 'second',
				region: 'Porto',
				modelId: 'm'
			}
		});
		expect(phase.kind).toBe('writing');
	});

	test('Stop before anything came, and an engine that does not listen', async () => {
		const { chat, app } = profile();
		chat.send({ text: 'a', place: 'device' });
		chat.stop();
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'stopped' });

		app.answerHere = async function* () {
			yield { type: 'words', text: 'never', tokens: [1], position: 0 };
			await new Promise(() => {});
		};
		chat.retry(chat.messages.at(-1)?.id ?? '', 'device');
		await vi.advanceTimersByTimeAsync(100);
		chat.stop();
		await vi.advanceTimersByTimeAsync(4_100);
		expect(answerOf(chat)).toMatchObject({ status: 'stopped' });
		expect(textOf(chat)).toBe('never');
		expect(chat.running).toBeUndefined();
	});

	test('a lost answer keeps every word and its partial receipt; Continue completes it here', async () => {
		const { chat, wishes, script } = profile({ loseAfter: 9 });
		chat.send({ text: 'What is Fireweed?', place: 'mesh' });
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'lost', code: 'peer-lost' });
		expect(answerOf(chat)?.tokens).toHaveLength(9);
		expect(answerOf(chat)?.receipt).toMatch(/^bafy/);
		chat.goOn(chat.messages.at(-1)?.id ?? '', 'device');
		await settle();
		expect(wishes.at(-1)?.wish.continueFrom).toHaveLength(9);
		expect(textOf(chat)).toBe(pieces(script.answer('')).join(''));
		expect(answerOf(chat)?.status).toBe('done');
	});

	test('an edited question and an answer asked for again begin a branch; what was there can be shown again', async () => {
		const { chat, components, store, wishes } = profile();
		chat.send({ text: 'What is Fireweed?', place: 'device' });
		await settle();
		const [question, answer] = chat.messages;
		expect(chat.edit(question?.id ?? '', ' What is the capital of Peru? ', 'device')).toBe(true);
		await settle();
		expect(chat.messages.map(({ text }) => text)).toEqual([
			'What is the capital of Peru?',
			'The capital of Peru is Lima.'
		]);
		expect(wishes.at(-1)?.wish.turns, 'what was edited away is not read').toHaveLength(1);
		expect(chat.versions.get(chat.messages[0]?.id ?? '')).toMatchObject({ at: 2, of: 2, before: question?.id });

		chat.retry(chat.messages[1]?.id ?? '', 'mesh', 'another');
		await settle();
		expect(wishes.at(-1)).toMatchObject({ place: 'mesh', wish: { model: 'another' } });
		expect(chat.versions.get(chat.messages[1]?.id ?? '')).toMatchObject({ at: 2, of: 2 });
		expect(answerOf(chat)?.by).toBe('mesh');

		chat.show(question?.id ?? '');
		expect(chat.messages.map(({ id }) => id)).toEqual([question?.id, answer?.id]);
		chat.send({ text: 'And then?', place: 'device' });
		await settle();
		expect(wishes.at(-1)?.wish.turns.map(({ content }) => content)).toEqual([
			'What is Fireweed?',
			textOf({ messages: [answer] } as unknown as Chat),
			'And then?'
		]);

		const again = new Chat(components, await store.conversations.get(chat.conversation?.id ?? ''));
		await again.load();
		expect(
			again.messages.map(({ text }) => text),
			'a reload shows the branch that was shown'
		).toEqual(chat.messages.map(({ text }) => text));
		expect(await store.messages.of(chat.conversation?.id ?? '')).toHaveLength(7);
	});

	test('nothing is edited or switched while an answer runs', async () => {
		const { chat } = profile();
		chat.send({ text: 'What is Fireweed?', place: 'device' });
		await settle();
		const id = chat.messages[0]?.id ?? '';
		chat.edit(id, 'Something else?', 'device');
		expect(chat.edit(id, 'And else?', 'device')).toBe(false);
		chat.show(id);
		expect(chat.messages[0]?.text).toBe('Something else?');
		await settle();
		expect(chat.edit('unknown', 'x', 'device')).toBe(false);
		expect(chat.edit(chat.messages[1]?.id ?? '', 'x', 'device'), 'an answer').toBe(false);
	});

	test('instructions, sampling, length and files reach the model, and stay with the conversation', async () => {
		const { chat, components, store, wishes } = profile();
		const sampling = { temperatureMilli: 300, topK: 5, topPMilli: 900 };
		chat.manner = { system: ' Be brief. ', sampling, maxTokens: 64 };
		expect(chat.send({ text: '  ', place: 'device' }), 'nothing to send').toBe(false);
		expect(chat.send({ text: '', place: 'device', attachments: [{ name: 'a.txt', text: 'ash' }] })).toBe(true);
		await settle();
		expect(wishes[0]?.wish).toMatchObject({ sampling, maxTokens: 64 });
		expect(wishes[0]?.wish.turns).toEqual([
			{ role: 'system', content: 'Be brief.' },
			{ role: 'user', content: 'File a.txt:\n```\nash\n```' }
		]);
		expect(chat.conversation?.title).toBe('a.txt');
		const again = new Chat(components, await store.conversations.get(chat.conversation?.id ?? ''));
		expect(again.manner).toEqual({ system: 'Be brief.', sampling, maxTokens: 64 });
		again.manner = {};
		await settle();
		expect((await store.conversations.get(chat.conversation?.id ?? ''))?.manner).toBeUndefined();
	});

	test('nobody offers: nothing is kept but the question, and Retry asks again', async () => {
		const { chat, script } = profile({ alone: true });
		chat.send({ text: 'What is Fireweed?', place: 'mesh' });
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'failed', code: 'no-bids' });
		Object.assign(script, { alone: false });
		chat.retry(chat.messages.at(-1)?.id ?? '', 'mesh');
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'done', code: undefined });
	});

	test('a stream that throws, or ends without a last word, is lost and not for ever running', async () => {
		const { chat, app } = profile();
		app.answerHere = async function* () {
			yield { type: 'words', text: 'half', tokens: [1], position: 0 };
			throw new Refusal('out-of-memory');
		};
		chat.send({ text: 'a', place: 'device' });
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'lost', code: 'out-of-memory' });
		app.answerHere = async function* () {};
		chat.send({ text: 'b', place: 'device' });
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'failed', code: 'internal' });
	});

	test.each(['device', 'mesh'] as const)('a crisis never reaches a model (%s)', async (place) => {
		const { chat, wishes } = profile();
		chat.send({ text: 'I want to die', place });
		await settle();
		expect(answerOf(chat)).toMatchObject({ by: 'fixed', status: 'done' });
		expect(textOf(chat)).toContain('local emergency number');
		expect(wishes).toEqual([]);
		chat.send({ text: 'What is Fireweed?', place });
		await settle();
		expect(wishes[0]?.wish.turns).toEqual([{ role: 'user', content: 'What is Fireweed?' }]);
	});

	test('a reload in mid-answer: another tab writes on, or the words stay and can go on', async () => {
		const { chat, components, closeTab, store } = profile({ tokenMs: 200 });
		chat.send({ text: 'What is Fireweed?', place: 'device' });
		await vi.advanceTimersByTimeAsync(2_500);
		const other = new Chat(components, chat.conversation);
		await other.load();
		expect(answerOf(other)?.status).toBe('running');
		const kept = (await store.messages.of(chat.conversation?.id ?? '')).at(-1)?.text ?? '';
		expect(kept.length).toBeGreaterThan(20);
		closeTab();
		await vi.advanceTimersByTimeAsync(1);
		expect(answerOf(other)).toMatchObject({ status: 'lost', code: 'aborted' });
		expect(textOf(other)?.startsWith(kept)).toBe(true);
	});

	/** An answer over the mesh whose page ends in its middle, and the app of the page that follows. */
	async function reloaded() {
		const first = profile({ tokenMs: 200 });
		first.chat.send({ text: 'What is Fireweed?', place: 'mesh' });
		await vi.advanceTimersByTimeAsync(3_500);
		const next = profile({ tokenMs: 20 }, first.store);
		const components = { ...next.components, claims: first.components.claims };
		const die = () => {
			Object.assign(first.script, { tokenMs: 1e8 });
			return vi.advanceTimersByTimeAsync(250).then(first.closeTab);
		};
		const whole = pieces(first.script.answer('What is Fireweed?')).join('');
		return { app: next.app, components, conversation: first.chat.conversation, die, whole };
	}

	test('a reload in mid-answer over the mesh: the page that follows goes on with it, and only one does', async () => {
		const { app, components, conversation, die, whole } = await reloaded();
		const chat = new Chat(components, conversation);
		const again = vi.spyOn(app, 'reattach');
		await chat.load();
		await chat.load();
		expect(chat.running).toBeUndefined();
		const before = textOf(chat) ?? '';
		expect(before.length).toBeGreaterThan(5);
		await die();
		await vi.advanceTimersByTimeAsync(100);
		expect(chat.running?.phase.kind).toBe('returning');
		await vi.advanceTimersByTimeAsync(400);
		expect(chat.running?.phase.kind).toBe('writing');
		expect(textOf(chat)?.startsWith(before)).toBe(true);
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'done', by: 'mesh' });
		expect(textOf(chat)).toBe(whole);
		expect(again).toHaveBeenCalledOnce();
	});

	test('it can be stopped there', async () => {
		const { components, conversation, die, whole } = await reloaded();
		const chat = new Chat(components, conversation);
		await chat.load();
		await die();
		await vi.advanceTimersByTimeAsync(500);
		chat.stop();
		await settle();
		expect(answerOf(chat)?.status).toBe('stopped');
		expect(textOf(chat)).not.toBe(whole);
	});

	test('one that nobody goes on with stays as it was, and can be continued', async () => {
		const { app, components, conversation, die } = await reloaded();
		const chat = new Chat(components, conversation);
		await chat.load();
		app.reattach = async function* () {};
		await die();
		await settle();
		expect(answerOf(chat)).toMatchObject({ status: 'lost', code: 'aborted' });
	});

	test('of a conversation that is not open goes on all the same', async () => {
		const { app, components, conversation, die, whole } = await reloaded();
		await die();
		const conversations = new Conversations(components);
		await conversations.start();
		await settle();
		expect(conversations.open.messages).toEqual([]);
		const kept = (await app.store.messages.of(conversation?.id ?? '')).at(-1);
		expect(kept?.answer).toMatchObject({ status: 'done' });
		expect(kept?.text).toBe(whole);
	});

	test('what cannot be kept is said, and the chat goes on', async () => {
		const { chat, store, problems } = profile();
		for (const table of Object.values(store.tables)) table.refuse = new Refusal('storage-full');
		chat.send({ text: 'What is Fireweed?', place: 'device' });
		await settle();
		expect(answerOf(chat)?.status).toBe('done');
		expect(problems.length).toBeGreaterThan(0);
	});
});

describe('turns and titles', () => {
	const message = (
		order: number,
		role: Message['role'],
		text: string,
		answer?: Partial<NonNullable<Message['answer']>>
	) => ({ id: `${order}`, conversation: 'c', createdAt: 0, order, role, text, ...(answer && { answer }) }) as Message;

	test('answers that came to nothing go with their question; words that came stay', () => {
		const messages = [
			message(0, 'user', 'a'),
			message(1, 'assistant', '', { by: 'mesh', status: 'failed' }),
			message(2, 'user', 'b'),
			message(3, 'assistant', 'half', { by: 'mesh', status: 'lost' }),
			message(4, 'user', 'c'),
			message(5, 'assistant', '', { by: 'device', status: 'running' })
		];
		expect(turnsBefore(messages, 5).map(({ content }) => content)).toEqual(['b', 'half', 'c']);
	});

	test('a title is the first line, cut at a word', () => {
		expect(titleFrom(' What is it?\nreally')).toBe('What is it?');
		expect(titleFrom('word '.repeat(40))).toMatch(/^(word ){10,}word…$/);
	});
});

describe('conversations', () => {
	async function started() {
		const made = profile();
		const conversations = new Conversations(made.components);
		const stop = await conversations.start();
		return { ...made, conversations, stop };
	}

	test('are listed, renamed, deleted and brought back with every message', async () => {
		const { conversations, store, remembered } = await started();
		conversations.open.send({ text: 'What is Fireweed?', place: 'device' });
		conversations.began();
		await settle();
		const id = conversations.open.conversation?.id ?? '';
		expect(remembered()).toBe(id);
		await conversations.rename(id, '  A plant ');
		expect(conversations.list.map(({ title }) => title)).toEqual(['A plant']);

		await conversations.remove(id);
		expect(conversations.list).toEqual([]);
		expect(conversations.open.messages).toEqual([]);
		expect(await store.messages.of(id)).toEqual([]);
		await conversations.undo();
		expect(conversations.open.conversation?.title).toBe('A plant');
		expect(conversations.open.messages).toHaveLength(2);

		await conversations.remove(id);
		await vi.advanceTimersByTimeAsync(UNDO_MS + 1);
		expect(conversations.deleted).toBeUndefined();
	});

	test('an undo while the deletion is still under way loses nothing', async () => {
		const { conversations, store } = await started();
		conversations.open.send({ text: 'What is Fireweed?', place: 'device' });
		conversations.began();
		await settle();
		const id = conversations.open.conversation?.id ?? '';
		const plain = store.messages.delete.bind(store.messages);
		store.messages.delete = async (key) => {
			await new Promise((resolve) => setTimeout(resolve, 500));
			await plain(key);
		};
		void conversations.remove(id);
		await vi.advanceTimersByTimeAsync(100);
		expect(conversations.deleted).toBeDefined();
		void conversations.undo();
		await settle();
		expect(conversations.open.messages).toHaveLength(2);
		expect(await store.messages.of(id)).toHaveLength(2);
	});

	test('an answer goes on while another conversation is read', async () => {
		const { conversations } = await started();
		conversations.open.send({ text: 'What is Fireweed?', place: 'device' });
		conversations.began();
		await vi.advanceTimersByTimeAsync(300);
		const first = conversations.open;
		conversations.startNew();
		expect(conversations.open.messages).toEqual([]);
		await settle();
		expect(answerOf(first)?.status).toBe('done');
		await conversations.choose(first.conversation?.id ?? '');
		expect(textOf(conversations.open)).toMatch(/switch it off\.$/);
	});

	test('deleting a conversation that is being answered leaves nothing behind', async () => {
		const { conversations, store } = await started();
		conversations.open.send({ text: 'What is Fireweed?', place: 'device' });
		conversations.began();
		await vi.advanceTimersByTimeAsync(300);
		const id = conversations.open.conversation?.id ?? '';
		await conversations.remove(id);
		await settle();
		expect(await store.messages.of(id)).toEqual([]);
		expect(await store.conversations.get(id)).toBeUndefined();
	});
});

describe('contributing', () => {
	test('a list of jobs from events, newest first, without texts', () => {
		const events = [
			{ type: 'started', job: 'a', sameAccount: false },
			{ type: 'progress', job: 'a', tokens: 8 },
			{ type: 'started', job: 'b', sameAccount: true },
			{ type: 'ended', job: 'a', status: 'success', tokens: 12, price: 4800, receipt: 'bafy', code: undefined },
			{ type: 'considered', job: 'c', verdict: 'bid' }
		] as Parameters<typeof hearJob>[1][];
		const jobs = events.reduce<ReturnType<typeof hearJob>>((list, event) => hearJob(list, event, 1), []);
		expect(jobs.map(({ id, state, tokens, sameAccount }) => [id, state, tokens, sameAccount])).toEqual([
			['b', 'running', 0, true],
			['a', 'success', 12, false]
		]);
	});
});

describe('a reload', () => {
	test('opens what was open; a message sent before it was read goes out behind it', async () => {
		const { components, chat } = profile();
		chat.send({ text: 'What is the capital of Peru?', place: 'device' });
		await settle();
		components.place.set(chat.conversation?.id);
		const again = new Conversations(components);
		expect(again.open.conversation?.id, 'before anything is read').toBe(chat.conversation?.id);
		const gone = vi.fn<() => void>();
		expect(again.open.send({ text: 'Is it forgotten?', place: 'device' })).toBe(true);
		expect(again.open.send({ text: 'One after the other?', place: 'device' }), 'while one waits').toBe(false);
		expect(again.open.takeBack()?.text, 'it is the one who typed it who says').toBe('Is it forgotten?');
		expect(again.open.send({ text: 'What is Fireweed?', place: 'device', gone })).toBe(true);
		expect([again.open.waiting?.text, gone.mock.calls.length]).toEqual(['What is Fireweed?', 0]);
		await again.start();
		expect([again.open.waiting, gone.mock.calls.length]).toEqual([undefined, 1]);
		await settle();
		expect(again.open.messages.map(({ order }) => order)).toEqual([0, 1, 2, 3]);
		expect(again.open.conversation?.title).toBe('What is the capital of Peru?');
		expect(answerOf(again.open)?.status).toBe('done');
	});

	test('what is sent before the tab runs, or cannot be kept, is the draft of whoever typed it until it is kept', async () => {
		const store = fakeStore();
		const { components, app, problems } = profile({}, store);
		let begin: (running: typeof app) => void = () => {};
		const early = { ...components, app: new Promise<typeof app>((resolve) => (begin = resolve)) };
		const heard: string[] = [];
		const sent = (text: string) => ({
			...{ text, place: 'device' as const },
			gone: () => heard.push('gone'),
			kept: () => heard.push('kept')
		});
		const chat = new Chat(early);
		chat.send(sent('What is Fireweed?'));
		await settle();
		expect(heard).toEqual(['gone']);
		begin(app);
		await settle();
		expect(heard).toEqual(['gone', 'kept']);
		vi.spyOn(store.messages, 'put').mockRejectedValue(new Refusal('storage-full'));
		chat.send(sent('And who is there?'));
		await settle();
		expect(heard).toEqual(['gone', 'kept', 'gone']);
		expect(problems.length).toBeGreaterThan(0);
		// Nobody wants the draft of a conversation that is deleted.
		const other = new Chat({ ...components, app: new Promise<typeof app>(() => {}) });
		other.discard();
		other.send(sent('Anybody?'));
		expect(heard.slice(3)).toEqual(['gone', 'kept']);
	});

	test('looks for a conversation only once it is kept', async () => {
		const { components, app, remembered } = profile();
		let begin: (running: typeof app) => void = () => {};
		const conversations = new Conversations({
			...components,
			app: new Promise<typeof app>((resolve) => (begin = resolve))
		});
		conversations.open.send({ text: 'What is Fireweed?', place: 'device' });
		conversations.began();
		await settle();
		expect(remembered()).toBeUndefined();
		begin(app);
		await settle();
		expect(remembered()).toBe(conversations.open.conversation?.id);
	});

	test('a conversation that is gone does not swallow what was sent', async () => {
		const { components, store } = profile();
		components.place.set('gone');
		const again = new Conversations(components);
		const gone = vi.fn<() => void>();
		again.open.send({ text: 'What is Fireweed?', place: 'device', gone });
		await again.start();
		expect(gone).toHaveBeenCalledOnce();
		await settle();
		expect(again.open.messages).toHaveLength(2);
		expect((await store.conversations.list()).map(({ title }) => title)).toEqual(['What is Fireweed?']);
	});
});
