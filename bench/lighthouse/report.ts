/** What Lighthouse said, as a page to read. */
import type { Circumstances } from '../kept.ts';
import { spread } from '../summary.ts';
import { fixed, table } from '../table.ts';
import { CATEGORIES, FORMS, type Judgement, type LighthouseResult } from './measure.ts';

/** Points wished for in every category. */
const AIM = 95;

export function reportLighthouse(kept: LighthouseResult & Circumstances): string {
	const pages = [...new Set(kept.judgements.map(({ page }) => page))];
	const rows = FORMS.flatMap((form) =>
		pages.map((page) =>
			row(
				page,
				form,
				kept.judgements.filter((one) => one.page === page && one.form === form)
			)
		)
	);
	const lost = [...new Set(kept.judgements.flatMap(({ lost }) => lost))].sort();
	const power = spread(kept.judgements.map((one) => one.power));
	const least = Math.min(...rows.flatMap(({ medians }) => medians));
	return [
		'# Lighthouse on the built app\n',
		`${kept.startedAt.slice(0, 16).replace('T', ' ')} UTC. \`npm run bench -- lighthouse\`, Lighthouse ${kept.lighthouse}; every run in the .json beside this page.\n`,
		...(kept.busyAtStart
			? [`**Marked: the machine was busy when it began (load average ${fixed(kept.loadBefore, 2)}), forced.**\n`]
			: []),
		`The least median is **${least}** of 100 (aim: ${AIM} everywhere, ${least >= AIM ? 'met' : 'missed'}).\n`,
		table(
			['Page', 'As', ...CATEGORIES, 'First paint, ms', 'Largest paint, ms', 'Blocked, ms'],
			rows.map(({ cells }) => cells)
		),
		'',
		`Audits that cost points in any run: ${lost.length === 0 ? 'none' : lost.join(', ')}.\n`,
		`Machine: ${JSON.stringify(kept.machine)}. Load average ${fixed(kept.loadBefore, 2)} before, ${fixed(kept.loadAfter, 2)} after.\n`,
		`Power of the processor as Lighthouse measured it before each run: ${fixed(power.least, 0)} to ${fixed(power.most, 0)}, median ${fixed(power.median, 0)}. Its phone is a quarter of that; Lighthouse means the quarter for machines of 1500 to 2000, so where less was measured its phone was slower than it means.\n`,
		'## Method\n',
		'Medians of the runs. The built app on a local server that compresses (copies made at the first page of the first round), a new browser for every run, no relay and nobody else there. "mobile" is Lighthouse\'s default: a phone of the middle class on a slow 4G network, both reckoned from an undisturbed load. Performance holds for the first visit only; a returning visitor opens from the offline shell.\n'
	].join('\n');
}

function row(page: string, form: string, runs: readonly Judgement[]) {
	const median = (of: (run: Judgement) => number) => Math.round(spread(runs.map(of)).median);
	const medians = CATEGORIES.map((category) => median(({ points }) => points[category]));
	const times = [median((run) => run.firstPaint), median((run) => run.largestPaint), median((run) => run.blocked)];
	return { medians, cells: [page, form, ...[...medians, ...times].map(String)] };
}
