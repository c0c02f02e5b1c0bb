import { pageLanguage, speech } from '#lib/ui/language/language.svelte.ts';

/** Nothing is shown before its words are there. */
export const load = (): Promise<void> => speech.start(pageLanguage());
