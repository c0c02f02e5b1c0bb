/** The catalogues: English stands in the app, each other language is one file that is fetched by those who read it. */
import english from './messages/en.json';
import type { LanguageCode } from './languages.ts';

/** A message's name. */
export type Key = keyof typeof english;
/** What stands in a message's places. */
export type Values = Readonly<Record<string, string | number>>;
/** A catalogue as scripts/messages.ts makes it. */
export type Catalogue = Readonly<Record<Key, (values: Values) => string>>;

/** What the build makes of a file; TypeScript sees the file itself. */
const made = (file: unknown): Catalogue => file as Catalogue;

export const ENGLISH = made(english);

/** The fixed answers, which stand in English wherever they are given (src/lib/node/fixed.ts); the translation is shown beside. */
export const FIXED_KEYS = ['fixed.crisis', 'fixed.danger', 'fixed.health'] as const satisfies readonly Key[];

/** One import for each, so that each becomes one file. */
const FETCH: Readonly<Record<Exclude<LanguageCode, 'en'>, () => Promise<{ readonly default: unknown }>>> = {
	zh: () => import('./messages/zh.json'),
	fa: () => import('./messages/fa.json'),
	ar: () => import('./messages/ar.json'),
	ru: () => import('./messages/ru.json'),
	es: () => import('./messages/es.json'),
	tr: () => import('./messages/tr.json'),
	my: () => import('./messages/my.json')
};

/** The words of a language. Rejects when they are not here and cannot be fetched. */
export async function catalogueOf(code: LanguageCode): Promise<Catalogue> {
	return code === 'en' ? ENGLISH : made((await FETCH[code]()).default);
}
