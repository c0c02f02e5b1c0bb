/**
 * A conversation to the token ids of its prompt: the template's pieces and the contents, encoded apart, and older rounds left out when it is too
 * long (TRUNCATION).
 */
import { Refusal } from '#lib/protocol/errors.ts';
import { TRUNCATION } from '#lib/protocol/truncation.ts';
import type { Turn } from '#lib/ports/engine.ts';
import { openTemplate, type ChatTemplate } from './template.ts';
import type { Before, Text } from './text.ts';

export interface Prompt {
	readonly ids: readonly number[];
	readonly droppedTurns: number;
}

export interface PromptMaker {
	/** Token ids of all turns, with the opening of the answer. Refusal `malformed` for turns the template refuses. */
	encode(turns: readonly Turn[]): number[];
	/**
	 * The longest prompt of at most `room` tokens by the rule TRUNCATION: whole rounds (a person's turn and what answered it) are left out
	 * from the front, a leading system turn stays, and so does the last turn. Refusals: `prompt-too-long` when even that is too much;
	 * `malformed`.
	 */
	fit(turns: readonly Turn[], room: number): Prompt;
}

const ROLES: readonly string[] = ['system', 'user', 'assistant'];

/** `chat` is a template, or the text of one that needs nothing else. Refusal `model-unsupported`, see openTemplate. */
export function openPrompt(chat: ChatTemplate | string, text: Text): PromptMaker {
	const template = typeof chat === 'string' ? openTemplate({ chat_template: chat }) : chat;
	/** Ids of the kept turns; `encoded` gives those of a content. */
	function render(turns: readonly Turn[], encoded: (index: number, spaced: boolean) => readonly number[]): number[] {
		const pieces = template.pieces(turns.map((turn) => turn.role));
		if (pieces === undefined) throw new Refusal('malformed', 'the template refuses these turns');
		let before: Before = 'nothing';
		return pieces.flatMap((piece, i) => {
			if (i % 2 === 1) {
				const ids = encoded(Number(piece), text.spacedAfter(before));
				before = ids.length === 0 ? before : 'text';
				return ids;
			}
			const ids = text.encodeMarkup(piece, before);
			before = text.after(piece, before);
			return ids;
		});
	}

	function words({ role, content }: Turn, spaced: boolean): number[] {
		return text.encodeContent(template.trims(role) ? content.trim() : content, spaced);
	}

	/** Turns the template shows. A system turn that it leaves out takes no room and must not push others out. */
	function shown(turns: readonly Turn[]): readonly Turn[] {
		const wellFormed = turns.every((turn) => ROLES.includes(turn.role) && typeof turn.content === 'string');
		if (!wellFormed || turns.at(-1)?.role !== 'user')
			throw new Refusal('malformed', 'turns must end with one of a person');
		return template.showsSystem ? turns : turns.filter((turn) => turn.role !== 'system');
	}

	return {
		encode(all) {
			const turns = shown(all);
			return render(turns, (i, spaced) => words(turns[i] as Turn, spaced));
		},
		fit(all, room) {
			const turns = shown(all);
			const last = turns.length - 1;
			const most = text.mostCharacters(room);
			// Encoding costs time in proportion to the text, so what cannot fit anyway is turned away by its length.
			if ((turns[last] as Turn).content.length > most) throw new Refusal('prompt-too-long', 'last turn');
			let first = firstThatMayFit(turns, most);
			const encoded = new Map<string, readonly number[]>();
			const ids = (i: number, spaced: boolean) => {
				const key = `${i} ${spaced}`;
				const known = encoded.get(key) ?? words(turns[i] as Turn, spaced);
				encoded.set(key, known);
				return known;
			};
			// With the space before it or without, whichever is shorter: what is counted must not be more than what is needed.
			const least = (i: number) =>
				Math.min(...[false, ...(text.spaces ? [true] : [])].map((each) => ids(i, each).length));
			for (;;) {
				const kept = turns.flatMap((turn, i) => (i >= first || (i === 0 && turn.role === 'system') ? [i] : []));
				// Counted before it is rendered: a long conversation is rendered once or twice, not once per dropped round.
				if (kept.reduce((sum, i) => sum + least(i), 0) <= room) {
					const whole = render(
						kept.map((i) => turns[i] as Turn),
						(i, spaced) => ids(kept[i] as number, spaced)
					);
					if (whole.length <= room) return { ids: whole, droppedTurns: turns.length - kept.length };
				}
				const next = nextRound(turns, first);
				if (next === undefined) throw new Refusal('prompt-too-long', `${TRUNCATION}, room for ${room} tokens`);
				first = next;
			}
		}
	};
}

/** Where the first round after `first` begins: the next turn of a person. */
function nextRound(turns: readonly Turn[], first: number): number | undefined {
	const start = first === 0 && turns[0]?.role === 'system' ? 1 : first;
	for (let i = start + 1; i < turns.length; i++) if (turns[i]?.role === 'user') return i;
	return undefined;
}

/** The earliest round from which all contents together are short enough to be worth encoding. */
function firstThatMayFit(turns: readonly Turn[], mostCharacters: number): number {
	let rest = turns.reduce((sum, turn) => sum + turn.content.length, 0);
	let first = 0;
	while (rest > mostCharacters) {
		const next = nextRound(turns, first);
		if (next === undefined) break;
		for (let i = first; i < next; i++) rest -= turns[i]?.content.length ?? 0;
		first = next;
	}
	return first;
}
