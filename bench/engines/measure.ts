/** The contest: every round each contestant once, in a fresh profile, with the same questions and equally long answers. */
import { gzipSync } from 'node:zlib';
import { ROOT } from '../../scripts/bootstrap.mjs';
import { busyCores, cpuTime, loadAverage, machine, type Machine } from '../machine.ts';
import { nameOf, orderAt, type Answer, type Contestant } from './contest.ts';
import { installPeers, type PeerVersions } from './peers.ts';
import { longPrompt, shortPrompt } from './prompts.ts';
import { proveSame, type Proof } from './proof.ts';
import { openContest, type ContestStage } from './stage.ts';

export interface EnginesOptions {
	readonly rounds: number;
	/** Of every measured answer. */
	readonly tokens: number;
	readonly tell: (line: string) => void;
}

/** What is kept of one answer. Rates are tokens per second, as they came to the page. */
export interface Measured {
	readonly promptTokens: number;
	readonly firstTokenMs: number;
	/** Prompt tokens by the wait for the first token, which has one step of the answer in it too. */
	readonly prefillRate: number;
	readonly decodeRate: number;
	/** By the library's own clock, where it has one. */
	readonly own: { readonly prefillRate: number; readonly decodeRate: number } | undefined;
	readonly text: string;
}

/** One contestant in one round. */
export interface Turn {
	readonly round: number;
	readonly contestant: Contestant;
	readonly loadMs: number;
	/** The first answer after the load, to a short prompt. */
	readonly coldFirstTokenMs: number;
	readonly short: Measured;
	readonly long: Measured;
	/** Undefined where the system does not say. */
	readonly peakBytes: number | undefined;
	readonly endBytes: number | undefined;
	readonly busyCores: number | undefined;
	readonly loadAverage: number;
}

/** One file that a contestant fetched for its load. */
export interface Needed {
	readonly path: string;
	readonly bytes: number;
	readonly gzipBytes: number;
}

export interface EnginesResult {
	readonly machine: Machine;
	readonly peers: PeerVersions;
	readonly rounds: number;
	readonly tokens: number;
	readonly proofs: readonly Proof[];
	readonly turns: readonly Turn[];
	readonly failures: readonly string[];
	readonly needed: readonly { readonly contestant: Contestant; readonly files: readonly Needed[] }[];
}

/** The smallest answer that shows how long the very first one waits; it also warms the engine up for the measured ones. */
const COLD_TOKENS = 32;
const GZIP_LEVEL = 9;

export async function measureEngines({ rounds, tokens, tell }: EnginesOptions): Promise<EnginesResult> {
	const peers = await installPeers(tell);
	const stage = await openContest();
	try {
		const made = machine(ROOT, stage.browser.version());
		tell('the recorded answers, from every contestant');
		const proofs = await proveSame(stage);
		const turns: Turn[] = [];
		const failures: string[] = [];
		const fetched = new Map<string, { contestant: Contestant; paths: readonly string[] }>();
		for (let round = 0; round < rounds; round += 1) {
			for (const contestant of orderAt(round)) {
				const name = nameOf(contestant);
				try {
					const { turn, paths } = await takeTurn(stage, contestant, round, tokens);
					turns.push(turn);
					fetched.set(name, { contestant, paths });
					tell(
						`round ${round + 1} of ${rounds}, ${name}: load ${turn.loadMs.toFixed(0)} ms, decode ${turn.short.decodeRate.toFixed(0)} tok/s`
					);
				} catch (error) {
					failures.push(`round ${round + 1}, ${name}: ${error instanceof Error ? error.message : String(error)}`);
					tell(failures.at(-1) ?? '');
				}
			}
		}
		const needed = [...fetched.values()].map(({ contestant, paths }) => ({
			contestant,
			files: paths.map((path) => neededFile(stage, path))
		}));
		return { machine: made, peers, rounds, tokens, proofs, turns, failures, needed };
	} finally {
		await stage.stop();
	}
}

async function takeTurn(
	stage: ContestStage,
	contestant: Contestant,
	round: number,
	tokens: number
): Promise<{ readonly turn: Turn; readonly paths: readonly string[] }> {
	const before = cpuTime();
	const opened = await stage.open(contestant);
	const cold = await opened.answer({ turns: shortPrompt(round + 1), maxTokens: COLD_TOKENS, forced: true });
	const short = await opened.answer({ turns: shortPrompt(round), maxTokens: tokens, forced: true });
	const long = await opened.answer({ turns: longPrompt(round), maxTokens: tokens, forced: true });
	const after = cpuTime();
	const memory = opened.memory();
	await opened.close();
	return {
		turn: {
			round,
			contestant,
			loadMs: opened.loadMs,
			coldFirstTokenMs: cold.tokensAt[0] ?? Number.NaN,
			short: measured(short, tokens),
			long: measured(long, tokens),
			peakBytes: memory?.peakBytes,
			endBytes: memory?.endBytes,
			busyCores: busyCores(before, after),
			loadAverage: loadAverage()
		},
		paths: [...opened.fetched.keys()]
	};
}

/** Throws when the answer is not as long as it was to be: its rate would be about something else. */
export function measured({ promptTokens, tokensAt, text, own }: Answer, tokens: number): Measured {
	if (tokensAt.length !== tokens) throw new Error(`an answer of ${tokensAt.length} tokens instead of ${tokens}`);
	const first = tokensAt[0] ?? Number.NaN;
	const last = tokensAt.at(-1) ?? Number.NaN;
	return {
		promptTokens,
		firstTokenMs: first,
		prefillRate: (1000 * promptTokens) / first,
		decodeRate: (1000 * (tokens - 1)) / (last - first),
		own: own && {
			prefillRate: (1000 * promptTokens) / own.prefillMs,
			decodeRate: (1000 * tokens) / own.decodeMs
		},
		text
	};
}

function neededFile({ files }: ContestStage, path: string): Needed {
	const bytes = files.get(path) ?? new Uint8Array();
	return { path, bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: GZIP_LEVEL }).length };
}
