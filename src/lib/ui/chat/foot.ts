/**
 * The quiet line under an answer, in words: who answered, and what to say when it did not end well.
 */
import type { ExecutorFacts } from '#lib/node/events.ts';
import type { Answer } from '#lib/ports/store.ts';
import { progressWords } from '../models/words.ts';
import { counted } from '../numbers.ts';
import { wordsFor } from '../words.ts';
import type { Phase } from './answering.ts';

/** Who answered. A region is what the other side says of itself. */
export function who(answer: Pick<Answer, 'by' | 'region' | 'sameAccount' | 'executor'>): string {
	if (answer.by === 'device') return 'This device';
	if (answer.sameAccount) return 'Another tab of yours';
	if (answer.executor === undefined) return 'The mesh';
	return answer.region === undefined ? "Someone's computer" : `Someone's computer (says it is in ${answer.region})`;
}

/** One sentence for an answer that did not end well; undefined when it did. */
export function trouble(answer: Answer, hasText: boolean): string | undefined {
	const words = wordsFor(answer.code);
	switch (answer.status) {
		case 'running':
		case 'done':
			return undefined;
		case 'stopped':
			return 'Stopped';
		case 'lost':
			return answer.code === 'aborted'
				? 'The page was closed before this was complete. Every word that came is kept.'
				: `${words.happened} Every word that came is kept.`;
		case 'failed':
			return hasText ? `${words.happened} ${words.safe}` : [words.happened, words.safe, words.todo].join(' ').trim();
	}
}

/** Where somebody else went on, quietly; undefined when nobody did. */
export function continued({ by, seams, roughSeams = [] }: Answer, text: string): string | undefined {
	if (seams.length === 0) return undefined;
	const counts = seams.map((seam) => String(wordsIn(text.slice(0, seam))));
	const where = by === 'device' ? 'on this device' : 'on another computer';
	const rough = roughSeams.length > 0 ? ', by another engine' : '';
	const after = new Intl.ListFormat('en').format(counts);
	return `Continued ${where} after ${after} ${after === '1' ? 'word' : 'words'}${rough}`;
}

/** Words as a reader counts them, also where no spaces part them. */
const wordsIn = (text: string): number =>
	[...new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)].filter((part) => part.isWordLike).length;

/** Whether an answer can go on after its last word. */
export const canGoOn = (answer: Answer, hasText: boolean): boolean =>
	hasText && answer.by !== 'fixed' && answer.tokens.length > 0 && ['lost', 'stopped', 'failed'].includes(answer.status);

/** What an answer under way waits for. Empty while words come. */
export function waiting(phase: Phase): string {
	switch (phase.kind) {
		case 'starting':
			return 'Getting ready…';
		case 'loading': {
			if (phase.progress.stage !== 'fetching') return 'Preparing the model…';
			return `Loading the model: ${progressWords(phase.progress)}`;
		}
		case 'asking':
			return phase.offers === 0 ? 'Asking who can answer…' : `${counted(phase.offers, 'offer', 'offers')} so far…`;
		case 'warming':
			return `Someone could answer in ${counted(Math.ceil(phase.readyInMs / 1000), 'second', 'seconds')}…`;
		case 'reaching':
			return `Reaching ${named(phase.executor)}…`;
		case 'reading':
			return phase.executor ? `${capital(named(phase.executor))} reads your message…` : 'Your message is being read…';
		case 'writing':
			return '';
		case 'stopping':
			return 'Stopping…';
	}
}

const named = (executor: ExecutorFacts): string => {
	if (executor.sameAccount) return 'another tab of yours';
	return executor.region === undefined ? "someone's computer" : `someone's computer (says it is in ${executor.region})`;
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
