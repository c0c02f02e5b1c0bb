/** An executor with an open bid that serves one channel, and how to read what came of it. */
import { Desk } from '#lib/node/desk.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import { execute, type AnswerWish } from '#lib/node/execute.ts';
import { KeptJobs } from '#lib/node/kept.ts';
import type { OpenBid } from '#lib/node/open-bids.ts';
import type { GenerateRequest } from '#lib/ports/engine.ts';
import type { JobAnnouncement } from '#lib/protocol/announcement.ts';
import type { AssignJob } from '#lib/protocol/assignment.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { read, type Signed } from '#lib/protocol/envelope.ts';
import { jobStatus } from '#lib/protocol/status.ts';
import { executorStage, Wire, type ExecutorInit } from './executor.ts';

/** An executor with one open bid, and a channel to it. */
export async function served(init: ExecutorInit = {}, announced: Partial<JobAnnouncement> = {}) {
	const asked: GenerateRequest[] = [];
	const stage = await executorStage({ ...init, engine: { ran: (request) => asked.push(request), ...init.engine } });
	const { clock, ports, asking, job } = stage;
	const desk = new Desk(ports);
	desk.tokensPerSecond = 50;
	const open = await stage.offered(await stage.announced(announced));
	const bids = new Map<string, OpenBid>([[toHex(job), open]]);
	const takes: unknown[] = [];
	const told: ContributeEvent[] = [];
	const wishes: (readonly [Signed<JobAnnouncement>, string | undefined])[] = [];
	const state: { answer: Uint8Array | undefined } = { answer: Uint8Array.of(1) };
	const answer: AnswerWish = async (wish, account) => {
		wishes.push([wish, account]);
		return state.answer;
	};
	const kept = new KeptJobs(ports);
	const stopping = new AbortController();
	const serve = (wire: Wire) =>
		execute(
			...([wire, answer] as const),
			(hex, bid) => {
				takes.push([hex, bid.toString()]);
				const found = bids.get(hex);
				bids.delete(hex);
				return found;
			},
			...([desk, ports, stopping.signal, (event: ContributeEvent) => told.push(event), kept] as const)
		);
	const wire = new Wire(asking.peer);
	/** Runs the channel to its end, with these messages on it. */
	const say = async (...messages: readonly Uint8Array[]) => {
		for (const each of messages) wire.hear(each);
		await clock.until(serve(wire));
	};
	const assign = async (change: Partial<AssignJob> = {}, by = stage.key) =>
		(await stage.assigned(open, change, by)).bytes;
	/** What the asker was told last, without its stamps. */
	const word = () => {
		const { state: word, code, waitMs } = read(jobStatus, wire.sent.at(-1) as Uint8Array).body;
		return [word, code, waitMs];
	};
	const outcome = () => told.map((event) => (event.type === 'refused' ? event.code : event.type));
	return {
		...stage,
		desk,
		open,
		bids,
		takes,
		told,
		wishes,
		state,
		kept,
		stopping,
		serve,
		wire,
		say,
		assign,
		word,
		outcome,
		asked
	};
}
