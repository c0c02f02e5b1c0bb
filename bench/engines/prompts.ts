/** What is asked. Every round has its own country, so that no answer can come from state kept of an earlier round. */
import type { Turn } from '#lib/ports/engine.ts';

/** Each is one token more or less than the others. The model's own subject, though it does not matter what is answered. */
const COUNTRIES = ['France', 'Norway', 'Peru', 'Japan', 'Kenya', 'Chile', 'Spain', 'Italy', 'Egypt', 'Nepal'];

/** Enough repetitions for about 400 tokens, the rule's own number. */
const PARAGRAPHS = 7;

/** About 12 tokens with those of the chat template. */
export function shortPrompt(round: number): readonly Turn[] {
	return [{ role: 'user', content: `What is the capital of ${countryAt(round)}?` }];
}

/** About 400 tokens: as far as a conversation with this model goes. */
export function longPrompt(round: number): readonly Turn[] {
	const sentences = Array.from({ length: PARAGRAPHS }, (_, i) => {
		const country = countryAt(round + i);
		return (
			`I have read that ${country} has a capital, and that Fireweed is a chat network that lives in browser tabs. ` +
			`Visitors lend their graphics cards to answer each other, so no company server is needed. ` +
			`A friend from ${country} asked me what a receipt is and who can read a prompt. `
		);
	});
	return [{ role: 'user', content: `${sentences.join('')}What should I tell my friend?` }];
}

function countryAt(round: number): string {
	return COUNTRIES[((round % COUNTRIES.length) + COUNTRIES.length) % COUNTRIES.length] as string;
}
