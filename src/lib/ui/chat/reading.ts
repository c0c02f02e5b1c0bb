/** Where a reader is in a conversation, in a form that outlives a reload: the message at the top of the window and how far down it begins. */

/** A message and its distance from the top of the window, in px; negative when it begins above. */
export interface ReadPlace {
	readonly message: string;
	readonly offset: number;
}

/** The place in `scroller`, as text; undefined when no message is in sight. */
export function placeOf(scroller: HTMLElement): string | undefined {
	const edge = scroller.getBoundingClientRect().top;
	for (const element of scroller.querySelectorAll<HTMLElement>('[data-message]')) {
		const { top, bottom } = element.getBoundingClientRect();
		if (bottom > edge) return `${Math.round(top - edge)} ${element.dataset['message'] ?? ''}`;
	}
	return undefined;
}

/** Reads what `placeOf` wrote; undefined for anything else. */
export function readPlace(text: string | undefined): ReadPlace | undefined {
	const found = /^(-?\d{1,7}) (\S+)$/.exec(text ?? '');
	return found?.[1] === undefined || found[2] === undefined
		? undefined
		: { message: found[2], offset: Number(found[1]) };
}
