/** Models in words: what a number, a reason or a state means to a person. Pure. */
import type { Offer } from '#lib/node/app.ts';
import type { LoadProgress } from '#lib/ports/engine.ts';
import type { Fit, ModelEntry } from '#lib/ports/models.ts';
import { bytes, count, counted, duration, perThousand, speed } from '../numbers.ts';

/** Words of English that a token stands for, roughly. */
const WORDS_PER_TOKEN = 0.75;
const WORDS_PER_PAGE = 450;

/** `4,096 tokens, about 7 pages`. */
export function context(tokens: number): string {
	const pages = (tokens * WORDS_PER_TOKEN) / WORDS_PER_PAGE;
	const about = pages < 2 ? 'about a page and a half' : `about ${count(Math.round(pages))} pages`;
	return `${count(tokens)} tokens, ${about}`;
}

/** What a precision costs, in plain words. */
export function precision(name: string): string {
	switch (name) {
		case 'fp32':
			return 'full precision';
		case 'fp16':
			return 'half precision';
		case 'int8':
			return '8 bit, rounded as it runs';
		case 'q8':
			return '8 bit';
		case 'q4':
			return '4 bit, a little less exact';
		default:
			return name;
	}
}

export const runsOn = (entry: Pick<ModelEntry, 'runs'>): string =>
	entry.runs === 'gpu' ? 'graphics card' : 'processor';

/** By what the model is known to be the right one. */
export function integrity({ integrity: how, kept }: Pick<ModelEntry, 'integrity' | 'kept'>): string {
	if (how === 'released') return 'checked against this release';
	return kept === 'whole' ? 'the first copy seen here; later ones must be the same' : 'the first copy that comes is trusted';
}

/** Why a model cannot run here, and what would help. Undefined when it can. */
export function obstacle(fit: Fit): string | undefined {
	if (fit.fits) return undefined;
	switch (fit.why) {
		case 'no-graphics':
			return 'It needs a graphics card that this browser offers to pages (WebGPU), and there is none that fits.';
		case 'out-of-memory':
			return 'It needs more memory than a page gets here.';
		case 'storage-full':
			return 'There is not enough room left for it; deleting another model helps.';
		case 'storage-unavailable':
			return 'This browser keeps nothing for this site, so it could not stay. Private windows do that.';
		case 'insecure-context':
			return 'This address is not secure; open Fireweed over https.';
		default:
			return 'It is of a kind that cannot run here.';
	}
}

/** How far a download is: bytes, share, speed, time left. */
export function progressWords({ stage, loadedBytes, totalBytes, bytesPerSecond, secondsLeft }: LoadProgress): string {
	if (stage === 'preparing') return 'Preparing…';
	if (stage === 'checking') return 'Checking that this device computes it rightly…';
	const parts = [totalBytes === undefined ? bytes(loadedBytes) : `${bytes(loadedBytes)} of ${bytes(totalBytes)}`];
	if (bytesPerSecond !== undefined) parts.push(`${bytes(bytesPerSecond)} per second`);
	if (secondsLeft !== undefined) parts.push(timeLeft(secondsLeft));
	return parts.join(' · ');
}

/** `about 4 minutes left`; seconds only when there are few. */
export function timeLeft(seconds: number): string {
	if (seconds < 90) return `${duration(Math.ceil(seconds) * 1000)} left`;
	if (seconds < 5400) return `about ${counted(Math.round(seconds / 60), 'minute', 'minutes')} left`;
	return `about ${counted(Math.round(seconds / 3600), 'hour', 'hours')} left`;
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
			const who = counted(of.length, 'computer', 'computers');
			const price = cheapest === 0 ? 'free' : `from ${perThousand(cheapest)}`;
			return { id, line: [of[0]?.modelName ?? id, who, `up to ${speed(fastest)}`, price].join(' · ') };
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
