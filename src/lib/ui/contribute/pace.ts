/** Speed over the last jobs as a line to draw. Pure. */
import type { JobLine } from './contribution.svelte.ts';

/** A job of fewer tokens says more of the prompt it read than of the speed. */
const LEAST_TOKENS = 8;

/** Speeds of finished jobs, oldest first, tokens a second. `jobs` are newest first. */
export function paces(jobs: readonly JobLine[]): readonly number[] {
	return jobs
		.flatMap(({ tokens, tokensPerSecond }) =>
			tokens >= LEAST_TOKENS && tokensPerSecond !== undefined ? [tokensPerSecond] : []
		)
		.reverse();
}

/** Points of an SVG polyline in a box of `width` by `height`, zero at the bottom. Empty for fewer than two values. */
export function polyline(values: readonly number[], width: number, height: number): string {
	if (values.length < 2) return '';
	const most = Math.max(...values);
	return values
		.map((value, at) => {
			const x = (at * width) / (values.length - 1);
			const y = most === 0 ? height : height * (1 - value / most);
			return `${round(x)},${round(y)}`;
		})
		.join(' ');
}

const round = (value: number): number => Math.round(value * 10) / 10;
