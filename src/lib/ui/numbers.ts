/**
 * Numbers as a person reads them: in the reader's language, always with a unit.
 */

/** Prices travel as whole microcredits, so that no two machines disagree about a fraction. */
const MICRO = 1_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Said wherever a price stands, until balances exist. */
export const NOT_CHARGED = 'Nothing is charged yet: balances come later.';

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const price = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const kilobytes = new Intl.NumberFormat(undefined, { style: 'unit', unit: 'kilobyte', maximumFractionDigits: 0 });
const megabytes = new Intl.NumberFormat(undefined, { style: 'unit', unit: 'megabyte', maximumFractionDigits: 1 });
const gigabytes = new Intl.NumberFormat(undefined, { style: 'unit', unit: 'gigabyte', maximumFractionDigits: 1 });
const seconds = new Intl.NumberFormat(undefined, {
	style: 'unit',
	unit: 'second',
	unitDisplay: 'long',
	maximumFractionDigits: 1
});
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** A count, grouped. */
export const count = (value: number): string => whole.format(value);

/** `1 job`, `2 jobs`. */
export const counted = (value: number, one: string, many: string): string =>
	`${whole.format(value)} ${value === 1 ? one : many}`;

/** Bytes as megabytes or gigabytes; a model is never small enough for another unit. */
export const bytes = (value: number): string =>
	value < 1e9 ? megabytes.format(value / 1e6) : gigabytes.format(value / 1e9);

/** Bytes of a text: `3 kB`, for what is mostly far below a megabyte. */
export const textSize = (value: number): string =>
	value < 1e6 ? kilobytes.format(Math.max(1, Math.round(value / 1e3))) : bytes(value);

/** `21 tok/s`; a decimal only where it tells something. */
export const speed = (tokensPerSecond: number): string =>
	`${(tokensPerSecond < 10 ? tenth : whole).format(tokensPerSecond)} tok/s`;

/** Microcredits as credits, or `free`. */
export const credits = (micro: number): string => {
	if (micro === 0) return 'free';
	const value = micro / MICRO;
	return `${price.format(value)} ${value === 1 ? 'credit' : 'credits'}`;
};

/** The price of a thousand tokens. */
export const perThousand = (micro: number): string =>
	micro === 0 ? 'free' : `${credits(micro)} per ${whole.format(1000)} tokens`;

/** How long something took. */
export const duration = (ms: number): string => seconds.format(ms / 1000);

/** `3 minutes ago`, relative to `now`. */
export function ago(then: number, now: number): string {
	const past = then - now;
	const size = Math.abs(past);
	if (size < MINUTE) return relative.format(0, 'second');
	if (size < HOUR) return relative.format(Math.round(past / MINUTE), 'minute');
	if (size < DAY) return relative.format(Math.round(past / HOUR), 'hour');
	return relative.format(Math.round(past / DAY), 'day');
}

/** Date and time in full, for titles and sheets. */
export const moment = (then: number): string => absolute.format(then);

/** A long identifier cut in the middle; the whole one stays one click away. */
export const short = (id: string): string => (id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-6)}`);
