/**
 * A job whose page was reloaded or crashed, taken up by the page that follows: its executor is asked to go on after the last word that was
 * kept, and where it is gone another does, as after any loss.
 *
 * Only one page may do this at a time: whoever calls holds the answer's lock (ui/chat/claims). Why it is done so, and how it would be
 * cheated: docs/decisions/reattach.md.
 */
import type { Channel } from '#lib/ports/mesh.ts';
import { seal } from '#lib/protocol/envelope.ts';
import { codeOf, Refusal, type Code } from '#lib/protocol/errors.ts';
import { reattachJob } from '#lib/protocol/reattach.ts';
import type { Wish } from './app.ts';
import type { OriginateEvent } from './events.ts';
import { acceptance } from './assign.ts';
import { facts } from './hire.ts';
import type { HiredJob } from './hired-job.ts';
import { Inbox, pour, type JobMail } from './inbox.ts';
import { carryOn } from './originate.ts';
import type { NodePorts } from './ports.ts';
import { Race, type Left, type Loss } from './race.ts';
import { reach } from './reach.ts';
import { recordOf } from './record.ts';
import { say } from './say.ts';
import { Spares } from './spares.ts';
import { restore, unfinishedOf, type Found, type Shown } from './unfinished.ts';

/** How long the executor is looked for: a relay and a WebRTC connection, which a page that has just been loaded has to make first. */
const REACH_AGAIN_MS = 12_000;
/** One attempt of them. */
const REACH_ONCE_MS = 5_000;
/** Between two attempts. */
const PAUSE_MS = 400;

/**
 * Goes on with the answer to `message`, of which `shown` was kept on the screen's side. Yields nothing when there is no job to go on with;
 * else `reattaching`, then what `originate` yields, of the words only those that are not shown yet. Never throws.
 */
export async function* reattach(
	message: string,
	shown: Shown,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, void, void> {
	const row = await unfinishedOf(message, ports).catch(() => undefined);
	if (row?.unfinished === undefined) return;
	const record = recordOf(row, ports);
	let spares: Spares | undefined;
	let begun = false;
	try {
		const found = await restore(row.unfinished, shown, message, ports);
		const { hired, wish, pieces } = found;
		// Before it is said: an attempt counts once.
		await ports.store.jobs.put({ ...row, unfinished: { ...row.unfinished, attempt: hired.resumed.attempt } });
		begun = true;
		yield { type: 'reattaching', executor: facts(hired.executor) };
		for (const piece of pieces) if (piece.position >= shown.tokens.length) yield { type: 'words', ...piece };
		const ranked = { job: hired.job, choices: [], announcements: [hired.job.announcement] };
		spares = new Spares({ ranked, tried: new Set() }, wish, ports);
		const back = await comeBack(found, ports, signal).catch((error: unknown) => codeOf(error));
		const again =
			typeof back === 'string' ? { ...hired, channel: NOBODY, inbox: new Inbox<JobMail>(ports.clock) } : back;
		spares.hired(again);
		if (typeof back !== 'string') {
			const { position } = hired.resumed.transcript;
			ports.log('reattached', { position, attempt: hired.resumed.attempt });
			yield { type: 'reattached', position: hired.resumed.shown.tokens.length };
			yield* carryOn(again, undefined, wish, spares, record, ports, signal);
			return;
		}
		ports.log('not-reattached', { code: back });
		const position = hired.resumed.transcript.position;
		const extra = shown.tokens.slice(position);
		// The next executor is given what the screen kept; the record must hold as many.
		if (extra.length > 0) await record.note({ type: 'words', tokens: extra, text: '', position });
		const left = lost(again, { code: signal.aborted ? 'aborted' : back, ours: signal.aborted }, wish, spares, ports);
		yield* carryOn(undefined, left, wish, spares, record, ports, signal);
	} catch (error) {
		if (codeOf(error) === 'internal') ports.log('reattach-failed', { error: String(error) });
		const code: Code = codeOf(error) === 'internal' ? 'aborted' : codeOf(error);
		const over: OriginateEvent = { type: 'lost', code, tokens: shown.tokens.length, receipt: row.receipt };
		await record.note(over);
		// Nothing to go on with: what is shown is as it was.
		if (begun) yield over;
	} finally {
		spares?.close();
	}
}

/** The job with a channel to its executor again. Refusals: `unreachable`, `aborted`, and what the executor refuses with. */
async function comeBack({ hired, acknowledgement }: Found, ports: NodePorts, signal: AbortSignal): Promise<HiredJob> {
	const { clock, identity } = ports;
	const { job, assignment, executor, resumed } = hired;
	const { transcript, attempt } = resumed;
	const channel = await findAgain(hired, ports, signal);
	const cut = () => channel.abort();
	signal.addEventListener('abort', cut, { once: true });
	try {
		const request = {
			job: job.id,
			epoch: assignment.body.epoch,
			assignment: assignment.cid,
			tokens: transcript.position,
			chain: transcript.chain,
			checked: transcript.checked,
			attempt,
			node: identity.node.publicKey,
			issuedAt: clock.now(),
			extensions: {}
		};
		const inbox = new Inbox<JobMail>(clock);
		void pour(channel, inbox);
		const { bytes } = await seal(reattachJob, request, job.key);
		if (signal.aborted) throw new Refusal('aborted');
		await say(channel, bytes, clock);
		if (acknowledgement !== undefined) await say(channel, acknowledgement, clock);
		await acceptance(inbox, executor, assignment.body, ports);
		return { ...hired, channel, inbox };
	} catch (error) {
		channel.abort();
		throw error;
	} finally {
		signal.removeEventListener('abort', cut);
	}
}

/** Tries until the time is over: this page has perhaps no relay yet. */
async function findAgain({ executor }: Found['hired'], ports: NodePorts, signal: AbortSignal): Promise<Channel> {
	const { clock } = ports;
	const end = clock.monotonic() + REACH_AGAIN_MS;
	for (;;) {
		const { addresses } = executor.bid;
		const channel = await reach(executor.executor, addresses, REACH_ONCE_MS, ports, signal).catch(codeOf);
		if (typeof channel !== 'string') return channel;
		if (clock.monotonic() + PAUSE_MS > end) throw new Refusal(channel);
		await clock.sleep(PAUSE_MS, signal);
	}
}

type Why = Required<Pick<Loss, 'code' | 'ours'>>;

/** What an executor leaves that was not found again. */
function lost(job: HiredJob, { code, ours }: Why, wish: Wish, spares: Spares, ports: NodePorts) {
	const race = new Race(job, wish, spares, ports, AbortSignal.abort());
	const [runner] = race.runners;
	// A page that has just been loaded may have no relay yet: that it reached nobody says nothing of whom it looked for.
	const loss = { code: code === 'stalled' ? 'peer-lost' : code, ours: ours || code === 'unreachable' } as const;
	// Nobody is at the other end: one that is silent has nothing to seal.
	const left: Left | undefined = runner && race.lose(runner, loss);
	race.close();
	return left;
}

const NOBODY: Channel = {
	peer: '',
	send: () => Promise.reject(new Refusal('channel-closed')),
	messages: { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) },
	close: () => Promise.resolve(),
	abort: () => undefined
};
