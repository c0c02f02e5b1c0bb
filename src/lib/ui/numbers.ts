/**
 * Numbers as a person reads them: in the reader's language, always with a unit.
 */
import { speech, t } from './language/language.svelte.ts';

/** Prices travel as whole microcredits, so that no two machines disagree about a fraction. */
const MICRO = 1_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Said wherever a price stands, until balances exist. */
export const notCharged = (): string => t('number.nothing-is-charged-yet');

type Locale = string | undefined;
const unit = (unit: string, most: number) => (locale: Locale) =>
	new Intl.NumberFormat(locale, { style: 'unit', unit, maximumFractionDigits: most });
const long = (unit: string, most?: number) => (locale: Locale) =>
	new Intl.NumberFormat(locale, {
		...{ style: 'unit', unit, unitDisplay: 'long' },
		...(most === undefined ? {} : { maximumFractionDigits: most })
	});

const FORMATS = {
	whole: (locale: Locale) => new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
	tenth: (locale: Locale) => new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }),
	price: (locale: Locale) => new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 }),
	kilobytes: unit('kilobyte', 0),
	megabytes: unit('megabyte', 1),
	gigabytes: unit('gigabyte', 1),
	seconds: long('second', 1),
	minutes: long('minute'),
	hours: long('hour'),
	days: long('day'),
	relative: (locale: Locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }),
	absolute: (locale: Locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }),
	// Without a comma before “and”, in every English.
	list: (locale: Locale) => new Intl.ListFormat(locale === undefined || locale.startsWith('en') ? 'en-GB' : locale)
};
type Formats = { readonly [K in keyof typeof FORMATS]: ReturnType<(typeof FORMATS)[K]> };

/** Each made when it is needed, and once for a language: making one takes longer than using it a thousand times. */
const made = new Map<Locale, Partial<Record<keyof Formats, unknown>>>();

function format<K extends keyof Formats>(name: K): Formats[K] {
	const { locale } = speech;
	const known = made.get(locale) ?? {};
	made.set(locale, known);
	return (known[name] ??= FORMATS[name](locale)) as Formats[K];
}

/** A number with its unit as one piece: in a line from right to left, `5.4 MB` would else be shown as `MB 5.4`. */
const inOnePiece = (text: string): string => (speech.language.direction === 'rtl' ? `\u2068${text}\u2069` : text);

/** A count, grouped. */
export const count = (value: number): string => format('whole').format(value);

/** Bytes as megabytes or gigabytes; a model is never small enough for another unit. */
export const bytes = (value: number): string =>
	inOnePiece(value < 1e9 ? format('megabytes').format(value / 1e6) : format('gigabytes').format(value / 1e9));

/** Bytes of a text: `3 kB`, for what is mostly far below a megabyte. */
export const textSize = (value: number): string =>
	value < 1e6 ? inOnePiece(format('kilobytes').format(Math.max(1, Math.round(value / 1e3)))) : bytes(value);

/** `21 tok/s`; a decimal only where it tells something. */
export const speed = (tokensPerSecond: number): string =>
	t('number.tokens-a-second', {
		n: format(tokensPerSecond < 10 ? 'tenth' : 'whole').format(tokensPerSecond)
	});

/** Microcredits as credits, or `free`. */
export const credits = (micro: number): string => {
	if (micro === 0) return t('all.free');
	const value = micro / MICRO;
	return t('number.credits', { n: value, shown: format('price').format(value) });
};

/** The price of a thousand tokens. */
export const perThousand = (micro: number): string =>
	micro === 0 ? t('all.free') : t('number.per-thousand-tokens', { price: credits(micro), thousand: count(1000) });

/** How long something took. */
export const duration = (ms: number): string => format('seconds').format(ms / 1000);

/** `about` how long, in the largest unit that fits: `4 minutes`, `3 hours`, `2 days`. */
export function roughly(ms: number): string {
	if (ms < 1.5 * HOUR) return format('minutes').format(Math.max(1, Math.round(ms / MINUTE)));
	return ms < 2 * DAY ? format('hours').format(Math.round(ms / HOUR)) : format('days').format(Math.round(ms / DAY));
}

/** `3 minutes ago`, relative to `now`. */
export function ago(then: number, now: number): string {
	const relative = format('relative');
	const past = then - now;
	const size = Math.abs(past);
	if (size < MINUTE) return relative.format(0, 'second');
	if (size < HOUR) return relative.format(Math.round(past / MINUTE), 'minute');
	if (size < DAY) return relative.format(Math.round(past / HOUR), 'hour');
	return relative.format(Math.round(past / DAY), 'day');
}

/** Date and time in full, for titles and sheets. */
export const moment = (then: number): string => format('absolute').format(then);

/** `one, two and three`. */
export const listed = (parts: readonly string[]): string => format('list').format(parts);

/** A long identifier cut in the middle; the whole one stays one click away. */
export const short = (id: string): string => (id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-6)}`);
