import { appearance, pageWearer } from '#lib/ui/appearance/appearance.svelte.ts';
import { introduction } from '#lib/ui/introduction/introduction.svelte.ts';
import { pageLanguage, speech } from '#lib/ui/language/language.svelte.ts';
import { Remembered } from '#lib/ui/remembered.ts';
import { shortcuts } from '#lib/ui/shortcuts/shortcuts.svelte.ts';

/** Nothing is shown before its words are there, nor in another look than the chosen one. */
export const load = (): Promise<void> => {
	const remembered = Remembered.ofBrowser();
	appearance.start(remembered, pageWearer());
	shortcuts.start(remembered);
	introduction.start(remembered);
	return speech.start(pageLanguage());
};
