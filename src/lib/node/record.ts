/** What a job leaves in the node's tables, so that a reload or a crash loses nothing but the stream itself. */
import type { OriginatedJob, ReceiptRecord } from '#lib/ports/store.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import type { Acknowledgement, Checkpoint } from '#lib/protocol/checkpoint.ts';
import type { Signed } from '#lib/protocol/envelope.ts';
import type { ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { toHex } from '#lib/protocol/encode.ts';
import type { AnnouncedJob } from './announce.ts';
import type { Wish } from './app.ts';
import type { ExecutorFacts, OriginateEvent } from './events.ts';
import type { NodePorts } from './ports.ts';

/** The originator's row of one job, kept in step with its events. */
export interface JobRecord {
	/** Resolves when it is kept. Notes settle in the order they were begun, so only the last needs to be waited for. */
	note(event: OriginateEvent): Promise<void>;
}

/** Opens the row. A store that refuses is logged, never a reason not to answer. */
export function recordJob(job: AnnouncedJob, wish: Wish, ports: NodePorts): JobRecord {
	let row: OriginatedJob = {
		id: job.hex,
		createdAt: ports.clock.now(),
		model: wish.model ?? '',
		state: 'announced',
		executor: undefined,
		receipt: undefined,
		code: undefined,
		message: wish.message
	};
	const save = (next: OriginatedJob) => {
		row = next;
		return quietly(ports, ports.store.jobs.put(row));
	};
	const choose = (executor: ExecutorFacts, reason: string) =>
		quietly(
			ports,
			ports.store.bids.put({
				id: `${job.hex}:${executor.id}`,
				job: job.hex,
				executor: executor.id,
				heardAt: ports.clock.now(),
				pricePer1k: executor.pricePer1k,
				chosen: true,
				reason
			})
		);
	void save(row);
	return {
		note: async (event) => {
			switch (event.type) {
				case 'bid':
					return quietly(
						ports,
						ports.store.bids.put({
							id: `${job.hex}:${event.executor}`,
							job: job.hex,
							executor: event.executor,
							heardAt: ports.clock.now(),
							pricePer1k: event.pricePer1k,
							chosen: false,
							reason: ''
						})
					);
				case 'assigned':
					void choose(event.executor, event.reason);
					return save({ ...row, state: 'assigned', executor: event.executor.id, model: event.executor.model });
				case 'handed-over':
					void choose(event.to, `after ${event.position} tokens: ${event.why}`);
					return save({ ...row, state: 'assigned', executor: event.to.id });
				case 'accepted':
					return save({ ...row, state: 'running' });
				case 'checkpoint':
					return save({ ...row, receipt: event.receipt });
				case 'finished':
					return save({
						...row,
						state: event.status === 'cancelled' ? 'cancelled' : 'finished',
						receipt: event.receipt
					});
				case 'lost':
					return save({ ...row, state: 'lost', code: event.code, receipt: event.receipt });
				case 'failed':
					return save({ ...row, state: event.code === 'aborted' ? 'cancelled' : 'failed', code: event.code });
				default:
					return undefined;
			}
		}
	};
}

/** Notes events and passes them on: the answer does not wait for the disk, but its end does. */
export async function* listen<R>(
	record: JobRecord,
	events: AsyncGenerator<OriginateEvent, R, void>
): AsyncGenerator<OriginateEvent, R, void> {
	for (;;) {
		const next = await events.next();
		if (next.done === true) return next.value;
		const { value } = next;
		const noted = value.type === 'words' ? undefined : record.note(value);
		if (value.type === 'finished' || value.type === 'lost' || value.type === 'failed') await noted;
		yield next.value;
	}
}

/** A checkpoint both sides signed, in place of the one before it. */
export async function keepPartial(
	partial: {
		readonly checkpoint: Signed<Checkpoint>;
		readonly acknowledgement: Signed<Acknowledgement> | undefined;
		readonly bid: Signed<JobBid>;
		readonly startPosition: number;
		readonly replaces: string | undefined;
	},
	role: ReceiptRecord['role'],
	ports: NodePorts
): Promise<void> {
	const { checkpoint, acknowledgement, bid, startPosition, replaces } = partial;
	await keep(
		{
			cid: checkpoint.cid.toString(),
			kind: 'checkpoint',
			role,
			job: toHex(checkpoint.body.job),
			createdAt: ports.clock.now(),
			document: checkpoint.bytes,
			counterpart: acknowledgement?.bytes,
			terms: bid.bytes,
			...(startPosition > 0 ? { startPosition } : {})
		},
		replaces,
		ports
	);
}

/** The sealed receipt, which makes the checkpoints before it superfluous. */
export async function keepSealed(
	sealed: {
		readonly receipt: Signed<ExecutionReceipt>;
		readonly countersignature: Signed<ExecutionReceipt> | undefined;
		readonly replaces: string | undefined;
	},
	role: ReceiptRecord['role'],
	ports: NodePorts
): Promise<void> {
	const { receipt, countersignature, replaces } = sealed;
	await keep(
		{
			cid: receipt.cid.toString(),
			kind: 'sealed',
			role,
			job: toHex(receipt.body.job),
			createdAt: ports.clock.now(),
			document: receipt.bytes,
			counterpart: countersignature?.bytes,
			terms: undefined
		},
		replaces,
		ports
	);
}

async function keep(record: ReceiptRecord, replaces: string | undefined, ports: NodePorts): Promise<void> {
	await quietly(ports, ports.store.receipts.put(record));
	if (replaces !== undefined && replaces !== record.cid) await quietly(ports, ports.store.receipts.delete(replaces));
}

/** A full disk must not stop an answer that is already paid for; the screen hears of it from the store itself. */
export async function quietly(ports: Pick<NodePorts, 'log'>, work: Promise<void>): Promise<void> {
	await work.catch((error: unknown) => ports.log('not-kept', { code: codeOf(error) }));
}
