/**
 * The language of the screens, and every word on them: `t` gives a message in the reader's language, and whatever shows it is shown
 * anew when that changes.
 */
import { catalogueOf, ENGLISH, type Catalogue, type Key, type Values } from './catalogues.ts';
import { fittingLanguage, languageOf, LANGUAGES, localeOf, type Language, type LanguageCode } from './languages.ts';

export type { Key } from './catalogues.ts';

/** Beside the settings store: this is read before the store is open, so that nothing is shown in another language first. */
const KEPT = 'fireweed.language';

/** What it needs of the page. */
export interface LanguageComponents {
	/** The reader's languages, the best first. */
	readonly wanted: readonly string[];
	/** `localStorage`; undefined where it is refused. */
	readonly kept: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
	/** `<html>`. */
	readonly page: { lang: string; dir: string } | undefined;
	fetch(code: LanguageCode): Promise<Catalogue>;
}

/** The present language. English until `start`. */
export class Speech {
	#language = $state.raw<Language>(LANGUAGES[0] as Language);
	#catalogue = $state.raw<Catalogue>(ENGLISH);
	#locale = $state<string | undefined>(undefined);
	/** What the person chose; undefined: as the browser says. */
	#chosen = $state<LanguageCode | undefined>(undefined);
	#components: LanguageComponents | undefined;

	get language(): Language {
		return this.#language;
	}

	get chosen(): LanguageCode | undefined {
		return this.#chosen;
	}

	/** Tag for numbers and dates; undefined before `start`: the machine's. */
	get locale(): string | undefined {
		return this.#locale;
	}

	/** The message in the reader's language. */
	say(key: Key, values: Values = {}): string {
		return (this.#catalogue[key] ?? ENGLISH[key])(values);
	}

	/** Takes the language that was chosen before, or the browser's. Never rejects: English stands in for words that cannot be had. */
	async start(components: LanguageComponents): Promise<void> {
		this.#components = components;
		this.#chosen = languageOf(read(components.kept))?.code;
		await this.#use(languageOf(this.#chosen) ?? fittingLanguage(components.wanted)).catch(() => undefined);
	}

	/** Changes the language at once and for the next visits. Rejects when its words cannot be had; the present one then stays. */
	async choose(code: LanguageCode | undefined): Promise<void> {
		const { wanted = [], kept } = this.#components ?? {};
		await this.#use(languageOf(code) ?? fittingLanguage(wanted));
		this.#chosen = code;
		try {
			if (code === undefined) kept?.removeItem(KEPT);
			else kept?.setItem(KEPT, code);
		} catch {
			// Full: it holds for this visit.
		}
	}

	async #use(language: Language): Promise<void> {
		const { page, wanted = [], fetch = catalogueOf } = this.#components ?? {};
		const catalogue = await fetch(language.code);
		this.#catalogue = catalogue;
		this.#language = language;
		this.#locale = localeOf(language, wanted);
		if (page) Object.assign(page, { lang: language.code, dir: language.direction });
	}
}

function read(kept: LanguageComponents['kept']): string | undefined {
	try {
		return kept?.getItem(KEPT) ?? undefined;
	} catch {
		return undefined;
	}
}

/** The one language of this page. */
export const speech = new Speech();

/** The message `key` in the reader's language, with `values` in its places. */
export const t = (key: Key, values?: Values): string => speech.say(key, values);

/** Of this page. */
export function pageLanguage(): LanguageComponents {
	return {
		wanted: navigator.languages,
		kept: storageOrNothing(),
		page: document.documentElement,
		fetch: catalogueOf
	};
}

/**
 * Asks once more for the file of the present language, now that the loader stands between page and server: it keeps what is asked
 * of it, and on a first visit the page was faster. English is in the app and needs no asking.
 */
export function keepOffline(): void {
	const mark = `/language-${speech.language.code}-`;
	for (const { name } of performance.getEntriesByType('resource')) {
		if (name.includes(mark)) void fetch(name).catch(() => undefined);
	}
}

/** Touching the storage throws where it is switched off. */
function storageOrNothing(): Storage | undefined {
	try {
		return localStorage;
	} catch {
		return undefined;
	}
}

/** The message in English, whatever the reader's language. */
export const inEnglish = (key: Key): string => ENGLISH[key]({});
