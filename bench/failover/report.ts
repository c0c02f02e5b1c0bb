/** Every loss of all runs as a page: detection, reassignment and prefill apart, for each way to be lost, with and without a standby. */
import type { Machine } from '../machine.ts';
import { table } from '../table.ts';
import { KILLS } from './kills.ts';
import type { Line } from './measure.ts';
import type { Calm, Loss } from './rig.ts';

/** Issue 4: what a person may see of a loss, the 95th percentile. */
const AIM_MS = [1_000, 300] as const;
/** Losses that make a kept result. */
export const ENOUGH_KILLS = 200;

const PARTS = ['detection', 'reassignment', 'prefill', 'pause', 'seen'] as const;

export function reportFailover(lines: readonly Line[], made: Machine): string {
	const losses = lines.filter((line) => line.what === 'loss');
	const failures = lines.filter((line) => line.what === 'failure');
	const calm = lines.filter((line) => line.what === 'calm');
	const wrong = losses.filter(({ wrong: found }) => found !== 0);
	const busy = losses.filter((loss) => loss.busy);
	// Where there are quiet ones, only they tell how long it takes; all tell whether it was right.
	const timed = busy.length === losses.length ? losses : losses.filter((loss) => !loss.busy);
	const rows = [0, 1].flatMap((hedge) =>
		[undefined, ...KILLS].map((kill) => {
			const of = timed.filter((loss) => loss.hedge === hedge && (kill === undefined || loss.kill === kill));
			return [
				hedge === 0 ? 'plain' : 'hedged',
				kill ?? '**all**',
				String(of.length),
				...PARTS.map((part) => spread(of.map((loss) => loss[part]).filter((ms) => ms != null)))
			];
		})
	);
	const minutes = calm.reduce((sum, { jobMinutes }) => sum + jobMinutes, 0);
	const alarms = calm.reduce((sum, each) => sum + each.alarms, 0);
	return [
		'# Executors lost in mid-answer, measured\n',
		`${losses.length} losses in ${new Set(losses.map(({ commit }) => commit)).size} state(s) of the code, ${first(lines)} to ${last(lines)} UTC. \`npm run bench -- failover\`; every loss is a line of failover.jsonl beside this page.\n`,
		...(losses.length < ENOUGH_KILLS ? [`**Fewer than ${ENOUGH_KILLS}: not yet a result.**\n`] : []),
		...(busy.length > 0
			? [
					`${busy.length} of them on a busy machine: ${timed === losses ? '**all**' : 'their times are left out below'}.\n`
				]
			: []),
		'Milliseconds: p50 / p95 / most.\n',
		table(['', 'lost by', 'losses', ...PARTS], rows),
		...AIM_MS.map((aim, hedge) => {
			const of = timed.filter((loss) => loss.hedge === hedge);
			const seen = of.flatMap((loss) => loss.seen ?? []);
			const name = hedge === 0 ? 'plain' : 'hedged';
			return `- Aim, ${name}: p95 at most ${aim} ms. Until another has it: ${spread(of.map(untilAnother))}; without a new word: ${spread(of.map(({ pause }) => pause))}; the pause a person sees: ${spread(seen)} (${seen.length} losses).`;
		}),
		`- Tokens lost, doubled or changed against a replay of the seed: ${wrong.length === 0 ? 'none' : `in ${wrong.length} answers`}. Not finished: ${losses.filter(({ end }) => end !== 'success').length}; runs that failed: ${failures.length}.`,
		`- False alarms on a loaded machine (${calm[0]?.burners ?? 0} busy loops): ${alarms} in ${minutes.toFixed(1)} job-minutes${minutes > 0 ? ` (95 %: at most ${(most(alarms) / minutes).toFixed(4)} a minute; aim: fewer than 0.001)` : ''}.`,
		`${nearMisses(calm, minutes)}\n`,
		`${made.cpu}, ${made.cores} cores, ${made.memoryGiB} GiB, ${made.system}, Chromium ${made.chromium}. All browsers, the relay and the bench share these cores.\n`,
		METHOD
	].join('\n');
}

const METHOD = `## Method

One asking tab and three that answer with the pocket model, each in a browser of its own, linked by a real relay. The asker has an answer of 140 tokens at temperature 1; when 33 to 100 of them are there, whoever leads is
lost: its tab **closed**; its renderer process **killed** (SIGKILL); the process **frozen** (SIGSTOP); its network **cut** (its browser's network service stopped, the tab itself lives on). All clocks are one machine's.
**Detection**: until the originator gives it up. **Reassignment**: from then until another has accepted; 0 where one had before. **Prefill**: from then until its next word is shown. **Pause**: the longest time without a new word. **Seen**:
the longest time without more on the screen, by the chat's own pace (src/lib/ui/chat/pace.ts) on those words; losses before 2026-11-22, 13:00, have none.
Hedged: one stands by from the beginning. Then each answer is drawn again from its receipt's seed in another process and compared, token by token. False alarms: as many answers at once as there are who lend, again and again, with nobody lost, beside busy loops, twice as many as cores.
`;

/** Shares of the silence allowed that are counted. */
const NEAR = [0.4, 0.5, 0.6, 0.8, 1] as const;

/**
 * How near the living came to being given up. A rate that no run is long enough to see is reckoned from the tail: silences above a threshold fall off
 * exponentially (peaks over threshold: S. Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, chapter 4, with shape 0).
 */
function nearMisses(calm: readonly Calm[], minutes: number): string {
	const shares = calm.flatMap(({ hesitations }) => hesitations);
	const counts = NEAR.map((share) => `${(100 * share).toFixed(0)} %: ${shares.filter((each) => each >= share).length}`);
	const told = `- Silences of living executors in that time, by how much they took of what was allowed: ${counts.join(', ')}`;
	const least = NEAR[0];
	const excess = shares.reduce((sum, share) => sum + share - least, 0) / shares.length;
	if (shares.length === 0 || excess === 0) return `${told}.`;
	const rate = (shares.length / minutes) * Math.exp(-(1 - least) / excess);
	return `${told}. Were the tail exponential, ${rate.toPrecision(2)} a minute would be false alarms.`;
}

/** From the loss until somebody else has it. */
function untilAnother({ detection, reassignment }: Loss): number {
	return detection === null || reassignment === null ? Number.NaN : detection + reassignment;
}

function spread(values: readonly number[]): string {
	const sorted = values.filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
	const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
	return sorted.length === 0 ? '–' : [at(0.5), at(0.95), sorted.at(-1)].map((ms) => Math.round(ms ?? 0)).join(' / ');
}

/** Upper end of the exact one-sided 95 % interval of a Poisson count, by bisection. */
function most(count: number): number {
	const atMost = (mean: number) => {
		let [term, sum] = [Math.exp(-mean), 0];
		for (let k = 0; k <= count; k += 1) {
			sum += term;
			term *= mean / (k + 1);
		}
		return sum;
	};
	let [low, high] = [0, 10 * (count + 3)];
	for (let i = 0; i < 60; i += 1) {
		const middle = (low + high) / 2;
		if (atMost(middle) > 0.05) low = middle;
		else high = middle;
	}
	return high;
}

const first = (lines: readonly Line[]) => (lines[0]?.when ?? '').slice(0, 16).replace('T', ' ');
const last = (lines: readonly Line[]) => (lines.at(-1)?.when ?? '').slice(0, 16).replace('T', ' ');
