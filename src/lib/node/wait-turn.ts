/** Between an assignment and the engine: the asker is told how long, and whoever goes away or changes its mind gives its place back at once. */
import type { Channel } from '#lib/ports/mesh.ts';
import { jobCancel, type AssignJob } from '#lib/protocol/assignment.ts';
import { equalBytes } from '#lib/protocol/encode.ts';
import { open, peek, seal, type Signed } from '#lib/protocol/envelope.ts';
import { Refusal } from '#lib/protocol/errors.ts';
import { MAX_CHANNEL_MESSAGE } from '#lib/protocol/limits.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import type { Place } from './desk.ts';
import { type Inbox, type JobMail } from './inbox.ts';
import type { ExecutorPorts } from './ports.ts';

/** Between two words to a waiting asker: it knows that it is not forgotten, and takes silence for what it is. */
export const QUEUED_EVERY_MS = 3_000;
/** A person's own answer on the same engine is looked for this often. */
const PERSON_MS = 250;
/** What a waiting asker may say before its place is given to somebody else: a cancel, and things of a later version. */
const MAX_SAID = 16;

/** Resolves when the engine is free for this job. Refusals: `busy` with when to come back, `aborted`, or why the channel ended. */
export async function waitTurn(
	place: Place,
	assignment: Signed<AssignJob>,
	channel: Channel,
	inbox: Inbox<JobMail>,
	ports: ExecutorPorts,
	stopping: AbortSignal
): Promise<void> {
	const { clock, engine } = ports;
	const news: { turn?: true; refused?: unknown } = {};
	const wake = () => inbox.put({ type: 'stop' });
	place.turn.then(
		() => {
			news.turn = true;
			wake();
		},
		(error: unknown) => {
			news.refused = error;
			wake();
		}
	);
	stopping.addEventListener('abort', wake);
	let said = 0;
	let sayAt = -Infinity;
	try {
		// One turn of the loop of events: a free engine is given at once.
		await Promise.resolve();
		for (;;) {
			if (stopping.aborted) throw new Refusal('aborted');
			if (news.refused !== undefined) throw news.refused;
			if (news.turn === true && engine.state !== 'busy') {
				if (engine.state !== 'ready') throw new Refusal('engine-not-ready');
				return;
			}
			if (clock.monotonic() >= sayAt) {
				sayAt = clock.monotonic() + QUEUED_EVERY_MS;
				await channel.send(await queued(assignment.body, place.waitMs(), ports));
			}
			const mail = await inbox.take(news.turn === true ? PERSON_MS : sayAt - clock.monotonic());
			if (mail === undefined || mail.type === 'stop') continue;
			if (mail.type === 'ended') throw new Refusal(mail.code ?? 'channel-closed');
			if (++said > MAX_SAID) throw new Refusal('rate-limited');
			if (await cancels(mail.bytes, assignment, ports)) throw new Refusal('aborted');
		}
	} finally {
		stopping.removeEventListener('abort', wake);
	}
}

async function queued(run: AssignJob, waitMs: number, ports: ExecutorPorts): Promise<Uint8Array> {
	const { job, epoch } = run;
	const stamp = { issuedAt: ports.clock.now(), extensions: {} };
	const body = { job, epoch, state: 'queued' as const, waitMs: Math.min(3_600_000, waitMs), ...stamp };
	return (await seal(jobStatus, body, ports.identity.node)).bytes;
}

async function cancels(bytes: Uint8Array, assignment: Signed<AssignJob>, ports: ExecutorPorts): Promise<boolean> {
	if (peek(bytes, MAX_CHANNEL_MESSAGE).type !== jobCancel.type) return false;
	const cancel = await open(jobCancel, bytes, ports.crypto);
	if (!equalBytes(cancel.signer, assignment.signer)) throw new Refusal('wrong-signer');
	if (!equalBytes(cancel.body.job, assignment.body.job)) throw new Refusal('wrong-job');
	return cancel.body.epoch === assignment.body.epoch;
}
