/** How numbers stand on a result's page. */
import { spread, type Estimate } from './summary.ts';

/** A Markdown table; the first column holds names, the others numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
	return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}

/** Median (quartiles). */
export function middle(samples: readonly number[], digits: number): string {
	if (samples.length === 0) return '–';
	const { median, p25, p75 } = spread(samples);
	return `${fixed(median, digits)} (${fixed(p25, digits)}–${fixed(p75, digits)})`;
}

export function interval({ low, high }: Estimate, digits: number): string {
	return `${fixed(low, digits)} to ${fixed(high, digits)}`;
}

export function bytes(count: number): string {
	return Number.isNaN(count) ? '–' : `${count.toLocaleString('en')} B`;
}

export function fixed(value: number, digits: number): string {
	return value.toFixed(digits);
}
