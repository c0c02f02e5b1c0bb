/**
 * The quiet line under an answer, in words: who answered, and what to say when it did not end well.
 */
import type { ExecutorFacts } from '#lib/node/events.ts';
import type { Answer } from '#lib/ports/store.ts';
import { progressWords } from '../models/words.ts';
import { listed } from '../numbers.ts';
import { wordsFor } from '../words.ts';
import type { Phase } from './answering.ts';
import { speech, t } from '../language/language.svelte.ts';

/** Who answered. A region is what the other side says of itself. */
export function who(answer: Pick<Answer, 'by' | 'region' | 'sameAccount' | 'executor'>): string {
	if (answer.by === 'device') return t('all.this-device');
	if (answer.sameAccount) return t('all.another-tab-of-yours');
	if (answer.executor === undefined) return t('all.the-mesh');
	return answer.region === undefined
		? t('chat.someones-computer')
		: t('chat.someones-computer-says-it-is', { region: answer.region });
}

/** Why whoever answered was chosen; undefined where nobody chose, or one's own device answered. */
export function chosen({
	by,
	chosen: reason,
	sameAccount
}: Pick<Answer, 'by' | 'chosen' | 'sameAccount'>): string | undefined {
	return by !== 'mesh' || sameAccount || !reason ? undefined : t('chat.chosen', { reason });
}

/** One sentence for an answer that did not end well; undefined when it did. */
export function trouble(answer: Answer, hasText: boolean): string | undefined {
	const words = wordsFor(answer.code);
	switch (answer.status) {
		case 'running':
		case 'done':
			return undefined;
		case 'stopped':
			return t('chat.stopped');
		case 'lost':
			return answer.code === 'aborted'
				? t('chat.the-page-was-closed-before')
				: t('chat.every-word-that-came-is', { happened: words.happened });
		case 'failed':
			if (hasText) return `${words.happened} ${words.safe}`;
			return [words.happened, words.safe, toDo(words.todo, answer.retryMs)].join(' ').trim();
	}
}

/** Where somebody else went on, quietly; undefined when nobody did. */
export function continued({ by, seams, roughSeams = [] }: Answer, text: string): string | undefined {
	if (seams.length === 0) return undefined;
	const counts = seams.map((seam) => wordsIn(text.slice(0, seam)));
	const rough = roughSeams.length > 0 ? 'yes' : 'no';
	// Plural by the last count: `after 2 and 12 words`.
	const values = { after: listed(counts.map(String)), n: counts.at(-1) ?? 0, rough };
	return t(by === 'device' ? 'chat.continued-here' : 'chat.continued-elsewhere', values);
}

/** Words as a reader counts them, also where no spaces part them. */
const wordsIn = (text: string): number =>
	[...new Intl.Segmenter(speech.locale, { granularity: 'word' }).segment(text)].filter((part) => part.isWordLike)
		.length;

/** Whether an answer can go on after its last word. */
export const canGoOn = (answer: Answer, hasText: boolean): boolean =>
	hasText && answer.by !== 'fixed' && answer.tokens.length > 0 && ['lost', 'stopped', 'failed'].includes(answer.status);

/** What an answer under way waits for. Empty while words come. */
export function waiting(phase: Phase): string {
	switch (phase.kind) {
		case 'starting':
			return t('chat.getting-ready');
		case 'loading': {
			if (phase.progress.stage !== 'fetching') return t('chat.preparing-the-model');
			return t('all.loading-the-model-2', { progress: progressWords(phase.progress) });
		}
		case 'asking':
			return phase.offers === 0 ? t('chat.asking-who-can-answer') : t('chat.offer-so-far', { n: phase.offers });
		case 'warming':
			return t('chat.someone-could-answer-in-second', { n: seconds(phase.readyInMs) });
		case 'queued':
			return phase.waitMs === 0
				? t('chat.your-turn-comes-next')
				: t('chat.others-come-first-your-turn', { n: seconds(phase.waitMs) });
		case 'full': {
			const { tries, most } = phase;
			return t('chat.everyone-is-busy-asking-again', { n: seconds(phase.retryMs), tries, most });
		}
		case 'reaching':
			return t('chat.reaching', { who: named(phase.executor) });
		case 'reading':
			return phase.executor
				? t('chat.reads-your-message', { who: capital(named(phase.executor)) })
				: t('chat.your-message-is-being-read');
		case 'returning':
			return t('chat.finding-again', { who: named(phase.executor) });
		case 'writing':
			return '';
		case 'stopping':
			return t('chat.stopping');
	}
}

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/** When it is known when there may be room, that is what to do. */
const toDo = (usual: string, retryMs: number | undefined): string =>
	retryMs === undefined ? usual : t('chat.try-again-in-about-second', { n: seconds(retryMs) });

const named = (executor: ExecutorFacts): string => {
	if (executor.sameAccount) return t('chat.another-tab-of-yours');
	return executor.region === undefined
		? t('chat.someones-computer-2')
		: t('chat.someones-computer-says-it-is-2', { region: executor.region });
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
