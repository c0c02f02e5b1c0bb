/**
 * Executors lost in mid-answer, measured over any number of runs: every loss is a line of bench/results/failover.jsonl as soon as it is over, and a
 * later run goes on with the kinds that have been measured least.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ROOT } from '../../scripts/bootstrap.mjs';
import { loadAverage, machine, type Machine } from '../machine.ts';
import { KILLS, type Kill } from './kills.ts';
import { openRig, type Calm, type Loss } from './rig.ts';

/** Raised when a change makes earlier lines say something else. */
const METHOD = 2;
const TOKENS = 140;
/** Tokens that are there when the executor is lost: from the first checkpoint to the middle, evenly. */
const [EARLIEST, LATEST] = [33, 100];
/** Busy loops beside the jobs that must raise no alarm; the machine's cores twice over. */
const BURNERS = 4;
/** Alarms are noted this often, so that a run that is broken off loses little. */
const CHUNK_MS = 60_000;

interface Run {
	readonly method: number;
	readonly when: string;
	readonly commit: string;
	readonly load: number;
	/** Load was asked for all the same, or the machine was busy: figures of time are not those of a quiet one. */
	readonly busy: boolean;
}
type Found =
	({ readonly what: 'loss' } & Loss) | ({ readonly what: 'calm'; readonly burners: number } & Calm) | Failure;
export type Line = Run & Found;
interface Failure {
	readonly what: 'failure';
	readonly kill: Kill;
	readonly hedge: number;
	readonly error: string;
}

export interface FailoverOptions {
	/** Losses to be had in this run. */
	readonly kills: number;
	/** Minutes of undisturbed jobs on a loaded machine. */
	readonly alarms: number;
	readonly keep: boolean;
	readonly busy: boolean;
	readonly tell: (line: string) => void;
}

export const KEPT = path.join(ROOT, 'bench/results/failover.jsonl');

export async function measureFailover(
	options: FailoverOptions
): Promise<{ readonly lines: readonly Line[]; readonly machine: Machine }> {
	const { kills, alarms, keep, busy, tell } = options;
	const lines = keep ? await earlier() : [];
	const rig = await openRig();
	const made = machine(ROOT, rig.browserVersion);
	const note = async (found: Found) => {
		const run: Run = { method: METHOD, when: new Date().toISOString(), commit: made.commit, load: loadAverage(), busy };
		const whole: Line = { ...run, ...found };
		lines.push(whole);
		if (!keep) return;
		await mkdir(path.dirname(KEPT), { recursive: true });
		await appendFile(KEPT, `${JSON.stringify(whole)}\n`);
	};
	try {
		for (let i = 0; i < kills; i += 1) {
			const { kill, hedge } = least(lines);
			const at = EARLIEST + ((i * 29 + lines.length * 7) % (LATEST - EARLIEST));
			const broken = { prompt: `Tell me about number ${i}`, tokens: TOKENS, hedge, at };
			try {
				const loss = await rig.lose(kill, broken);
				await note({ what: 'loss', ...loss });
				tell(
					`${i + 1} of ${kills}: ${kill}, hedge ${hedge}: ${loss.end}, pause ${loss.pause} ms, wrong ${loss.wrong ?? 'unknown'}`
				);
			} catch (error) {
				await note({ what: 'failure', kill, hedge, error: String(error) });
				tell(`${i + 1} of ${kills}: ${kill}, hedge ${hedge}: ${String(error)}`);
			}
		}
		if (alarms > 0) {
			const fires = Array.from({ length: BURNERS }, burner);
			try {
				for (let done = 0; done < alarms * 60_000; done += CHUNK_MS) {
					const calm = await rig.undisturbed(Math.min(CHUNK_MS, alarms * 60_000 - done));
					await note({ what: 'calm', burners: BURNERS, ...calm });
					const nearest = Math.max(0, ...calm.hesitations);
					const share = nearest === 0 ? 'no silence took much' : `the longest took ${(100 * nearest).toFixed(0)} %`;
					tell(
						`undisturbed: ${calm.jobMinutes.toFixed(1)} job-minutes, ${calm.alarms} false alarms; ${share} of what was allowed`
					);
				}
			} finally {
				for (const fire of fires) fire.kill('SIGKILL');
			}
		}
	} finally {
		await rig.close();
	}
	return { lines, machine: made };
}

/** Lines of earlier runs by the same method. */
async function earlier(): Promise<Line[]> {
	const text = await readFile(KEPT, 'utf8').catch(() => '');
	const lines = text.split('\n').filter((line) => line !== '');
	return lines.map((line) => JSON.parse(line) as Line).filter(({ method }) => method === METHOD);
}

/** What was measured least so far. */
function least(lines: readonly Line[]): { readonly kill: Kill; readonly hedge: number } {
	const all = [0, 1].flatMap((hedge) => KILLS.map((kill) => ({ kill, hedge })));
	const count = (of: (typeof all)[number]) =>
		lines.filter((line) => line.what !== 'calm' && line.kill === of.kill && line.hedge === of.hedge).length;
	return all.reduce((best, each) => (count(each) < count(best) ? each : best));
}

/** Ends with this process, also when that is killed. */
function burner(): ChildProcess {
	return spawn(process.execPath, ['-e', 'const { ppid } = process; while (process.ppid === ppid);'], {
		stdio: 'ignore'
	});
}
