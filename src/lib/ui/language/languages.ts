/** The languages of the screens, each under the name it has for itself, and where their words are. */

/** One language. `code` is its BCP 47 tag and the name of its catalogue. */
export interface Language {
	readonly code: 'en' | 'zh' | 'fa' | 'ar' | 'ru' | 'es' | 'tr' | 'my';
	readonly name: string;
	readonly direction: 'ltr' | 'rtl';
}

export type LanguageCode = Language['code'];

/** English first, because it is always there; the others as they are written. */
export const LANGUAGES: readonly Language[] = [
	{ code: 'en', name: 'English', direction: 'ltr' },
	{ code: 'es', name: 'Español', direction: 'ltr' },
	{ code: 'tr', name: 'Türkçe', direction: 'ltr' },
	{ code: 'ru', name: 'Русский', direction: 'ltr' },
	{ code: 'ar', name: 'العربية', direction: 'rtl' },
	{ code: 'fa', name: 'فارسی', direction: 'rtl' },
	{ code: 'my', name: 'မြန်မာ', direction: 'ltr' },
	{ code: 'zh', name: '简体中文', direction: 'ltr' }
];

const ENGLISH = LANGUAGES[0] as Language;

/** The language of this code; undefined for any other text. */
export const languageOf = (code: unknown): Language | undefined => LANGUAGES.find((each) => each.code === code);

/** The first of the reader's languages, as browsers list them, that the screens have; English when there is none. */
export function fittingLanguage(wanted: readonly string[]): Language {
	for (const tag of wanted) {
		const found = languageOf(tag.toLowerCase().split('-', 1)[0]);
		if (found) return found;
	}
	return ENGLISH;
}

/** The tag for numbers and dates: the reader's own variety where the browser names one (`en-GB`), else the language's. */
export function localeOf({ code }: Language, wanted: readonly string[]): string {
	return wanted.find((tag) => tag.toLowerCase() === code || tag.toLowerCase().startsWith(`${code}-`)) ?? code;
}
