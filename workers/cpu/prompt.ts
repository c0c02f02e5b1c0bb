/**
 * A conversation to the token ids of its prompt.
 *
 * The template is rendered with a mark in place of every content, cut at the marks, and the contents are encoded apart: they
 * never pass through the template, so they can neither write markup nor meet the marks. Price: a template that changes its contents
 * (trims them, looks into them) is not served faithfully; the pocket model's does neither.
 */
import { Template } from '@huggingface/jinja';
import { Refusal } from '#lib/protocol/errors.ts';
import type { Turn } from '#lib/ports/engine.ts';
import type { Text } from './text.ts';

export interface Prompt {
	readonly ids: readonly number[];
	readonly droppedTurns: number;
}

export interface PromptMaker {
	/** Token ids of all turns, with the opening of the answer. Refusals as in `render`. */
	encode(turns: readonly Turn[]): number[];
	/**
	 * The longest prompt of at most `room` tokens: whole rounds (a person's turn and what answered it) are left out from the front, a
	 * leading system turn stays, and so does the last turn. Refusals: `prompt-too-long` when even that is too much; `malformed`.
	 */
	fit(turns: readonly Turn[], room: number): Prompt;
}

/** Private-use characters, which no template contains; checked when it is opened. */
const OPEN = '\uE000';
const CLOSE = '\uE001';
const MARK = /\uE000(\d+)\uE001/;
const ROLES: readonly string[] = ['system', 'user', 'assistant'];

/** Refusal `engine-load-failed` for a template that does not parse or that contains the marks. */
export function openPrompt(chatTemplate: string, text: Text): PromptMaker {
	if (chatTemplate.includes(OPEN)) throw new Refusal('engine-load-failed', 'the template contains a private mark');
	const template = parsed(chatTemplate);
	const showsSystem = (pieces(template, ['system', 'user'])?.length ?? 0) === 5;

	function render(turns: readonly Turn[], contents: readonly (readonly number[])[]): number[] {
		const cut = pieces(
			template,
			turns.map((turn) => turn.role)
		);
		if (cut === undefined) throw new Refusal('malformed', 'the template refuses these turns');
		return cut.flatMap((piece, i) => (i % 2 === 0 ? text.encodeMarkup(piece) : (contents[Number(piece)] ?? [])));
	}

	/** Turns the template shows. A system turn that it leaves out takes no room and must not push others out. */
	function shown(turns: readonly Turn[]): readonly Turn[] {
		const wellFormed = turns.every((turn) => ROLES.includes(turn.role) && typeof turn.content === 'string');
		if (!wellFormed || turns.at(-1)?.role !== 'user')
			throw new Refusal('malformed', 'turns must end with one of a person');
		return showsSystem ? turns : turns.filter((turn) => turn.role !== 'system');
	}

	return {
		encode(all) {
			const turns = shown(all);
			return render(
				turns,
				turns.map((turn) => text.encodeContent(turn.content))
			);
		},
		fit(all, room) {
			const turns = shown(all);
			const last = turns.length - 1;
			const most = text.mostCharacters(room);
			// Encoding costs time in proportion to the text, so what cannot fit anyway is turned away by its length.
			if ((turns[last] as Turn).content.length > most) throw new Refusal('prompt-too-long', 'last turn');
			let first = firstThatMayFit(turns, most);
			const encoded = new Map<number, number[]>();
			for (;;) {
				const kept = turns.flatMap((turn, i) => (i >= first || (i === 0 && turn.role === 'system') ? [i] : []));
				const contents = kept.map((i) => {
					const ids = encoded.get(i) ?? text.encodeContent((turns[i] as Turn).content);
					encoded.set(i, ids);
					return ids;
				});
				// Counted before it is rendered: a long conversation is rendered once or twice, not once per dropped round.
				if (contents.reduce((sum, ids) => sum + ids.length, 0) <= room) {
					const ids = render(
						kept.map((i) => turns[i] as Turn),
						contents
					);
					if (ids.length <= room) return { ids, droppedTurns: turns.length - kept.length };
				}
				const next = nextRound(turns, first);
				if (next === undefined) throw new Refusal('prompt-too-long', `room for ${room} tokens`);
				first = next;
			}
		}
	};
}

function parsed(chatTemplate: string): Template {
	try {
		return new Template(chatTemplate);
	} catch {
		throw new Refusal('engine-load-failed', 'the chat template does not parse');
	}
}

/** The template around the contents: markup, number of a turn, markup, … Undefined when the template raises an error. */
function pieces(template: Template, roles: readonly string[]): string[] | undefined {
	const messages = roles.map((role, i) => ({ role, content: OPEN + i + CLOSE }));
	try {
		return template.render({ messages, add_generation_prompt: true }).split(MARK);
	} catch {
		return undefined;
	}
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
