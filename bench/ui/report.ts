/** What was found, as a page to read. */
import type { Circumstances } from '../kept.ts';
import { quantile, spread } from '../summary.ts';
import { fixed, table } from '../table.ts';
import type { Interaction, UiResult } from './measure.ts';

/** Issue 6: interaction to next paint at the 75th percentile. */
const AIM_MS = 200;

export function reportUi(kept: UiResult & Circumstances): string {
	const { interactions } = kept;
	const all = sorted(interactions);
	const p75 = quantile(all, 0.75);
	const kinds = [...new Set(interactions.map(({ what }) => what))];
	return [
		'# The chat while an answer streams\n',
		`${kept.startedAt.slice(0, 16).replace('T', ' ')} UTC. \`npm run bench -- ui\`; raw samples in the .json beside this page.\n`,
		...(kept.busyAtStart
			? [`**Marked: the machine was busy when it began (load average ${fixed(kept.loadBefore, 2)}), forced.**\n`]
			: []),
		`Interaction to next paint, 75th percentile of ${all.length} interactions: **${fixed(p75, 0)} ms** (aim: at most ${AIM_MS} ms, ${p75 <= AIM_MS ? 'met' : 'missed'}); median ${fixed(quantile(all, 0.5), 0)} ms, longest ${fixed(all.at(-1) ?? Number.NaN, 0)} ms.\n`,
		table(
			['Interaction', 'Times', 'Median, ms', '75th, ms', 'Longest, ms'],
			kinds.map((kind) => {
				const times = sorted(interactions.filter(({ what }) => what === kind));
				return [
					kind,
					String(times.length),
					fixed(quantile(times, 0.5), 0),
					fixed(quantile(times, 0.75), 0),
					fixed(times.at(-1) ?? Number.NaN, 0)
				];
			})
		),
		'',
		`Characters of the answer shown per second: median ${fixed(spread(kept.arrived).median, 0)}.\n`,
		`Machine: ${JSON.stringify(kept.machine)}. Load average ${fixed(kept.loadBefore, 2)} before, ${fixed(kept.loadAfter, 2)} after.\n`,
		'## Method\n',
		`The product's screens at 390 px over the scripted tab of tests/doubles, from Vite's development server: Svelte runs with its development checks, which cost more than the built app. ${kept.tokensPerSecond} tokens a second of headings, lists, tables, code and formulas; the processor slowed ${kept.slowdown} times by the debugger; eight seconds of answer before the first interaction. Times are the browser's own (Event Timing), the longest event of each interaction; shorter than 16 ms it does not report, and such an interaction counts as 16. What is not measured: an engine on the same device beside it, a real slow phone, scrolling.\n`
	].join('\n');
}

const sorted = (interactions: readonly Interaction[]): readonly number[] =>
	interactions.map(({ ms }) => ms).sort((a, b) => a - b);
