/** Models in words: what a number, a reason or a state means to a person. Pure. */
import type { Offer } from '#lib/node/app.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { Fit, ModelEntry } from '#lib/ports/models.ts';
import { bytes, count, duration, perThousand, speed } from '../numbers.ts';
import { t } from '../language/language.svelte.ts';

/** Words of English that a token stands for, roughly. */
const WORDS_PER_TOKEN = 0.75;
const WORDS_PER_PAGE = 450;

/** `4,096 tokens, about 7 pages`. */
export function context(tokens: number): string {
	const pages = (tokens * WORDS_PER_TOKEN) / WORDS_PER_PAGE;
	const about =
		pages < 2 ? t('models.about-a-page-and-a') : t('models.about-pages', { pages: count(Math.round(pages)) });
	return t('models.tokens', { tokens: count(tokens), about });
}

/** What a precision costs, in plain words. */
export function precision(name: string): string {
	switch (name) {
		case 'fp32':
			return t('models.full-precision');
		case 'fp16':
			return t('models.half-precision');
		case 'int8':
			return t('models.8-bit-rounded-as-it');
		case 'q8':
			return t('models.8-bit');
		case 'q4':
			return t('models.4-bit-a-little-less');
		default:
			return name;
	}
}

export const runsOn = (entry: Pick<ModelEntry, 'runs'>): string =>
	entry.runs === 'gpu' ? t('models.graphics-card') : t('models.processor');

/** By what the model is known to be the right one. */
export function integrity({ integrity: how, kept }: Pick<ModelEntry, 'integrity' | 'kept'>): string {
	if (how === 'released') return t('models.checked-against-this-release');
	return kept === 'whole' ? t('models.the-first-copy-seen-here') : t('models.the-first-copy-that-comes');
}

/** Why a model cannot run here, and what would help. Undefined when it can. */
export function obstacle(fit: Fit): string | undefined {
	if (fit.fits) return undefined;
	switch (fit.why) {
		case 'no-graphics':
			return t('models.it-needs-a-graphics-card');
		case 'out-of-memory':
			return t('models.it-needs-more-memory-than');
		case 'storage-full':
			return t('models.there-is-not-enough-room');
		case 'storage-unavailable':
			return t('models.this-browser-keeps-nothing-for');
		case 'insecure-context':
			return t('models.this-address-is-not-secure');
		default:
			return t('models.it-is-of-a-kind');
	}
}

/** How far a download is: bytes, share, speed, time left. */
export function progressWords({ stage, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }: LoadProgress): string {
	if (stage === 'preparing') return t('models.preparing');
	if (stage === 'checking') return t('models.checking-that-this-device-computes');
	const parts = [
		totalBytes === undefined
			? bytes(loadedBytes)
			: t('models.of', { loaded: bytes(loadedBytes), whole: bytes(totalBytes) })
	];
	if (bytesPerSecond !== undefined) parts.push(t('models.per-second', { bytes: bytes(bytesPerSecond) }));
	if (secondsLeft !== undefined) parts.push(timeLeft(secondsLeft));
	return parts.join(' · ');
}

/** `about 4 minutes left`; seconds only when there are few. */
export function timeLeft(seconds: number): string {
	if (seconds < 90) return t('models.left', { duration: duration(Math.ceil(seconds) * 1000) });
	if (seconds < 5400) return t('models.about-minute-left', { n: Math.round(seconds / 60) });
	return t('models.about-hour-left', { n: Math.round(seconds / 3600) });
}

/** One line for a list to choose from. */
export function choiceLine(entry: ModelEntry, tokensPerSecond: number | undefined): string {
	const parts = [entry.name, entry.bytes === undefined ? undefined : bytes(entry.bytes)];
	if (tokensPerSecond !== undefined) parts.push(speed(tokensPerSecond));
	return parts.filter((part) => part !== undefined).join(' · ');
}

/** The models somebody offers, one line for each model. */
export interface MeshModel {
	readonly id: string;
	readonly line: string;
}

/** Offers by model: most computers first. */
export function meshModels(offers: readonly Offer[]): readonly MeshModel[] {
	const groups = new Map<string, Offer[]>();
	for (const offer of offers) groups.set(offer.model, [...(groups.get(offer.model) ?? []), offer]);
	return [...groups]
		.sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1))
		.map(([id, of]) => {
			const fastest = Math.max(...of.map((offer) => offer.tokensPerSecond));
			const cheapest = Math.min(...of.map((offer) => offer.pricePer1k));
			const who = t('number.computers', { n: of.length });
			const price = cheapest === 0 ? t('all.free') : t('number.from-price', { price: perThousand(cheapest) });
			return {
				id,
				line: [of[0]?.modelName ?? id, who, t('number.up-to-speed', { speed: speed(fastest) }), price].join(' · ')
			};
		});
}

/** The list of a settings page: what is here, what could be, what cannot. */
export interface Shelves {
	readonly here: readonly ModelEntry[];
	readonly could: readonly ModelEntry[];
	readonly cannot: readonly ModelEntry[];
}

/** Sorts entries onto shelves; `wanted` filters by name. */
export function shelves(entries: readonly ModelEntry[], wanted = ''): Shelves {
	const words = wanted.trim().toLowerCase();
	const found = entries.filter((entry) => words === '' || entry.name.toLowerCase().includes(words));
	return {
		here: found.filter(({ kept }) => kept === 'whole'),
		could: found.filter(({ kept, fit }) => kept !== 'whole' && (fit.fits || kept === 'partly')),
		cannot: found.filter(({ kept, fit }) => kept === 'no' && !fit.fits)
	};
}

/** Used room above this share is worth a word. */
const NEARLY_FULL = 0.9;

/** Whether the room for this site is nearly used up. */
export const nearlyFull = (used: number, quota: number | undefined): boolean =>
	quota !== undefined && quota > 0 && used / quota >= NEARLY_FULL;
