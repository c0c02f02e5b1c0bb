/** What a job leaves in the node's tables, so that a reload or a crash loses nothing but the stream itself. */
import type { OriginatedJob, ReceiptRecord, Unfinished } from '#lib/ports/store.ts';
import { jobAnnouncement } from '#lib/protocol/announcement.ts';
import type { JobBid } from '#lib/protocol/bid.ts';
import type { Acknowledgement, Checkpoint } from '#lib/protocol/checkpoint.ts';
import { read, type Signed } from '#lib/protocol/envelope.ts';
import type { ExecutionReceipt } from '#lib/protocol/receipt.ts';
import { codeOf } from '#lib/protocol/errors.ts';
import { encodeCanonical, toHex } from '#lib/protocol/encode.ts';
import type { AnnouncedJob } from './announce.ts';
import type { Wish } from './app.ts';
import type { Again, ExecutorFacts, OriginateEvent } from './events.ts';
import type { HiredJob } from './hired-job.ts';
import { within } from './inbox.ts';
import type { NodePorts } from './ports.ts';

/** The words of a running job are written down this often, and with every checkpoint before it is acknowledged. */
const SAVE_MS = 1_000;
/** A disk slower than this does not hold up an answer: it is acknowledged all the same. */
const PATIENCE_MS = 1_000;

/** The originator's row of one job, kept in step with its events. */
export interface JobRecord {
	/** Resolves when it is kept. Notes settle in the order they were begun, so only the last needs to be waited for. */
	note(event: OriginateEvent | Again): Promise<void>;
	/** It runs at this executor now. From here on another page of the profile can take it up again. */
	hired(hired: HiredJob): Promise<void>;
}

/** Opens the row. A store that refuses is logged, never a reason not to answer. */
export function recordJob(job: AnnouncedJob, wish: Wish, ports: NodePorts): JobRecord {
	const row: OriginatedJob = {
		id: job.hex,
		createdAt: ports.clock.now(),
		model: wish.model ?? '',
		state: 'announced',
		executor: undefined,
		receipt: undefined,
		code: undefined,
		message: wish.message
	};
	const record = recordOf(row, ports);
	void quietly(ports, ports.store.jobs.put(row));
	return record;
}

/** The row of a job that another page began. */
export function recordOf(begun: OriginatedJob, ports: NodePorts): JobRecord {
	let row = begun;
	const said = {
		tokens: [...(row.unfinished?.tokens ?? [])],
		text: row.unfinished?.text ?? '',
		frames: [...(row.unfinished?.frames ?? [])]
	};
	let savedAt = ports.clock.monotonic();
	const save = (next: OriginatedJob) => {
		const { unfinished } = next;
		savedAt = ports.clock.monotonic();
		// Copies: what comes while the disk is at it belongs to the next time.
		const copies = { tokens: [...said.tokens], text: said.text, frames: [...said.frames] };
		row = unfinished === undefined ? next : { ...next, unfinished: { ...unfinished, ...copies } };
		return quietly(ports, ports.store.jobs.put(row));
	};
	const end = async (next: OriginatedJob) => {
		const { unfinished } = row;
		await save({ ...next, unfinished: undefined });
		if (unfinished !== undefined) await ports.jobKeys.dropJobKey(signerOf(unfinished));
	};
	const choose = (executor: ExecutorFacts, reason: string) =>
		quietly(
			ports,
			ports.store.bids.put({
				id: `${row.id}:${executor.id}`,
				job: row.id,
				executor: executor.id,
				heardAt: ports.clock.now(),
				pricePer1k: executor.pricePer1k,
				chosen: true,
				reason
			})
		);
	return {
		hired: async (hired) => {
			const { job } = hired;
			await ports.jobKeys.keepJobKey(job.key);
			await save({ ...row, unfinished: unfinishedOf(hired, ports) });
		},
		note: async (event) => {
			switch (event.type) {
				case 'bid':
					return quietly(
						ports,
						ports.store.bids.put({
							id: `${row.id}:${event.executor}`,
							job: row.id,
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
					void choose(event.to, `after ${event.position} tokens (${event.why}): ${event.reason}`);
					return save({ ...row, state: 'assigned', executor: event.to.id });
				case 'accepted':
					return save({ ...row, state: 'running' });
				case 'again':
				case 'words':
					// Kept already.
					if (event.position < (row.unfinished?.startedFrom ?? 0) + said.tokens.length) return;
					said.tokens.push(...event.tokens);
					said.text += event.text;
					said.frames.push(event.tokens.length, event.text.length);
					if (row.unfinished !== undefined && ports.clock.monotonic() - savedAt >= SAVE_MS) await save(row);
					return;
				case 'checkpoint': {
					const kept = save({ ...row, receipt: event.receipt });
					return within(ports.clock, PATIENCE_MS, 'storage-unavailable', kept).catch(() => undefined);
				}
				case 'finished':
					return end({
						...row,
						state: event.status === 'cancelled' ? 'cancelled' : 'finished',
						receipt: event.receipt
					});
				case 'lost':
					return end({ ...row, state: 'lost', code: event.code, receipt: event.receipt });
				case 'failed':
					return end({ ...row, state: event.code === 'aborted' ? 'cancelled' : 'failed', code: event.code });
				default:
					return undefined;
			}
		}
	};
}

function unfinishedOf(hired: HiredJob, ports: NodePorts): Unfinished {
	const { job, executor, assignment, seedFrom, startedFrom, parts } = hired;
	return {
		assignment: assignment.bytes,
		announcement: job.announcement.bytes,
		bid: executor.signed.bytes,
		policy: encodeCanonical(job.policy),
		executorNonce: seedFrom.executorNonce,
		deadlineAt: ports.clock.now() + Math.max(0, Math.round(hired.deadlineAt - ports.clock.monotonic())),
		startedFrom,
		parts,
		attempt: hired.resumed?.attempt ?? 0,
		tokens: [],
		text: '',
		frames: []
	};
}

/** The job's own key, which signed its announcement. */
function signerOf({ announcement }: Unfinished): Uint8Array {
	return read(jobAnnouncement, announcement).signer;
}

/**
 * Notes events and passes them on. The answer does not wait for the disk, but its end does, and so does the acknowledgement of a
 * checkpoint, which follows when the next event is asked for: acknowledged is what is kept.
 */
export async function* listen<R>(
	record: JobRecord,
	events: AsyncGenerator<OriginateEvent | Again, R, void>
): AsyncGenerator<OriginateEvent, R, void> {
	try {
		for (;;) {
			const next = await events.next();
			if (next.done === true) return next.value;
			const { value } = next;
			const noted = record.note(value);
			if (WAITED_FOR.includes(value.type)) await noted;
			if (value.type !== 'again') yield value;
		}
	} finally {
		// Left by its reader: they let go what they hold. Nothing where they have ended.
		await events.return(undefined as R);
	}
}

const WAITED_FOR: readonly (OriginateEvent | Again)['type'][] = ['checkpoint', 'finished', 'lost', 'failed'];

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
