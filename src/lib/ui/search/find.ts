/** Finding words in what was said: by all words of the query, in any case, with or without accents. Pure. */
import type { Conversation, Message } from '#lib/ports/store.ts';

/** Where a message fits, and the words around that. */
export interface Hit {
	readonly message: string;
	readonly before: string;
	readonly match: string;
	readonly after: string;
}

/** A conversation with what was found in it; no hits when only its title fits. */
export interface Found {
	readonly conversation: Conversation;
	readonly hits: readonly Hit[];
	/** Hits beyond those. */
	readonly more: number;
}

/** Hits shown of one conversation. */
export const HITS = 3;
/** Words before and after a match, in characters. */
const BEFORE = 30;
const AFTER = 80;

/** Text as it is compared: no case, no accents, one form of every letter. */
export const fold = (text: string): string =>
	// A sigma at the end of a word is the one letter whose small form hangs on what stands beside it.
	text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll('ς', 'σ');

/** The words that must all be there; none in an empty query. */
export const wordsOf = (query: string): readonly string[] => fold(query).split(/\s+/).filter(Boolean);

/** Whether a folded text has every word. */
export const fits = (folded: string, words: readonly string[]): boolean => words.every((word) => folded.includes(word));

/** The stretch of `text` that holds `length` characters of the folded text from `index` on: whole letters, with their marks. */
function stretchOf(text: string, index: number, length: number): readonly [number, number] {
	let folded = 0;
	let at = 0;
	let from: number | undefined;
	for (const character of text) {
		const more = fold(character).length;
		if (folded >= index + length && more > 0) break;
		folded += more;
		if (from === undefined && folded > index) from = at;
		at += character.length;
	}
	return [from ?? at, at];
}

/** The hit of a message that fits. */
export function hitOf({ id, text }: Pick<Message, 'id' | 'text'>, words: readonly string[]): Hit {
	const folded = fold(text);
	const places = words.map((word) => ({ word, at: folded.indexOf(word) })).filter(({ at }) => at >= 0);
	const first = places.reduce((a, b) => (b.at < a.at ? b : a), places[0] ?? { word: '', at: 0 });
	const [from, to] = stretchOf(text, first.at, first.word.length);
	const line = (part: string) => part.replaceAll(/\s+/g, ' ');
	const start = Math.max(0, from - BEFORE);
	return {
		message: id,
		before: (start > 0 ? '…' : '') + line(text.slice(start, from)),
		match: line(text.slice(from, to)),
		after: line(text.slice(to, to + AFTER)) + (to + AFTER < text.length ? '…' : '')
	};
}

/** What was found, by conversation: those spoken in last first. */
export function grouped(
	conversations: readonly Conversation[],
	fitting: readonly Message[],
	words: readonly string[]
): readonly Found[] {
	const byConversation = new Map<string, Message[]>();
	for (const message of fitting) {
		const list = byConversation.get(message.conversation);
		if (list) list.push(message);
		else byConversation.set(message.conversation, [message]);
	}
	return [...conversations]
		.sort((a, b) => b.updatedAt - a.updatedAt)
		.flatMap((conversation): readonly Found[] => {
			const messages = (byConversation.get(conversation.id) ?? []).sort((a, b) => b.createdAt - a.createdAt);
			if (messages.length === 0 && !fits(fold(conversation.title), words)) return [];
			const hits = messages.slice(0, HITS).map((message) => hitOf(message, words));
			return [{ conversation, hits, more: messages.length - hits.length }];
		});
}
