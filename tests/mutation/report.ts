/** What became of the drawn mutants, as a page. Pure. */
import { wilson } from './sample.ts';
import type { Mutant } from './tree.ts';

export interface Verdict {
	readonly mutant: Mutant;
	/** Undefined: nobody noticed. */
	readonly by: 'simulator' | 'unit' | undefined;
	/** Name of the check that did. */
	readonly check: string | undefined;
	readonly timedOut: boolean;
	/** Checks that run the changed place at all. */
	readonly ran: number;
	readonly ms: number;
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** A share with its interval, as `93.0 % (90.1 % to 95.2 %)`. */
export function shareWords(hits: number, of: number): string {
	if (of === 0) return 'none drawn';
	const [low, high] = wilson(hits, of);
	return `${percent(hits / of)} (${percent(low)} to ${percent(high)})`;
}

/** Markdown: the shares, by file, and every mutant that nobody noticed. */
export function report(verdicts: readonly Verdict[], all: number, seed: string): string {
	const noticed = (by: readonly Verdict[]) => by.filter((each) => each.by !== undefined).length;
	const simulated = (by: readonly Verdict[]) => by.filter((each) => each.by === 'simulator').length;
	const files = [...new Set(verdicts.map(({ mutant }) => mutant.file))];
	const rows = files.map((file) => {
		const own = verdicts.filter(({ mutant }) => mutant.file === file);
		return `| \`${file.replace('src/lib/', '')}\` | ${own.length} | ${simulated(own)} | ${noticed(own)} |`;
	});
	const survivors = verdicts
		.filter(({ by }) => by === undefined)
		.map(({ mutant: { file, line, kind, before, after }, ran }) => {
			const shown = (text: string) => `\`${text.replaceAll(/\s+/g, ' ').slice(0, 80).replaceAll('|', '¦')}\``;
			return `| \`${file.replace('src/lib/', '')}:${line}\` | ${kind} | ${shown(before)} | ${shown(after)} | ${ran === 0 ? 'never run' : ''} |`;
		});
	return [
		`${verdicts.length} of ${all} mutants, drawn with seed ${seed}.`,
		'',
		`- noticed by the simulator before any unit test: ${shareWords(simulated(verdicts), verdicts.length)}`,
		`- noticed by the simulator or a unit test: ${shareWords(noticed(verdicts), verdicts.length)}`,
		'',
		'| file | drawn | by the simulator | by either |',
		'| --- | ---: | ---: | ---: |',
		...rows,
		'',
		'## Not noticed',
		'',
		'| place | kind | was | became | |',
		'| --- | --- | --- | --- | --- |',
		...survivors,
		''
	].join('\n');
}
