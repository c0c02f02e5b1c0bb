import type { Conversation } from '#lib/ports/store.ts';
import { speech, t } from '../language/language.svelte.ts';

/** Conversations under the words a person would use for their day. */
export function byDay(
	list: readonly Conversation[],
	now: number
): readonly { readonly day: string; readonly conversations: readonly Conversation[] }[] {
	const today = new Date(now).setHours(0, 0, 0, 0);
	const yesterday = new Date(today).setDate(new Date(today).getDate() - 1);
	// Made when it is needed: the first of its kind takes a slow phone a tenth of a second.
	let month: Intl.DateTimeFormat | undefined;
	const nameOf = (at: number): string => {
		if (at >= today) return t('chat.today');
		if (at >= yesterday) return t('chat.yesterday');
		if (at >= today - 6 * 86_400_000) return t('chat.this-week');
		month ??= new Intl.DateTimeFormat(speech.locale, { month: 'long', year: 'numeric' });
		return month.format(at);
	};
	const groups = new Map<string, Conversation[]>();
	for (const conversation of [...list].sort((a, b) => b.updatedAt - a.updatedAt)) {
		const day = nameOf(conversation.updatedAt);
		const group = groups.get(day);
		if (group) group.push(conversation);
		else groups.set(day, [conversation]);
	}
	return [...groups].map(([day, conversations]) => ({ day, conversations }));
}
