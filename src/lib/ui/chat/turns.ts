/** What of a conversation a model is given. Pure. */
import type { Turn } from '#lib/ports/engine.ts';
import type { Message } from '#lib/ports/store.ts';
import { contentOf } from './attachments.ts';

/** What a job takes at most (docs/spec/job.md): more is refused whole, and the model would read only the end anyway. */
const MOST_TURNS = 512;
const MOST_BYTES = 256 * 1024;

/**
 * The turns a model is given for the answer at `order`. Fixed texts and answers that came to nothing are left out together with
 * their question: no model wrote the first, and the pocket model shall not be led on by what it must not speak about.
 */
export function turnsBefore(messages: readonly Message[], order: number): readonly Turn[] {
	const turns: Turn[] = [];
	const before = messages.filter((message) => message.order < order);
	before.forEach((message, at) => {
		const answer = message.role === 'user' ? before[at + 1]?.answer : message.answer;
		const silent = answer?.by === 'fixed' || (answer?.status === 'failed' && textOf(before, message, at) === '');
		if (!silent) turns.push({ role: message.role, content: contentOf(message) });
	});
	return turns;
}

/** The text of the answer that `message` is, or that follows it. */
const textOf = (messages: readonly Message[], message: Message, at: number): string =>
	message.role === 'assistant' ? message.text : (messages[at + 1]?.text ?? '');

/**
 * The instructions and as many of the newest rounds as a job takes; a round is a person's turn and what answered it. `dropped` turns were
 * left out. The last turn stays, whatever its size: it is refused by name then, and not lost without a word.
 */
export function withinLimits(
	turns: readonly Turn[],
	system: string | undefined
): { readonly turns: readonly Turn[]; readonly dropped: number } {
	const front: readonly Turn[] = system === undefined ? [] : [{ role: 'system', content: system }];
	const encoder = new TextEncoder();
	let bytes = front.reduce((sum, { content }) => sum + encoder.encode(content).length, 0);
	let from = turns.length;
	for (let at = turns.length - 1; at >= 0; at--) {
		bytes += encoder.encode(turns[at]?.content).length;
		if (at < turns.length - 1 && (bytes > MOST_BYTES || turns.length - at + front.length > MOST_TURNS)) break;
		if (turns[at]?.role === 'user') from = at;
	}
	if (from === turns.length) from = 0;
	return { turns: [...front, ...turns.slice(from)], dropped: from };
}
