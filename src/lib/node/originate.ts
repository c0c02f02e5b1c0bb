/**
 * One job as its originator lives it. Read `originate` top to bottom: each line is a step of the walk.
 */
import type { Wish } from './app.ts';
import type { OriginateEvent } from './events.ts';
import type { NodePorts } from './ports.ts';
import { announce } from './announce.ts';
import { engage } from './engage.ts';
import type { HiredJob } from './hired-job.ts';
import { follow } from './follow.ts';
import { handOver } from './hand-over.ts';
import type { Left } from './race.ts';
import { Spares } from './spares.ts';
import { listen, recordJob, type JobRecord } from './record.ts';
import type { ExecutionPolicy } from '#lib/protocol/policy.ts';
import { codeOf, retryMsOf } from '#lib/protocol/errors.ts';

/**
 * Has `wish` answered by the mesh under `policy`. Yields what happens; ends with exactly one `finished`, `lost` or `failed`.
 * Aborting `signal` cancels the job wherever it is; an answer under way still ends with its receipt. Never throws.
 */
export async function* originate(
	wish: Wish,
	policy: ExecutionPolicy,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, void, void> {
	let record: JobRecord | undefined;
	let spares: Spares | undefined;
	try {
		const job = await announce(wish, policy, ports);
		record = recordJob(job, wish, ports);
		const engaged = yield* listen(record, engage(job, wish, ports, signal));
		const { hired } = engaged;
		spares = new Spares(engaged, wish, ports);
		spares.hired(hired);
		yield* carryOn(hired, undefined, wish, spares, record, ports, signal);
	} catch (error) {
		const failed: OriginateEvent = { type: 'failed', code: codeOf(error), retryMs: retryMsOf(error) };
		if (codeOf(error) === 'internal') ports.log('originate-failed', { error: String(error) });
		await record?.note(failed);
		yield failed;
	} finally {
		spares?.close();
	}
}

/** From one executor to the next until the job ends: an executor that has it, or what one has left. */
export async function* carryOn(
	first: HiredJob | undefined,
	left: Left | undefined,
	wish: Wish,
	spares: Spares,
	record: JobRecord,
	ports: NodePorts,
	signal: AbortSignal
): AsyncGenerator<OriginateEvent, void, void> {
	let [hired, lost] = [first, left];
	while (hired !== undefined || lost !== undefined) {
		if (hired !== undefined) {
			void record.hired(hired);
			lost = yield* listen(record, follow(hired, wish, spares, ports, signal));
		}
		hired = lost && (yield* listen(record, handOver(lost, wish, spares, ports, signal)));
		lost = undefined;
	}
}
