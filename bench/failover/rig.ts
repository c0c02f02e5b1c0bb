/** An asking tab and some that answer, each in a browser of its own, of which one after the other is lost in mid-answer and had back. */
import type { Browser, Page } from 'playwright';
import { codeOf } from '#lib/protocol/errors.ts';
import { ortNode } from '../../tests/doubles/ort-node.ts';
import { openStage, type Stage } from '../stage.ts';
import type { BenchPage, Reached } from '../page/page.ts';
import { timesOf, type Broken, type Chronicle, type Times } from './chronicle.ts';
import { lose, pidsOf, type Kill } from './kills.ts';

declare const bench: BenchPage;

/** Leader, standby or successor, and one more to go on when both are busy with their way back. */
const LENDERS = 3;
/** Nothing of a job takes longer. */
const WATCHDOG_MS = 60_000;

interface Lender {
	readonly browser: Browser;
	page: Page;
	peer: string;
}

/** One loss and what came of it. */
export interface Loss extends Times {
	readonly kill: Kill;
	readonly hedge: number;
	/** Tokens that were there when it was lost. */
	readonly at: number;
	/** The status it was finished with, or how else it ended. */
	readonly end: string;
	/** Lost, doubled or changed tokens against the same engine's replay of the seed; undefined when no receipt was sealed. */
	readonly wrong: number | undefined;
	/** How many stood by, one after the other. */
	readonly standbys: number;
}

/** Jobs that nobody was lost in. */
export interface Calm {
	readonly jobMinutes: number;
	/** Living executors that were given up. */
	readonly alarms: number;
	readonly unfinished: number;
	/** Silences that took more than two fifths of what was allowed before a peer would have been given up, each as a share of it. */
	readonly hesitations: readonly number[];
}

export interface Rig {
	readonly browserVersion: string;
	/** Has an answer begun, loses who leads it as `kill` says, and waits for its end. Everybody is back before it resolves. */
	lose(kill: Kill, broken: Broken): Promise<Loss>;
	/** A job for each who lends, again and again, without any loss, for so long: whom the originator gave up all the same. */
	undisturbed(ms: number): Promise<Calm>;
	close(): Promise<void>;
}

export async function openRig(): Promise<Rig> {
	const stage = await openStage({ served: false });
	const engine = ortNode({ weights: 'q4' });
	const lenders: Lender[] = [];
	const never = new AbortController().signal;
	await engine.load(() => undefined, never);
	for (let i = 0; i < LENDERS; i += 1) lenders.push(await lend(stage, await stage.launch()));
	const asker = await stage.person();
	let reached: (now: Reached) => void = () => undefined;
	await asker.exposeFunction('reached', (now: Reached) => reached(now));
	const ask = (broken: Broken) =>
		within(
			asker.evaluate((what) => bench.broken(what), broken),
			'the answer'
		);

	// A newcomer's first wish may find that gossip has not reached everybody yet.
	for (let tries = 5, end = ''; end !== 'success'; tries -= 1) {
		({ end } = await ask({ prompt: 'Is anybody there?', tokens: 8, hedge: 0, at: 1_000 }));
		if (end !== 'success' && tries === 0) throw new Error(`nobody answers: ${end}`);
	}

	const replayed = async ({ prompt, tokens }: Broken, { seed, sampling, tokens: shown, text }: Chronicle) => {
		if (seed === undefined || sampling === undefined) return undefined;
		const turns = [{ role: 'user' as const, content: prompt }];
		const request = {
			turns,
			continueFrom: [],
			seed: Uint8Array.from(seed),
			sampling,
			minTokens: tokens,
			maxTokens: tokens
		};
		const drawn: number[] = [];
		let words = '';
		for await (const step of engine.generate(request, never)) {
			drawn.push(step.token);
			words += step.text;
		}
		const length = Math.max(drawn.length, shown.length);
		const wrong = Array.from({ length }, (_, i) => drawn[i] === shown[i]).filter((same) => !same).length;
		return wrong + Number(words !== text);
	};

	return {
		browserVersion: stage.browser.version(),
		lose: async (kill, broken) => {
			for (const lender of lenders)
				await within(
					lender.page.waitForFunction(() => bench.idle),
					'a tab that is free'
				);
			const pids = new Map(
				await Promise.all(lenders.map(async ({ peer, browser }) => [peer, await pidsOf(browser)] as const))
			);
			const due = new Promise<Reached>((resolve) => (reached = resolve));
			const answer = ask(broken);
			const { leader } = await Promise.race([due, answer.then(early)]);
			const victim = lenders.find(({ peer }) => peer === leader);
			const found = pids.get(leader);
			if (victim === undefined || found === undefined) throw new Error('answered by nobody here');
			const { at, mend } = await lose(kill, victim.page, found);
			const chronicle = await answer;
			mend?.();
			if (mend === undefined) Object.assign(victim, await again(stage, victim));
			const wrong = await replayed(broken, chronicle).catch((error: unknown) => {
				throw new Error(`replay: ${codeOf(error)}`);
			});
			const { end, standbys } = chronicle;
			const times = timesOf(chronicle, at);
			return { kill, hedge: broken.hedge, at: broken.at, end, wrong, standbys: standbys.length, ...times };
		},
		undisturbed: async (ms) => {
			const began = Date.now();
			const counts = { jobMinutes: 0, alarms: 0, unfinished: 0, hesitations: [] as number[] };
			for (let turn = 0; Date.now() - began < ms; turn += 1) {
				const wanted = { prompt: `Tell me about job ${turn}`, tokens: 200, many: LENDERS };
				const { answers, said } = await within(
					asker.evaluate((what) => bench.together(what), wanted),
					'the answers'
				);
				for (const answer of answers) counts.jobMinutes += answer.ms / 60_000;
				counts.alarms += said.filter(({ line }) => line === 'fireweed executor-lost').length;
				for (const { line, facts } of said)
					if (line === 'fireweed peer-hesitated') counts.hesitations.push(shareOf(facts as Silence));
				counts.unfinished += answers.filter(({ end }) => end !== 'success').length;
			}
			return counts;
		},
		close: async () => {
			await engine.unload();
			await stage.stop();
		}
	};
}

interface Silence {
	readonly ms: number;
	readonly allowedMs: number;
}

const shareOf = ({ ms, allowedMs }: Silence) => Math.round((1_000 * ms) / allowedMs) / 1_000;

async function lend(stage: Stage, browser: Browser): Promise<Lender> {
	const page = await stage.person(browser);
	await within(
		page.evaluate(() => bench.lend()),
		'lending'
	);
	return { browser, page, peer: await page.evaluate(() => bench.peer) };
}

/** A new tab in the same browser, in place of one that is gone. */
async function again(stage: Stage, { browser, page }: Lender): Promise<Lender> {
	await page.context().close();
	return lend(stage, browser);
}

function early({ end }: Chronicle): never {
	throw new Error(`it ended before anybody was lost: ${end}`);
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const dog = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(new Error(`${what} took longer than ${WATCHDOG_MS} ms`)), WATCHDOG_MS);
	});
	return Promise.race([work, dog]).finally(() => clearTimeout(timer));
}
