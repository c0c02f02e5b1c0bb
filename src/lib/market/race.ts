/**
 * Several executors answer one job under one seed, and the first valid frame for each position is shown: a pure comparison of what one of them
 * told with what is shown.
 *
 * How it would be cheated: by being first with anything at all. Nothing here can tell who is right where two part; what is shown stays, and whoever
 * disagrees with it is of no further use (docs/decisions/hedging.md).
 */

/** An answer, or a part of one. */
export interface Said {
	readonly tokens: readonly number[];
	readonly text: string;
}

/** What one executor told, and what was shown when it was asked to go on. */
export interface Told extends Said {
	readonly after: { readonly tokens: number; readonly characters: number };
}

export type Standing =
	/** Nothing that is not shown already. */
	| { readonly type: 'behind' }
	/** These words come next. */
	| ({ readonly type: 'ahead' } & Said)
	/** Its words are others than those shown. */
	| { readonly type: 'parted' };

/** Where the teller stands. Its first `agreed` tokens were found to be the shown ones before. */
export function standing(shown: Said, told: Told, agreed: number): Standing {
	const { tokens, characters } = told.after;
	const common = Math.min(shown.tokens.length - tokens, told.tokens.length);
	for (let i = agreed; i < common; i++) if (told.tokens[i] !== shown.tokens[tokens + i]) return { type: 'parted' };
	const text = shown.text.slice(characters);
	if (told.tokens.length <= common) return { type: text.startsWith(told.text) ? 'behind' : 'parted' };
	if (!told.text.startsWith(text)) return { type: 'parted' };
	return { type: 'ahead', tokens: told.tokens.slice(common), text: told.text.slice(text.length) };
}
