/** Numbers out of samples: medians with quartiles, and how sure the median of paired samples is. Pure; chance is seeded. */

/** Middle value and spread of one set of samples. */
export interface Spread {
	readonly count: number;
	readonly median: number;
	readonly p25: number;
	readonly p75: number;
	readonly least: number;
	readonly most: number;
}

/** A spread with the interval that holds the true median 19 times in 20. */
export interface Estimate extends Spread {
	readonly low: number;
	readonly high: number;
}

/** Enough for the third digit of an interval's ends to stay the same under another seed. */
const RESAMPLES = 4_000;
/** Any number; the same samples must give the same interval. */
const SEED = 0x66697265;
const COVERAGE = 0.95;

/** The value below which `share` of the sorted samples lie, between two samples by straight line. */
export function quantile(sorted: readonly number[], share: number): number {
	const at = share * (sorted.length - 1);
	const below = sorted[Math.floor(at)] ?? Number.NaN;
	const above = sorted[Math.ceil(at)] ?? Number.NaN;
	return below + (above - below) * (at - Math.floor(at));
}

export function spread(samples: readonly number[]): Spread {
	const sorted = [...samples].sort((a, b) => a - b);
	return {
		count: sorted.length,
		median: quantile(sorted, 0.5),
		p25: quantile(sorted, 0.25),
		p75: quantile(sorted, 0.75),
		least: sorted[0] ?? Number.NaN,
		most: sorted.at(-1) ?? Number.NaN
	};
}

/** Percentile bootstrap of the median: no assumption about how noise is distributed, which on a shared machine is not normal. */
export function estimate(samples: readonly number[]): Estimate {
	const chance = mulberry32(SEED);
	const medians = Array.from({ length: RESAMPLES }, () => {
		const drawn = samples.map(() => samples[Math.floor(chance() * samples.length)] as number);
		return quantile(
			drawn.sort((a, b) => a - b),
			0.5
		);
	}).sort((a, b) => a - b);
	const tail = (1 - COVERAGE) / 2;
	return { ...spread(samples), low: quantile(medians, tail), high: quantile(medians, 1 - tail) };
}

/** Whether an aim is reached, judged by the whole interval and not by its middle. */
export type Verdict = 'met' | 'missed' | 'undecided';

export function atLeast(found: Estimate, aim: number): Verdict {
	return found.low >= aim ? 'met' : found.high < aim ? 'missed' : 'undecided';
}

export function atMost(found: Estimate, aim: number): Verdict {
	return found.high <= aim ? 'met' : found.low > aim ? 'missed' : 'undecided';
}

/** Uniform numbers in [0, 1). */
function mulberry32(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
