/** What is said about where the app itself comes from. Pure. */
import type { Coming, ShellState } from '#lib/ports/shell.ts';
import { t } from '../language/language.svelte.ts';
import { bytes } from '../numbers.ts';

/** How much of the app is on this device. */
export function holdingWords(shell: ShellState): string {
	if (shell.kind === 'installing') {
		if (shell.coming) return t('sources.coming-so-far', { soFar: soFar(shell.coming) });
		if (shell.missing) return t('sources.missing', { n: shell.missing });
		return t('sources.coming');
	}
	if (shell.kind === 'ready')
		return shell.coming ? t('sources.newer-coming', { soFar: soFar(shell.coming) }) : t('sources.whole');
	if (shell.kind === 'blocked' || shell.kind === 'unsupported' || shell.kind === 'insecure-context')
		return t('sources.not-kept');
	return t('sources.a-version');
}

function soFar({ have, want }: Coming): string {
	return t('models.of', { loaded: bytes(have), whole: bytes(want) });
}

/** The list as it stands in a text field, one address a line. */
export function addressesIn(text: string): readonly string[] {
	return [...new Set(text.split(/\s+/).filter((line) => line !== ''))];
}
