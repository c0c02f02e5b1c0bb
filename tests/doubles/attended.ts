/** An asker in its executor's ears, its line a stand-in: a test says its words, loses its connection and brings it back. */
import { Asker } from '#lib/node/asker.ts';
import { Inbox, type JobMail } from '#lib/node/inbox.ts';
import type { Line } from '#lib/node/line.ts';
import { jobCancel } from '#lib/protocol/assignment.ts';
import type { Checkpoint } from '#lib/protocol/checkpoint.ts';
import { seal, type Signed } from '#lib/protocol/envelope.ts';
import type { Code } from '#lib/protocol/errors.ts';
import { Papers } from './papers.ts';

/** An executor that attends its asker, and everything the asker can do. */
export async function attended() {
	const papers = await Papers.of();
	const { clock, ports } = papers;
	const told = { stops: 0, aways: 0 };
	const confirmed: number[] = [];
	let lose: () => void = () => undefined;
	const line = {
		whenLost: (lost: () => void) => (lose = lost),
		confirmed: (tokens: number) => void confirmed.push(tokens)
	} as unknown as Line;
	const asker = new Asker(papers.assignment, line, ports, {
		stop: () => told.stops++,
		away: () => told.aways++
	});
	const inbox = new Inbox<JobMail>(clock);
	let over = false;
	void asker.attend(inbox).then(() => (over = true));
	const say = async (bytes: Uint8Array, to = inbox) => {
		to.put({ type: 'message', bytes });
		await clock.pass(0);
	};
	const end = async (code: Code | undefined, of = inbox) => {
		of.put({ type: 'ended', code });
		await clock.pass(0);
	};
	/** A checkpoint that was sent and waits. */
	const sent = async (tokens: number) => {
		const made = await papers.checkpoint(tokens);
		asker.waiting.set(made.cid.toString(), made);
		return made;
	};
	const acknowledge = async (made: Signed<Checkpoint>, ...change: [object?, typeof papers.key?]) =>
		say((await papers.acknowledgement(made, ...change)).bytes);
	const cancel = async (change: object = {}, by = papers.key) => {
		const body = { job: papers.assignment.body.job, epoch: 1, reason: 'stopped' as const };
		await say((await seal(jobCancel, { ...body, issuedAt: clock.now(), extensions: {}, ...change }, by)).bytes);
	};
	const comeBack = async () => {
		const another = new Inbox<JobMail>(clock);
		void asker.attend(another);
		await clock.pass(0);
		return another;
	};
	/** What becomes of a promise, without time passing. */
	const watch = <T>(work: Promise<T>) => {
		const seen: { value?: T } = {};
		void work.then((value) => (seen.value = value));
		return seen;
	};
	const state = { lost: () => lose(), over: () => over };
	return {
		...papers,
		...{ papers, clock, ports, asker, told, confirmed, inbox, say, end, sent, acknowledge },
		...{ cancel, comeBack, watch, state }
	};
}
