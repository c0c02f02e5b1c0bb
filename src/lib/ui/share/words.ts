/** What is said about the app as one file. Pure. */
import type { CarriedFacts } from '#lib/ports/carried.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { count } from '../numbers.ts';
import { wordsFor } from '../words.ts';
import { t } from '../language/language.svelte.ts';

/** Who vouches for the copy that runs. */
export function carriedWords({ signers, needed, development }: CarriedFacts): string {
	if (signers === undefined) return t('share.this-copy-runs-from-a');
	if (development) return t('share.this-copy-runs-from-a-2');
	return t('share.this-copy-is-signed', { signers: signers.join(', '), needed: count(needed) });
}

/** Why no file could be made. */
export function shareRefused(code: Code): string {
	switch (code) {
		case 'malformed':
			return t('share.this-copy-was-built-without');
		case 'unreachable':
			return t('share.not-all-of-its-files');
		case 'weights-corrupt':
			return t('share.a-file-of-this-app');
		default: {
			const { happened, todo } = wordsFor(code);
			return `${happened} ${todo}`.trim();
		}
	}
}
