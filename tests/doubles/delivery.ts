/** One job about to be delivered by an executor, and how to read what it then said, kept and told. */
import { deliver, type Terms } from '#lib/node/deliver.ts';
import type { ContributeEvent } from '#lib/node/events.ts';
import { Inbox, pour, type JobMail } from '#lib/node/inbox.ts';
import { KeptJobs } from '#lib/node/kept.ts';
import { checkpoint } from '#lib/protocol/checkpoint.ts';
import { toHex } from '#lib/protocol/encode.ts';
import { read } from '#lib/protocol/envelope.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { chainNext, chainStart, decodeFrame, type Frame } from '#lib/protocol/frame.ts';
import { executionReceipt } from '#lib/protocol/receipt.ts';
import { executorStage, Wire, type ExecutorInit, type ExecutorStage } from './executor.ts';

/** Its asker says nothing by itself. */
export async function delivery(
	init: ExecutorInit = {},
	make: (stage: ExecutorStage) => Promise<Terms> = (s) => s.agreed(40)
) {
	const stage = await executorStage(init);
	const { clock, asking, ports } = stage;
	const terms = await make(stage);
	const wire = new Wire(asking.peer);
	const inbox = new Inbox<JobMail>(clock);
	void pour(wire, inbox);
	const told: ContributeEvent[] = [];
	const kept = new KeptJobs(ports);
	const stopping = new AbortController();
	const state = { late: 0 };
	const run = () =>
		deliver(
			terms,
			wire,
			inbox,
			ports,
			stopping.signal,
			(event) => told.push(event),
			kept,
			() => (state.late += 1)
		);
	const end = () => clock.until(run().catch(codeOf));
	const row = () => stage.store.assigned.get(`${toHex(stage.job)}:1`);
	const rows = async () =>
		(await stage.store.receipts.list()).map(({ kind, counterpart }) => [kind, counterpart !== undefined]);
	const receipt = () => read(executionReceipt, wire.sent.at(-1) as Uint8Array);
	const frames = () => wire.sent.filter((_, i) => wire.types[i] === 'Frame').map((bytes) => decodeFrame(bytes));
	const checkpoints = () =>
		wire.sent.filter((_, i) => wire.types[i] === checkpoint.type).map((bytes) => read(checkpoint, bytes));
	return { ...stage, terms, wire, told, kept, stopping, state, run, end, row, rows, receipt, frames, checkpoints };
}

/** The chain after these frames of a job. */
export const chainOver = (terms: Terms, frames: readonly Frame[]) =>
	frames.reduce(chainNext, chainStart(terms.assignment.bodyBytes));

/** The same with an asker that confirms whatever it hears. */
export const politeDelivery = async (...given: Parameters<typeof delivery>) => {
	const set = await delivery(...given);
	set.confirm(set.wire);
	return set;
};
