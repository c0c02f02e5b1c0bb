/** What is asked of a model for one answer of a conversation. Pure. */
import type { Wish } from '#lib/node/app.ts';
import type { Manner, Message } from '#lib/ports/store.ts';
import type { AnswerMessage, Place } from './answering.ts';
import { GREEDY, NATURAL, OPEN, USUAL_ANSWER_TOKENS } from './manner.ts';
import { turnsBefore, withinLimits } from './turns.ts';

/** What the tab offers, as far as a wish depends on it. */
export interface Offered {
	readonly models: { readonly entries: readonly { readonly id: string; readonly origin: string }[] };
	readonly chosen: { readonly value: string | undefined };
	readonly minTokens: number;
}

/** One answer that is wanted. */
export interface Wanted {
	/** Empty, or begun by an executor that was lost. */
	readonly answer: AnswerMessage;
	/** The branch it stands on. */
	readonly messages: readonly Message[];
	readonly place: Place;
	readonly manner: Manner | undefined;
	/** Model wished for on the mesh; undefined: any. */
	readonly model: string | undefined;
}

/** The wish, and how many turns were left out of it because no channel takes them. */
export function wishFor(
	{ models, chosen, minTokens }: Offered,
	{ answer: message, messages, place, manner, model: asked }: Wanted
): { readonly wish: Wish; readonly unsent: number } {
	const { tokens, modelId } = message.answer;
	// Token ids of one model mean nothing to another.
	const model = (tokens.length > 0 ? modelId : undefined) ?? (place === 'mesh' ? asked : undefined);
	const pocket = models.entries.find(({ origin }) => origin === 'built-in')?.id;
	const answering = model ?? (place === 'device' ? chosen.value : pocket);
	const { system, sampling, maxTokens = USUAL_ANSWER_TOKENS } = manner ?? {};
	const { turns, dropped } = withinLimits(turnsBefore(messages, message.order), system);
	const wish = {
		turns,
		continueFrom: tokens,
		model,
		sampling: minTokens > 0 ? OPEN : (sampling ?? (answering === pocket ? GREEDY : NATURAL)),
		minTokens,
		// Counted with what is there already; whoever goes on from the very end gets as much again.
		maxTokens: Math.max(minTokens, maxTokens * Math.ceil((tokens.length + 1) / maxTokens)),
		message: message.id
	};
	return { wish, unsent: dropped };
}
