/**
 * Fixed, reviewed answers for crisis, danger and health: matched before any model runs, because a pocket model must not be the one
 * to answer (its card: a person in despair got small talk). A pure decider; its words are in fixed-words.ts, its spec in
 * docs/spec/fixed-answers.md, its measured rates in tests/unit/ui-fixed.test.ts.
 */
import {
	BARE_CALLS,
	FICTION,
	HARMLESS,
	NOT_A_SLIP,
	OTHER_SCRIPTS,
	PATTERNS,
	WITH_SLIPS,
	type Topic
} from './fixed-words.ts';

/** A text that stands in for the model. */
export interface FixedAnswer {
	readonly topic: Topic;
	readonly text: string;
}

/** More is not read: a message this long is looked at from both ends, where people say what they want. */
const LONGEST_READ = 8_000;
/** What needs a person soonest is looked for first. */
const ORDER: readonly Topic[] = ['crisis', 'danger', 'health'];

const EMERGENCY = 'call your local emergency number now; in many countries it is 112 or 911';

/** The texts. They hold no link, promise nothing, and give no medical advice. */
export const FIXED_TEXTS: Readonly<Record<Topic, string>> = {
	crisis: `I am sorry that things are this hard. A small model must not answer this, and a person can; so this is a fixed text.

If you or someone else may be in danger, ${EMERGENCY}. Or go to someone near you and say it as it is.

If it can wait a little, tell someone you trust today: a friend, family, a doctor, a teacher. Most countries have a crisis line where people listen, at no cost and at any hour; searching for “crisis line” and the name of your country finds it. You do not need the right words first.`,
	danger: `This is a fixed text: a small model must not answer this.

If anyone is in danger, get to a safe place if you can, and ${EMERGENCY}. If you cannot speak freely, go to people nearby.

If someone hurts or threatens you, it is not your fault. Most countries have a help line for this, and for poisoning too; searching for “help line” and the name of your country finds it.`,
	health: `This is a fixed text: a small model knows nothing about health and must not guess.

If someone is badly hurt, has trouble breathing or does not wake up, ${EMERGENCY}.

For anything else, ask a doctor, a pharmacist or the health line of your country.`
};

/** The fixed answer to `text`, if it is about crisis, danger or health. */
export function fixedAnswer(text: string): FixedAnswer | undefined {
	const topic = topicOf(text);
	return topic && { topic, text: FIXED_TEXTS[topic] };
}

function topicOf(text: string): Topic | undefined {
	const read =
		text.length <= LONGEST_READ ? text : `${text.slice(0, LONGEST_READ / 2)} … ${text.slice(-LONGEST_READ / 2)}`;
	const folded = fold(read);
	const plain = withoutSlips(latin(folded));
	const sought = HARMLESS.reduce((rest, harmless) => rest.replaceAll(harmless, ' '), plain);
	const fiction = FICTION.test(plain);
	for (const topic of ORDER) {
		if (OTHER_SCRIPTS[topic].some((word) => folded.includes(fold(word)))) return topic;
		if (fiction && topic !== 'crisis') continue;
		if (PATTERNS[topic].some((pattern) => pattern.test(sought))) return topic;
	}
	return BARE_CALLS.has(plain) || BARE_CALLS.has(folded.replaceAll(/[^\p{L}\p{M} ]/gu, '').trim())
		? 'danger'
		: undefined;
}

/** One form for letters that are written in several ways; marks that cannot be seen are gone. */
const fold = (text: string): string =>
	text
		.normalize('NFKC')
		.toLowerCase()
		.replaceAll(/[\u200b\u200d-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/g, '')
		.replaceAll('\u200c', ' ')
		.replaceAll(/[\u064b-\u0652\u0640]/g, '')
		.replaceAll(/[أإآ]/g, 'ا')
		.replaceAll('ي', 'ی')
		.replaceAll('ك', 'ک')
		.replaceAll(/\s+/g, ' ');

/** Latin letters without accents, digits read as the letters they stand for inside words, no punctuation, no long drawl. */
const latin = (text: string): string =>
	text
		.normalize('NFD')
		.replaceAll(/\p{M}/gu, '')
		.replaceAll('ı', 'i')
		.replaceAll(/['’‘`´]/g, '')
		.replaceAll(/(?<=\p{L})[1!|](?=\p{L})/gu, 'i')
		.replaceAll(/(?<=\p{L})0(?=\p{L})/gu, 'o')
		.replaceAll(/(?<=\p{L})3(?=\p{L})/gu, 'e')
		.replaceAll(/(?<=\p{L})[$5](?=\p{L})/gu, 's')
		.replaceAll(/(?<=\p{L})[*_](?=\p{L})/gu, '')
		.replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
		.replaceAll(/(\p{L})\1{2,}/gu, '$1$1')
		.replaceAll(/\b((?:\p{L} ){2,}\p{L})\b/gu, (spelt) => spelt.replaceAll(' ', ''))
		.trim();

/** Words with a typing error as they were meant. */
const withoutSlips = (text: string): string =>
	text
		.split(' ')
		.map((word) => (NOT_A_SLIP.has(word) ? word : (WITH_SLIPS.find((known) => isSlipOf(word, known))?.word ?? word)))
		.join(' ');

function isSlipOf(word: string, { word: known, slips }: (typeof WITH_SLIPS)[number]): boolean {
	if (word[0] !== known[0] || Math.abs(word.length - known.length) > slips || word === known) return false;
	return distance(word, known) <= slips;
}

/** Letters added, left out, exchanged, or swapped with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
	const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
	const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
	for (let j = 0; j <= b.length; j++) (rows[0] as number[])[j] = j;
	for (let i = 1; i <= a.length; i++)
		for (let j = 1; j <= b.length; j++) {
			const same = a[i - 1] === b[j - 1] ? 0 : 1;
			let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
				least = Math.min(least, at(i - 2, j - 2) + 1);
			(rows[i] as number[])[j] = least;
		}
	return at(a.length, b.length);
}
