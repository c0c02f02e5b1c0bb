/**
 * What an answer becomes with each event: pure, so that every life of an answer can be told in a test without a browser.
 */
import type { LocalEvent } from '#lib/node/app.ts';
import type { ExecutorFacts, OriginateEvent } from '#lib/node/events.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { Answer, Message } from '#lib/ports/store.ts';
import { t } from '../language/language.svelte.ts';

/** Where an answer comes from, as the person chooses it. */
export type Place = 'device' | 'mesh';

/** What an answer that is not there yet waits for. */
export type Phase =
	| { readonly kind: 'starting' }
	| { readonly kind: 'loading'; readonly progress: LoadProgress }
	| { readonly kind: 'asking'; readonly offers: number }
	| { readonly kind: 'warming'; readonly readyInMs: number }
	/** Its turn comes after others, with the one that was chosen. */
	| { readonly kind: 'queued'; readonly waitMs: number }
	/** Everybody is full; it is asked again by itself. */
	| { readonly kind: 'full'; readonly retryMs: number; readonly tries: number; readonly most: number }
	| { readonly kind: 'reaching'; readonly executor: ExecutorFacts }
	| { readonly kind: 'reading'; readonly executor: ExecutorFacts | undefined }
	| { readonly kind: 'returning'; readonly executor: ExecutorFacts }
	| { readonly kind: 'writing' }
	| { readonly kind: 'stopping' };

/** An assistant's message always has its answer part. */
export type AnswerMessage = Message & { readonly answer: Answer };

/** An answer under way. */
export interface Running {
	readonly message: AnswerMessage;
	readonly phase: Phase;
	/** Turns the model had no room for; 0 normally. */
	readonly droppedTurns: number;
}

/** An empty answer from `place`. */
export const emptyAnswer = (place: Place): Answer => ({
	by: place,
	status: 'running',
	model: undefined,
	executor: undefined,
	region: undefined,
	tokens: [],
	tokensPerSecond: undefined,
	price: undefined,
	receipt: undefined,
	code: undefined,
	seams: []
});

/** Whether `message` is an answer. */
export const isAnswer = (message: Message): message is AnswerMessage => message.answer !== undefined;

const change = (state: Running, answer: Partial<Answer>, phase: Phase = state.phase): Running => ({
	...state,
	phase,
	message: { ...state.message, answer: { ...state.message.answer, ...answer } }
});

const append = (state: Running, text: string, tokens: readonly number[]): Running => {
	const { message } = state;
	const next = change(state, { tokens: [...message.answer.tokens, ...tokens] }, { kind: 'writing' });
	return { ...next, message: { ...next.message, text: message.text + text } };
};

/** Says which model of this device begins: known before its first word, so that it can go on even when its tab is closed. */
export function answeredBy(state: Running, model: string): Running {
	return state.message.answer.tokens.length > 0 ? state : change(state, { modelId: model });
}

/** Ends an answer that came to nothing more: `stopped` by the person, `lost` when words are there, else `failed`. */
export function end(state: Running, code: string): Running {
	if (code === 'aborted') return change(state, { status: 'stopped', code: undefined });
	return change(state, { status: state.message.text === '' ? 'failed' : 'lost', code });
}

/** An answer whose page is gone, and that nobody goes on with: its words stay, and a person can. */
export function abandon(state: Running): Running {
	return change(state, { status: 'lost', code: 'aborted' });
}

/** Fixed, reviewed text stands in for the model. */
export function fix(state: Running, text: string): Running {
	const next = change(state, { ...emptyAnswer('device'), by: 'fixed', status: 'done', price: 0 });
	return { ...next, message: { ...next.message, text } };
}

/** The state after an event of this device. */
export function hearDevice(state: Running, event: LocalEvent): Running {
	switch (event.type) {
		case 'loading':
			return { ...state, phase: { kind: 'loading', progress: event.progress } };
		case 'words':
			return append(state, event.text, event.tokens);
		case 'fixed':
			return fix(state, event.text);
		case 'finished':
			return {
				...change(state, {
					status: event.status === 'success' ? 'done' : 'stopped',
					tokensPerSecond: event.tokensPerSecond,
					model: event.modelName,
					modelId: event.model,
					price: 0
				}),
				droppedTurns: event.droppedTurns
			};
		case 'failed':
			return end(state, event.code);
	}
}

/** The state after an event of the mesh. */
export function hearMesh(state: Running, event: OriginateEvent): Running {
	switch (event.type) {
		case 'asked':
		case 'announced':
			return { ...state, phase: { kind: 'asking', offers: 0 } };
		case 'bid':
			return {
				...state,
				phase: { kind: 'asking', offers: state.phase.kind === 'asking' ? state.phase.offers + 1 : 1 }
			};
		case 'interest':
			return state.phase.kind === 'asking' && state.phase.offers > 0
				? state
				: { ...state, phase: { kind: 'warming', readyInMs: event.readyInMs } };
		case 'queued':
			return { ...state, phase: { kind: 'queued', waitMs: event.waitMs } };
		case 'busy':
			return {
				...state,
				phase: { kind: 'full', retryMs: event.retryMs, tries: event.tries, most: event.most }
			};
		case 'assigned': {
			const { executor, reason } = event;
			return change(
				state,
				{
					executor: executor.id,
					chosen: reason,
					region: executor.region,
					model: executor.modelName,
					modelId: executor.model,
					sameAccount: executor.sameAccount
				},
				{ kind: 'reaching', executor }
			);
		}
		case 'accepted':
			// Taken up again: it is being written already.
			if (state.phase.kind === 'writing') return state;
			return {
				...state,
				phase: { kind: 'reading', executor: state.phase.kind === 'reaching' ? state.phase.executor : undefined }
			};
		case 'reattaching':
			return { ...state, phase: { kind: 'returning', executor: event.executor } };
		case 'reattached':
			return { ...state, phase: { kind: 'writing' } };
		case 'words':
			return append(state, event.text, event.tokens);
		case 'standby':
			// Its words are those of the first: there is nothing to see before it takes over.
			return state;
		case 'checkpoint':
			return change(state, { receipt: event.receipt });
		case 'handed-over': {
			const { message } = state;
			const { to, exact, reason } = event;
			const { seams, roughSeams = [] } = message.answer;
			const at = message.text.length;
			return change(
				state,
				{
					executor: to.id,
					chosen: reason,
					region: to.region,
					model: to.modelName,
					modelId: to.model,
					sameAccount: to.sameAccount,
					seams: [...seams, at],
					...(exact ? {} : { roughSeams: [...roughSeams, at] })
				},
				{ kind: 'reaching', executor: to }
			);
		}
		case 'finished':
			return {
				...change(state, {
					status: event.status === 'success' ? 'done' : 'stopped',
					receipt: event.receipt,
					tokensPerSecond: event.tokensPerSecond,
					price: event.price
				}),
				droppedTurns: event.droppedTurns
			};
		case 'lost':
			return change(end(state, event.code), { receipt: event.receipt ?? state.message.answer.receipt });
		case 'failed': {
			const ended = end(state, event.code);
			return event.retryMs === undefined ? ended : change(ended, { retryMs: event.retryMs });
		}
	}
}

/** A title from a first message: its first line, cut at a word. */
export function titleFrom(text: string): string {
	const MOST = 60;
	const line = text.trim().split('\n', 1)[0]?.replaceAll(/\s+/g, ' ') ?? '';
	if (line.length <= MOST) return line || t('all.new-chat');
	const cut = line.slice(0, MOST);
	return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), MOST / 2)).trimEnd()}…`;
}
